"""The edge of the JSON endpoints, seen through /api/profile/ and /api/usage/."""

from __future__ import annotations

import json
from typing import Any
from urllib.robotparser import RobotFileParser

import pytest
from django.test import Client

from tests.chat.cast import PASSWORD, Cast

PROFILE = "/api/profile/"


def patch(client: Client, body: object, **extra: Any) -> Any:
    raw = body if isinstance(body, bytes | str) else json.dumps(body)
    return client.patch(PROFILE, raw, content_type="application/json", **extra)


@pytest.mark.parametrize("address", ["/api/profile/", "/api/usage/"])
def test_requests_without_a_login_get_401_in_json(db: None, address: str) -> None:
    response = Client().get(address)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "not_logged_in"
    assert response.json()["error"]["words"]


def test_a_foreign_site_cannot_send_with_the_cookies_of_alice(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.alice)
    response = patch(client, {"display_name": "Mallory"})
    assert response.status_code == 403
    cast.alice.refresh_from_db()
    assert cast.alice.display_name == "Alice"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[1, 2]",
        b'"text"',
        b"null",
        b'{"display_name": NaN}',
        b"\xff\xfe",
        b'{"display_name": "\\ud800"}',
        b'{"display_name": "a\\u0000b"}',
        b'{"\\u0000": 1}',
        b'{"a": [["\\u0000"]]}',
        b"[" * 100_000,
        b'{"a": ' + b"[" * 5_000 + b'"\\u0000"' + b"]" * 5_000 + b"}",
        b'{"a": ' + b"9" * 5_000 + b"}",
        b'{"display_name": "' + b"x" * (1 << 20) + b'"}',
        b'{"display_name": 7}',
        b'{"display_name": null}',
        b'{"language": "tlh"}',
        b'{"language": ["fr"]}',
        b'{"display_name": "' + b"x" * 81 + b'"}',
    ],
)
def test_bad_bodies_are_answered_in_words(cast: Cast, body: bytes) -> None:
    response = patch(cast.client("alice"), body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "bad_input"
    cast.alice.refresh_from_db()
    assert cast.alice.display_name == "Alice"


def test_only_json_counts_as_json(cast: Cast) -> None:
    response = cast.client("alice").patch(PROFILE, '{"display_name": "A"}', content_type="text/plain")
    assert response.status_code == 400


def test_other_methods_are_refused_with_those_allowed(cast: Cast) -> None:
    response = cast.client("alice").delete(PROFILE)
    assert response.status_code == 405
    assert response["Allow"] == "GET, PATCH"
    assert response.json()["error"]["code"] == "bad_method"


def test_private_answers_are_not_kept_by_caches(cast: Cast) -> None:
    assert "no-store" in cast.client("alice").get(PROFILE)["Cache-Control"]


def test_unknown_addresses_answer_json_below_api_and_a_page_elsewhere(cast: Cast) -> None:
    response = cast.client("alice").get("/api/nothing/")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
    page = cast.client("alice").get("/nothing/")
    assert page.status_code == 404
    assert page["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/s/some-token/", True),  # where "noindex" is said
        ("/s/some-token/?page=2", True),
        ("/s/some-token/report/", True),
        ("/static/css/base.css", True),
        ("/", False),
        ("/c/some-conversation/", False),
        ("/accounts/login/", False),
        ("/settings/", False),
        ("/api/conversations/", False),
        ("/admin/", False),
    ],
)
def test_robots_read_shared_pages_and_nothing_else(client: Client, path: str, allowed: bool) -> None:
    rules = RobotFileParser()
    rules.parse(client.get("/robots.txt").content.decode().splitlines())
    assert rules.can_fetch("Googlebot", path) == allowed


@pytest.mark.django_db
def test_a_password_is_enough_to_get_in(cast: Cast) -> None:
    client = Client()
    response = client.post("/accounts/login/", {"login": "ALICE@example.org", "password": PASSWORD})
    assert response.status_code == 302
    assert client.get(PROFILE).json()["email"] == "alice@example.org"
