"""Colours and density: kept with the account, written on the page by the server."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from chat.accounts import services
from tests.chat.cast import PASSWORD, Cast


def root(client: Client, path: str = "/") -> str:
    """The opening tag of the page."""
    found = re.search(r"<html[^>]*>", client.get(path).content.decode())
    assert found
    return found[0]


def patch(client: Client, **changed: object) -> Any:
    return client.patch("/api/profile/", changed, content_type="application/json")


@pytest.mark.parametrize("path", ["/", "/settings/", "/accounts/email/", "/nowhere/"])
def test_the_chosen_theme_is_on_every_page_before_any_script(cast: Cast, path: str) -> None:
    assert "data-" not in root(cast.client("alice"), path)
    assert patch(cast.client("alice"), theme="dark", density="compact").status_code == 200
    assert 'data-theme="dark" data-density="compact"' in root(cast.client("alice"), path)
    assert "data-" not in root(cast.client("bob"), path)


def test_the_choice_applies_on_another_device(cast: Cast) -> None:
    services.edit_profile(user=cast.alice, theme="light", density="compact")
    elsewhere = Client()
    assert "data-" not in root(elsewhere, "/accounts/login/")  # nobody in particular: as the system has it
    elsewhere.post("/accounts/login/", {"login": "alice@example.org", "password": PASSWORD})
    assert 'data-theme="light" data-density="compact"' in root(elsewhere)
    elsewhere.post("/accounts/logout/")
    assert "data-" not in root(elsewhere, "/accounts/login/")


def test_the_form_works_without_javascript(cast: Cast) -> None:
    client = cast.client("alice")
    answer = client.post("/settings/appearance/", {"theme": "dark", "density": "compact"})
    assert answer["Location"] == "/settings/#appearance"
    page = client.get("/settings/").content.decode()
    for chosen in ("dark", "compact"):
        assert f'value="{chosen}" checked' in page
    client.post("/settings/appearance/", {"theme": "system", "density": "comfortable"})
    assert "data-theme" not in root(client) + root(client, "/settings/")


@pytest.mark.parametrize("wrong", [{"theme": "pink"}, {"density": ""}, {"theme": 1}, {"density": None}])
def test_unknown_themes_and_densities_are_refused(cast: Cast, wrong: dict[str, Any]) -> None:
    client = cast.client("alice")
    assert patch(client, **wrong).status_code == 400
    assert "data-" not in root(client)


def test_the_form_refuses_it_too(cast: Cast) -> None:
    assert cast.client("alice").post("/settings/appearance/", {"theme": "pink"}).status_code == 400


@pytest.mark.parametrize("method", ["get", "post"])
def test_only_for_people_who_are_logged_in(cast: Cast, method: str) -> None:
    answer = getattr(Client(), method)("/settings/appearance/")
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/accounts/login/")
    assert cast.client("alice").get("/settings/appearance/").status_code == 405


def test_a_name_alone_leaves_the_rest(cast: Cast) -> None:
    patch(cast.client("alice"), theme="dark")
    assert patch(cast.client("alice"), display_name="A").json()["theme"] == "dark"
