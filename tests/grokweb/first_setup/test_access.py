"""Only superusers open the setup page; they are led to it until one has finished it."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from chat.model_cards.models import ModelCard
from inference.base import settings_file
from tests.chat.cast import PASSWORD, Cast
from tests.grokweb.first_setup.page_client import PAGE, post, verbs


@pytest.mark.parametrize(
    ("who", "status"),
    [("staff", 200), ("moderator", 403), ("alice", 302), ("bob", 302), ("stranger", 302), ("anonymous", 302)],
)
@pytest.mark.parametrize("path", [PAGE, f"{PAGE}state/"])
def test_only_superusers_open_it(cast: Cast, who: str, status: int, path: str) -> None:
    assert cast.client(who).get(path).status_code == status
    assert post(cast.client(who), "sign-up", open="0").status_code == (302 if who == "staff" else status)
    assert settings_file.stored() == ({"GROKWEB_SIGNUP": "0"} if who == "staff" else {})


def test_a_request_from_another_site_changes_nothing(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.staff, "django.contrib.auth.backends.ModelBackend")
    assert post(client, "sign-up", open="0").status_code == 403
    assert settings_file.stored() == {}


def log_in(cast: Cast, who: str, path: str = "") -> str:
    answer = Client().post(f"/accounts/login/{path}", {"login": f"{who}@example.org", "password": PASSWORD})
    return str(answer["Location"])


@pytest.mark.parametrize(("step", "verb"), [("skip", "skip setup"), ("finish", "finish setup")])
def test_administrators_are_led_to_it_until_one_has_skipped_or_finished_it(
    cast: Cast, client: Client, step: str, verb: str
) -> None:
    assert log_in(cast, "alice") == "/"
    assert log_in(cast, "staff") == log_in(cast, "staff", "?next=/admin/") == PAGE
    assert log_in(cast, "staff", "?next=/settings/") == "/settings/"
    assert "Skip for now" in client.get(PAGE).content.decode()
    assert post(client, step)["Location"] == "/"
    assert verbs() == [verb]
    assert log_in(cast, "staff") == "/"
    page = client.get(PAGE).content.decode()
    assert "Skip for now" not in page
    assert "What is still missing" in page
    assert f'<a href="{PAGE}">' in client.get("/admin/").content.decode()
    assert PAGE not in cast.client("moderator").get("/admin/").content.decode()


def test_it_lists_what_is_missing(client: Client) -> None:
    ModelCard.objects.update(is_demo=True)
    listed = re.findall(r'data-check="([^"]+)"', client.get(PAGE).content.decode())
    assert {"default model", "e-mail", "backup"} <= set(listed)
