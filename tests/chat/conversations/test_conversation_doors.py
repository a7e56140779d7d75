"""Tests who may open a conversation's pages and endpoints, and the answers to bad requests."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from chat.conversations.access import conversation_for, message_for
from chat.core.errors import NotFound
from tests.chat.cast import Cast
from tests.chat.conversations.building import say, talk

UNKNOWN = "5e0ae0f8-9a3c-4a52-8a0f-6f1d1a3c9e77"  # an id that nothing has

pytestmark = pytest.mark.django_db

DOORS = [
    ("get", "/api/conversations/{}/", 200),
    ("get", "/api/conversations/{}/messages/", 200),
    ("patch", "/api/conversations/{}/", 200),
    ("post", "/api/conversations/{}/share/", 201),
    ("delete", "/api/conversations/{}/", 204),
]


def call(client: Client, method: str, address: str, body: Any = None) -> Any:
    if method in ("get", "delete"):
        return getattr(client, method)(address)
    data = json.dumps({"title": "New"} if body is None else body)
    return getattr(client, method)(address, data, content_type="application/json")


@pytest.mark.parametrize(("method", "address", "status"), DOORS)
@pytest.mark.parametrize("who", ["alice", "bob", "stranger", "staff", "moderator", "anonymous"])
def test_json_doors_of_a_conversation_open_for_its_owner_only(
    cast: Cast, method: str, address: str, status: Any, who: str
) -> None:
    conversation = talk(cast.alice, "Hi", "Hello")
    answer = call(cast.client(who), method, address.format(conversation.pk))
    if who == "alice":
        assert answer.status_code == status
        return
    expected, code = (401, "not_logged_in") if who == "anonymous" else (404, "not_found")
    assert (answer.status_code, answer.json()["error"]["code"]) == (expected, code)
    conversation.refresh_from_db()
    assert (conversation.title, conversation.deleted_at) == ("A talk", None)
    assert not conversation.shares.exists()


@pytest.mark.parametrize(("method", "address", "status"), DOORS)
def test_foreign_unknown_and_deleted_answer_alike(cast: Cast, method: str, address: str, status: Any) -> None:
    foreign, deleted = talk(cast.alice, "Hi", "Hello"), talk(cast.bob, "Hi", "Hello")
    client = cast.client("bob")
    call(client, "delete", f"/api/conversations/{deleted.pk}/")
    answers = [call(client, method, address.format(pk)).content for pk in (foreign.pk, uuid4(), deleted.pk)]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(
    ("who", "status"), [("alice", 200), ("bob", 404), ("staff", 404), ("anonymous", 302)]
)
def test_only_the_owner_opens_the_page(cast: Cast, who: str, status: int) -> None:
    conversation = talk(cast.alice, "Hi", "A secret answer")
    answer = cast.client(who).get(conversation.get_absolute_url())
    assert answer.status_code == status
    assert ("A secret answer" in answer.content.decode()) == (who == "alice")


@pytest.mark.parametrize("bad", ["x", "1", "0" * 36, "..", "%00", UNKNOWN.upper() + "0"])
def test_ids_that_are_none(cast: Cast, bad: str) -> None:
    client = cast.client("alice")
    for address in (f"/api/conversations/{bad}/", f"/api/conversations/{bad}/messages/", f"/c/{bad}/"):
        assert client.get(address).status_code == 404


@pytest.mark.parametrize("bad", ["", "x", "'", "\x00", UNKNOWN])
def test_before_must_name_a_message(cast: Cast, bad: Any) -> None:
    conversation = talk(cast.alice, "Hi", "Hello")
    answer = cast.client("alice").get(f"/api/conversations/{conversation.pk}/messages/", {"before": bad})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_before_cannot_name_a_message_of_another_conversation(cast: Cast) -> None:
    mine, other, bobs = talk(cast.alice, "Hi"), talk(cast.alice, "Ho"), talk(cast.bob, "Hu")
    for elsewhere in (other, bobs):
        before = elsewhere.messages.get().pk
        answer = cast.client("alice").get(f"/api/conversations/{mine.pk}/messages/", {"before": str(before)})
        assert answer.status_code == 404


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', "null", '{"title": NaN}', "\xff", "[" * 100_000])
def test_bodies_that_are_no_object(cast: Cast, body: str) -> None:
    conversation = talk(cast.alice, "Hi")
    address = f"/api/conversations/{conversation.pk}/"
    answer = cast.client("alice").patch(address, body, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_input")


@pytest.mark.parametrize("title", [None, 1, True, ["x"], {"x": 1}, "", "  \n ", "\u202e\u200b", "x" * 121])
def test_titles_that_are_none(
    cast: Cast, title: bool | dict[str, Any] | int | list[str] | str | None
) -> None:
    conversation = talk(cast.alice, "Hi")
    answer = call(cast.client("alice"), "patch", f"/api/conversations/{conversation.pk}/", {"title": title})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_input")
    conversation.refresh_from_db()
    assert conversation.title == "A talk"


def test_an_over_long_title_hears_the_numbers(cast: Cast) -> None:
    conversation = talk(cast.alice, "Hi")
    answer = call(
        cast.client("alice"), "patch", f"/api/conversations/{conversation.pk}/", {"title": "x" * 121}
    )
    words = answer.json()["error"]["words"]
    assert "120" in words
    assert "121" in words


@pytest.mark.parametrize("method", ["put", "post"])
def test_methods_that_do_nothing(cast: Cast, method: str) -> None:
    conversation = talk(cast.alice, "Hi")
    answer = call(cast.client("alice"), method, f"/api/conversations/{conversation.pk}/")
    assert answer.status_code == 405
    assert set(answer["Allow"].replace(" ", "").split(",")) == {"GET", "PATCH", "DELETE"}


def test_csrf_is_kept(cast: Cast) -> None:
    from django.test import Client

    conversation = talk(cast.alice, "Hi")
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.alice, backend="django.contrib.auth.backends.ModelBackend")
    for method in ("patch", "delete"):
        assert call(client, method, f"/api/conversations/{conversation.pk}/").status_code == 403
    assert call(client, "post", "/api/conversations/").status_code == 403


def test_access_functions_find_objects_for_their_owner_only(cast: Cast) -> None:
    from django.contrib.auth.models import AnonymousUser

    conversation = talk(cast.alice, "Hi")
    message = conversation.messages.get()
    assert conversation_for(cast.alice, str(conversation.pk)) == conversation
    assert message_for(cast.alice, str(message.pk)) == message
    for who in (cast.bob, cast.staff, AnonymousUser()):
        with pytest.raises(NotFound):
            conversation_for(who, conversation.pk)
        with pytest.raises(NotFound):
            message_for(who, message.pk)
    odd: tuple[Any, ...] = ("", "x", None, 7, ["a"], str(uuid4()))
    for bad in odd:
        with pytest.raises(NotFound):
            conversation_for(cast.alice, bad)
        with pytest.raises(NotFound):
            message_for(cast.alice, bad)


def test_browsers_store_no_private_pages_and_json(cast: Cast) -> None:
    conversation = talk(cast.alice, "Hi")
    client = cast.client("alice")
    for address in ("/", conversation.get_absolute_url(), f"/api/conversations/{conversation.pk}/"):
        assert "no-store" in client.get(address)["Cache-Control"]


def test_a_hidden_message_travels_without_its_words(cast: Cast) -> None:
    from django.utils import timezone

    conversation = talk(cast.alice, "Hi", "Words to hide")
    conversation.messages.filter(text="Words to hide").update(hidden_at=timezone.now())
    client = cast.client("alice")
    shown = client.get(f"/api/conversations/{conversation.pk}/messages/").json()["messages"]
    assert [(m["text"], m["hidden"]) for m in shown] == [("Hi", False), ("", True)]
    assert "Words to hide" not in client.get(conversation.get_absolute_url()).content.decode()


def test_script_in_a_message_stays_data_on_the_page(cast: Cast) -> None:
    conversation = talk(cast.alice, "Hi")
    say(conversation, "</script><script>alert(1)</script>", under=conversation.messages.get())
    page = cast.client("alice").get(conversation.get_absolute_url()).content.decode()
    assert "<script>alert(1)" not in page
