"""Errors of pages: right status, words in the reader's language, and a broken page that needs nothing."""

from __future__ import annotations

import pytest
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from pytest_django import Settings
from redis.exceptions import ConnectionError as RedisDown

from chat.core import throttling, views
from chat.core.errors import BadInput, NotFound, QueueFull, QuotaExceeded, TooManyRequests
from chat.core.text import one_line
from grokweb import urls as real


def fail(request: HttpRequest, kind: str) -> HttpResponse:
    raise {
        "missing": NotFound(),
        "bad": BadInput("Not like this <b>."),
        "quota": QuotaExceeded(used=990, limit=1000, retry_after=77),
        "full": QueueFull(waiting=200, retry_after=15),
        "bug": ZeroDivisionError("a bug"),
        "redis": RedisDown("away"),
    }[kind]


urlpatterns = [*real.urlpatterns, path("fail/<kind>/", fail), path("api/fail/<kind>/", fail)]
handler404, handler403, handler500 = real.handler404, real.handler403, real.handler500


@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize(
    ("kind", "status"), [("missing", 404), ("bad", 400), ("quota", 429), ("full", 429), ("redis", 503)]
)
def test_a_chat_error_becomes_a_page_or_json(db: None, client: Client, kind: str, status: int) -> None:
    page = client.get(f"/fail/{kind}/")
    assert page.status_code == status
    assert page["Content-Type"].startswith("text/html")
    answer = client.get(f"/api/fail/{kind}/")
    assert answer.status_code == status
    assert answer.json()["error"]["words"]


@override_settings(ROOT_URLCONF=__name__)
def test_words_are_escaped_and_numbers_travel(db: None, client: Client) -> None:
    page = client.get("/fail/bad/").content.decode()
    assert "Not like this &lt;b&gt;." in page
    answer = client.get("/api/fail/quota/")
    assert answer["Retry-After"] == client.get("/fail/quota/")["Retry-After"] == "77"
    assert answer.json()["error"] == {
        "code": "quota_exceeded",
        "words": "You have used 990 of your 1,000 tokens today. The count starts again at midnight UTC.",
        "used": 990,
        "limit": 1000,
        "retry_after": 77,
    }


@override_settings(ROOT_URLCONF=__name__)
def test_a_full_queue_says_when_to_come_back(db: None, client: Client) -> None:
    answer = client.get("/api/fail/full/")
    assert (answer.status_code, answer["Retry-After"]) == (429, "15")
    assert answer.json()["error"]["code"] == "queue_full"
    assert answer.json()["error"]["retry_after"] == 15


@override_settings(ROOT_URLCONF=__name__)
def test_a_forbidden_thing_looks_like_an_address_that_never_was(db: None) -> None:
    client = Client(headers={"accept-language": "en"})

    def look(address: str) -> str:
        body = client.get(address).content.decode()
        return "".join(line for line in body.splitlines() if "nonce" not in line and "csrf" not in line)

    assert look("/fail/missing/") == look("/nothing/at/all/").replace("/nothing/at/all/", "/fail/missing/")


@override_settings(ROOT_URLCONF=__name__)
def test_a_bug_is_answered_without_the_database(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """No `db` fixture: any query here would be an error of its own."""
    client.raise_request_exception = False
    page = client.get("/fail/bug/")
    assert page.status_code == 500
    assert "a bug" not in page.content.decode()
    answer = client.get("/api/fail/bug/")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "broken"
    assert "ZeroDivisionError" in caplog.text


def test_forbidden_and_csrf_answer_json_below_api(db: None) -> None:
    request = RequestFactory().get("/api/x/")
    assert views.forbidden(request).status_code == 403
    assert views.csrf_failed(request).headers["Content-Type"] == "application/json"


def test_a_limit_refuses_the_next_one_and_says_when_to_come_back() -> None:
    for _ in range(3):
        throttling.throttle("sample", "alice", 3, 1000)
    with pytest.raises(TooManyRequests) as refused:
        throttling.throttle("sample", "alice", 3, 1000)
    assert 1 <= refused.value.extra["retry_after"] <= 1000
    throttling.throttle("sample", "bob", 3, 1000)
    throttling.throttle("other", "alice", 3, 1000)


def test_without_redis_people_are_not_locked_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down(*args: object, **kwargs: object) -> None:
        raise RedisDown

    monkeypatch.setattr(type(caches["default"]), "add", down)
    throttling.throttle("sample", "alice", 0, 60)
    assert "not counted" in caplog.text


@pytest.mark.parametrize(
    ("behind", "forwarded", "address"),
    [
        (False, "1.2.3.4", "127.0.0.1"),  # anybody can write this header
        (True, "6.6.6.6, 1.2.3.4", "1.2.3.4"),  # the nearest proxy appended the last one
        (True, "", "127.0.0.1"),
    ],
)
def test_the_forwarded_address_counts_only_behind_a_proxy(
    settings: Settings, behind: bool, forwarded: str, address: str
) -> None:
    settings.BEHIND_PROXY = behind
    request = RequestFactory().get("/", headers={"x-forwarded-for": forwarded})
    assert throttling.client_address(request) == address


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("  two   words \n", "two words"),
        ("a\x00b\x1b[31m", "a b [31m"),
        ("pay\u202egpj.exe", "paygpj.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("turn\u061ced", "turned"),
        ("fil\u3164led\u115f\u1160\uffa0", "filled"),
        ("half\u00ad-\u034f\u180ea\ufff9word", "half-aword"),
        ("❤\ufe0f نمی\u200cخواهم", "❤\ufe0f نمی\u200cخواهم"),
        ("👩\u200d🚀 fly", "👩\u200d🚀 fly"),
        ("e\u0301", "\u00e9"),
    ],
)
def test_names_hold_nothing_invisible(raw: str, clean: str) -> None:
    assert one_line(raw) == clean
