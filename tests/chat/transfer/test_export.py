"""Conversations leave as files: their owner's alone, under safe names, without what moderation hid."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import pytest
from django.core.signals import request_finished
from django.test import AsyncClient
from django.utils import timezone

from chat.conversations.branches import set_leaf
from chat.conversations.lifecycle import delete_conversation
from chat.conversations.models import Conversation, Message
from chat.transfer.export import safe_name
from tests.chat.cast import Cast
from tests.chat.conversations.building import live_reply, long_talk, say, talk
from tests.chat.transfer.importing import bring, report, whole


def test_json_has_the_whole_tree(cast: Cast) -> None:
    made = talk(cast.alice, "Hello", "First")
    question = made.messages.get(text="Hello")
    (other,) = say(made, "Second", under=question)
    answer = cast.client("alice").get(f"/api/conversations/{made.pk}/export/?format=json")
    assert answer["Content-Type"].startswith("application/json")
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Content-Disposition"] == 'attachment; filename="A talk.json"'
    result = json.loads(answer.content)
    assert (result["format"], result["version"], result["title"]) == ("grokweb.conversation", 1, "A talk")
    assert result["model"] == {"slug": "scripted", "name": "Scripted"}
    assert result["leaf"] == str(other.pk)
    said = {each["text"]: each for each in result["messages"]}
    assert said["First"]["parent"] == said["Second"]["parent"] == said["Hello"]["id"]
    assert said["Second"]["role"] == "assistant"
    assert "alice" not in answer.content.decode()


@pytest.mark.parametrize("form", ["json", "markdown"])
def test_a_long_one_takes_no_more_questions_to_the_database(
    cast: Cast, form: str, django_assert_max_num_queries: Any
) -> None:
    client = cast.client("alice")
    for length in (4, 400):
        made, _ = long_talk(cast.alice, length)
        with django_assert_max_num_queries(25):
            client.get(f"/api/conversations/{made.pk}/export/?format={form}")


def test_markdown_is_the_branch_one_has_open(cast: Cast) -> None:
    made = talk(cast.alice, "Hello", "First")
    say(made, "**Second**", under=made.messages.get(text="Hello"))
    answer = cast.client("alice").get(f"/api/conversations/{made.pk}/export/?format=markdown")
    text = answer.content.decode()
    assert answer["Content-Disposition"].endswith('"A talk.md"')
    assert text.startswith("# A talk\n\n*Scripted · ")
    assert text.endswith("## You\n\nHello\n\n## Scripted\n\n**Second**\n")
    assert "First" not in text


@pytest.mark.parametrize("path", ["/api/conversations/{}/export/", "/c/{}/print/"])
@pytest.mark.parametrize(("who", "statuses"), [("alice", {200}), ("bob", {404}), ("anonymous", {302, 401})])
def test_only_the_owner_exports_a_conversation(cast: Cast, path: str, who: str, statuses: set[int]) -> None:
    made = talk(cast.alice, "Hello", "First")
    assert cast.client(who).get(path.format(made.pk)).status_code in statuses
    delete_conversation(conversation=made)
    assert cast.client(who).get(path.format(made.pk)).status_code != 200


def test_hidden_and_unfinished_messages_are_exported_without_text(cast: Cast) -> None:
    made = talk(cast.alice, "Hello", "a secret")
    Message.objects.filter(text="a secret").update(hidden_at=timezone.now())
    live_reply(made, "And?")
    for path in ("export/?format=json", "export/?format=markdown"):
        answer = cast.client("alice").get(f"/api/conversations/{made.pk}/{path}")
        assert answer.status_code == 200
        assert b"secret" not in answer.content
    result = report(
        bring(cast.client("bob"), cast.client("alice").get(f"/api/conversations/{made.pk}/export/").content)
    )
    assert result["imported"][0]["notes"] == ["1 hidden message was left out."]
    assert set(Message.objects.filter(conversation__owner=cast.bob).values_list("status", flat=True)) == {
        "complete",
        "stopped",
    }
    set_leaf(cast.alice, Message.objects.get(text="a secret"))
    page = cast.client("alice").get(f"/c/{made.pk}/print/").content.decode()
    assert "secret" not in page
    assert "A moderator removed this message." in page


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("../../etc/passwd", "etc passwd"),
        ('a\\b:c*d?e"f<g>h|i', "a b c d e f g h i"),
        ("CON", "conversation"),
        ("nul.txt", "conversation"),
        (".hidden", "hidden"),
        ("-rf $(x) `y`", "rf (x) y"),
        ("", "conversation"),
        ("été 😀", "été 😀"),
        ("x" * 120, "x" * 60),
    ],
)
def test_names_of_files_are_safe(cast: Cast, title: str, name: str) -> None:
    made = talk(cast.alice, "Hello", title=title)
    found = safe_name(made)
    assert found == name or (name == "conversation" and found.startswith("conversation "))
    answer = cast.client("alice").get(f"/api/conversations/{made.pk}/export/")
    assert answer["Content-Disposition"].startswith("attachment; filename")


def test_another_format_is_refused(cast: Cast) -> None:
    made = talk(cast.alice, "Hello")
    assert cast.client("alice").get(f"/api/conversations/{made.pk}/export/?format=exe").status_code == 400


def test_the_print_view_needs_no_script(cast: Cast) -> None:
    made = talk(cast.alice, "<script>alert(1)</script>", "**bold** <img src=x onerror=alert(1)>")
    answer = cast.client("alice").get(f"/c/{made.pk}/print/")
    page = answer.content.decode()
    assert answer["Cache-Control"] == "private, no-store" or "no-store" in answer["Cache-Control"]
    assert "<strong>bold</strong>" in page
    assert "<script>alert" not in page
    assert "<img" not in page


def test_a_very_long_conversation_prints_its_newest_messages(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.transfer.views.PRINTED", 20)
    made, _ = long_talk(cast.alice, 50)
    page = cast.client("alice").get(f"/c/{made.pk}/print/").content.decode()
    assert "m49" in page
    assert "m30" in page
    assert "m29" not in page
    assert "20" in page


def test_the_zip_of_everything_can_be_imported_again(cast: Cast) -> None:
    talk(cast.alice, "Hello", "First", title="One/two")
    talk(cast.alice, "Salut", "Deux", title="One/two")
    delete_conversation(conversation=talk(cast.alice, "gone", title="Gone"))
    talk(cast.bob, "of bob")
    answer = cast.client("alice").get("/api/export/")
    assert answer["Content-Type"] == "application/zip"
    assert answer["Cache-Control"] == "private, no-store"
    content = answer.getvalue()
    found = whole(content)
    assert sorted(found) == [
        "account.json",
        "json/00001 One two.json",
        "json/00002 One two.json",
        "markdown/00001 One two.md",
        "markdown/00002 One two.md",
    ]
    result = report(bring(cast.client("bob"), content, "all.zip"))
    assert len(result["imported"]) == 2
    assert result["left_out"] == []
    assert Conversation.objects.visible_to(cast.bob).filter(title="One/two").count() == 2


@pytest.mark.django_db(transaction=True)
async def test_everything_is_sent_in_pieces(cast: Any) -> None:
    """Reads the response as the web process sends it."""
    from asgiref.sync import sync_to_async

    for number in range(3):
        await sync_to_async(talk)(cast.alice, f"Hello {number}", title=f"Talk {number}")
    client = AsyncClient()
    await client.aforce_login(cast.alice)
    answer: Any = await client.get("/api/export/")
    assert answer.is_async
    pieces = [piece async for piece in answer.streaming_content]
    assert len(pieces) == 5  # the account, one a conversation, and the directory
    assert len(whole(b"".join(pieces))) == 7


def test_exports_are_limited(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.transfer.api.WHOLE_EXPORTS_AN_HOUR", 0)
    assert cast.client("alice").get("/api/export/").status_code == 429
    assert cast.client("anonymous").get("/api/export/").status_code == 401


def leave(answer: Any) -> None:
    """Its reader leaves in the middle. The connection to the database is the test's own, so it stays."""
    next(answer.streaming_content)
    with mock.patch.object(request_finished, "send"):
        answer.close()


@pytest.mark.parametrize("path", ["/api/export/", "/api/conversations/{}/export/?format=json"])
def test_one_export_at_a_time_for_each_person(cast: Cast, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr("chat.transfer.export.PIECE_CHARS", 100)
    made, _ = long_talk(cast.alice, 50)
    bobs, _ = long_talk(cast.bob, 50)
    alice = cast.client("alice")
    sending = alice.get(path.format(made.pk))
    assert sending.streaming
    refused = alice.get(path.format(made.pk))
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many")
    assert int(refused["Retry-After"]) > 0
    assert cast.client("bob").get(path.format(bobs.pk)).status_code == 200  # others are not in the way
    assert b"m49" in sending.getvalue() or path == "/api/export/"
    again = alice.get(path.format(made.pk))
    assert again.status_code == 200
    leave(again)
    assert alice.get(path.format(made.pk)).status_code == 200


def test_a_long_export_is_the_same_in_pieces(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    made, messages = long_talk(cast.alice, 450)
    client = cast.client("alice")
    whole_told: dict[str, str] = {}
    for pieces in (False, True):
        if pieces:
            monkeypatch.setattr("chat.transfer.export.PIECE_CHARS", 1000)
            monkeypatch.setattr("chat.transfer.export.AT_ONCE", 7)
        for form in ("json", "markdown"):
            answer = client.get(f"/api/conversations/{made.pk}/export/?format={form}")
            text = answer.getvalue().decode()
            assert whole_told.setdefault(form, text) == text
    result = json.loads(whole_told["json"])
    assert {each["text"] for each in result["messages"]} == {message.text for message in messages}
