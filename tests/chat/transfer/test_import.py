"""Files of three services come in through the door, whole, once, and as the importer's own."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from chat.conversations.branches import current_leaf
from chat.conversations.lifecycle import delete_conversation
from chat.conversations.models import Conversation, Message
from chat.transfer import scan, services, upload
from tests.chat.cast import Cast
from tests.chat.conversations.building import say, talk
from tests.chat.transfer import files
from tests.chat.transfer.importing import bring, only, report, tree


def test_an_export_of_chatgpt_is_imported(cast: Cast) -> None:
    result = report(bring(cast.client("alice"), files.as_json(files.chatgpt())))
    assert result["left_out"] == []
    (came,) = result["imported"]
    assert (came["title"], came["source"], came["messages"], result["messages"]) == ("Bread", "ChatGPT", 3, 3)
    assert "2 steps of tools were left out." in came["notes"]
    assert "1 thought of the model was left out." in came["notes"]
    assert "1 picture or file was left out." in came["notes"]
    assert len(came["notes"]) == 3  # the empty instruction that every file has is nobody's loss
    found = only(cast)
    assert found.created_at.timestamp() == files.AT
    assert tree(found) == [
        (
            "How long does dough rise?",
            "user",
            "complete",
            [
                ("About an hour.\n\nIn a warm **kitchen**.", "assistant", "complete", []),
                ("A night in the fridge.", "assistant", "complete", []),
            ],
        )
    ]
    leaf = current_leaf(cast.alice, found)
    assert leaf is not None
    assert leaf.text.startswith("About an hour.")
    page = cast.client("alice").get(came["url"])
    assert page.status_code == 200
    assert set(found.messages.exclude(author=None).values_list("author", flat=True)) == {cast.alice.pk}


def test_an_export_of_open_webui_is_imported(cast: Cast) -> None:
    flat = {
        "title": "Flat",
        "chat": {"messages": [{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two"}]},
    }
    result = report(bring(cast.client("alice"), files.as_json(files.openwebui(), flat)))
    assert [each["title"] for each in result["imported"]] == ["Tea", "Flat"]
    assert result["imported"][0]["notes"] == ["1 picture or file was left out."]
    tea, one = (Conversation.objects.get(title=title) for title in ("Tea", "Flat"))
    below = tree(tea)[0]
    assert [each[0] for each in below[3]] == ["Green.", "Black."]
    assert below[3][1][3][0][0] == "Why?"
    assert tea.updated_at.timestamp() == 1_700_000_100
    assert [each[0] for each in tree(one)] == ["One"]
    leaf = current_leaf(cast.alice, tea)
    assert leaf is not None
    assert leaf.text == "Green."


def test_an_export_can_be_imported_again(cast: Cast) -> None:
    was = talk(cast.alice, "Hello “you” 😀", "First", "And?", "Then", title="Own <b>title</b>")
    question = was.messages.get(text="Hello “you” 😀")
    (other,) = say(was, "Second", under=question)
    Message.objects.filter(pk=other.pk).update(status="stopped")
    Conversation.objects.filter(pk=was.pk).update(archived=True)
    was.refresh_from_db()
    sent = cast.client("alice").get(f"/api/conversations/{was.pk}/export/?format=json").content
    result = report(bring(cast.client("bob"), sent))
    came = Conversation.objects.visible_to(cast.bob).get()
    assert tree(came) == tree(was)
    assert (came.title, came.created_at, came.updated_at) == (was.title, was.created_at, was.updated_at)
    assert came.archived
    assert not {m.pk for m in came.messages.all()} & {m.pk for m in was.messages.all()}
    assert [m.created_at for m in came.messages.order_by("created_at")] == [
        m.created_at for m in was.messages.order_by("created_at")
    ]
    leaf = current_leaf(cast.bob, came)
    assert leaf is not None
    assert leaf.text == "Second"
    assert result["imported"][0]["notes"] == []


def test_messages_without_times_keep_the_order_of_the_file_in_time(cast: Cast) -> None:
    file = b"\n".join(
        json.dumps({"role": role, "content": role}).encode() for role in ("user", "assistant") * 2
    )
    report(bring(cast.client("alice"), file, "lines.jsonl"))
    came = Conversation.objects.visible_to(cast.alice).get()
    times = list(came.messages.order_by("created_at").values_list("role", "created_at"))
    assert [role for role, _ in times] == ["user", "assistant", "user", "assistant"]
    assert len({at for _, at in times}) == 4


def test_conversations_imported_twice_are_stored_once(cast: Cast) -> None:
    file = files.as_json(files.chatgpt(), files.openwebui())
    report(bring(cast.client("alice"), file))
    again = report(bring(cast.client("alice"), file))
    assert again["imported"] == []
    assert {each["reason"] for each in again["left_out"]} == {"It is here already, from an earlier import."}
    assert len(report(bring(cast.client("bob"), file))["imported"]) == 2  # bob's is bob's
    delete_conversation(conversation=Conversation.objects.visible_to(cast.alice).get(title="Tea"))
    result = report(bring(cast.client("alice"), file))
    assert [each["title"] for each in result["imported"]] == ["Tea"]


def test_a_zip_of_chatgpt_with_all_it_holds(cast: Cast) -> None:
    content = files.zipped(
        {
            "user.json": b'{"id": "somebody-else", "email": "x@example.org"}',
            "conversations.json": files.as_json(files.chatgpt()),
            "chat.html": b"<script>alert(1)</script>",
            "file-abc.png": b"\x89PNG",
        }
    )
    result = report(bring(cast.client("alice"), content, "export.zip"))
    assert [each["title"] for each in result["imported"]] == ["Bread"]
    assert result["left_out"] == []


def test_the_page_of_an_imported_title_shows_it_as_text(cast: Cast) -> None:
    hostile = files.own(
        files.said(text="<img src=x onerror=alert(1)>"), title="\u202e<script>\u200b\ud800 x\n y"
    )
    result = report(bring(cast.client("alice"), files.as_json(hostile)))
    assert result["imported"][0]["title"] == "<script>� x y"
    assert b"<img src=x" not in cast.client("alice").get(result["imported"][0]["url"]).content


def test_implausible_times_are_ignored(cast: Cast) -> None:
    for number, at in enumerate([10**400, -1, 1e308, "yesterday", [], True, "9999-12-31T00:00:00Z"]):
        one = files.own(
            files.said(text=str(number), created_at=at), created_at=at, updated_at=at, title=str(number)
        )
        result = report(bring(cast.client("alice"), files.as_json(one)))
        assert len(result["imported"]) == 1, result
    assert {each.created_at.year for each in Conversation.objects.all()} <= {
        2025,
        2026,
        2027,
        2028,
        2029,
        2030,
    }


@pytest.mark.parametrize(("who", "status"), [("alice", 200), ("anonymous", 401)])
def test_only_people_who_are_logged_in_import(cast: Cast, who: str, status: int) -> None:
    assert bring(cast.client(who), files.as_json(files.chatgpt())).status_code == status


def test_it_is_a_form_with_one_file_and_a_token(cast: Cast) -> None:
    client = cast.client("alice")
    assert client.post("/api/import/", json.dumps({}), content_type="application/json").status_code == 400
    two = {"file": SimpleUploadedFile("a.json", b"[]"), "more": SimpleUploadedFile("b.json", b"[]")}
    assert client.post("/api/import/", two).status_code == 400
    assert client.get("/api/import/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.alice)
    assert bring(strict, b"[]").status_code == 403


def test_one_import_at_a_time(cast: Cast) -> None:
    with services._one_at_a_time(cast.alice):
        assert bring(cast.client("alice"), files.as_json(files.chatgpt())).status_code == 429
        assert bring(cast.client("bob"), files.as_json(files.chatgpt())).status_code == 200
    assert bring(cast.client("alice"), files.as_json(files.chatgpt())).status_code == 200


def test_imports_are_limited(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.transfer.api.IMPORTS_AN_HOUR", 1)
    bring(cast.client("alice"), files.as_json(files.chatgpt()))
    assert bring(cast.client("alice"), files.as_json(files.chatgpt())).status_code == 429


def test_an_import_out_of_time_is_completed_with_the_same_file(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = files.as_json(files.chatgpt(), files.openwebui())
    monkeypatch.setattr(services, "SECONDS", 0.0)
    result = report(bring(cast.client("alice"), file))
    assert result["imported"] == []
    assert "before 2 conversations" in result["left_out"][0]["reason"]
    monkeypatch.undo()
    assert len(report(bring(cast.client("alice"), file))["imported"]) == 2


def test_bounds_of_one_import(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    file = files.as_json(files.chatgpt(), files.openwebui())
    monkeypatch.setattr(services, "MESSAGES_IN_ALL", 4)
    result = report(bring(cast.client("alice"), file))
    assert [each["title"] for each in result["imported"]] == ["Bread"]
    assert result["left_out"] == [{"title": "Tea", "reason": "There are too many messages for one import."}]
    monkeypatch.setattr(upload, "RECORDS", 1)
    assert bring(cast.client("alice"), file).status_code == 400
    monkeypatch.undo()
    monkeypatch.setattr(scan, "VALUES", 20)
    result = report(bring(cast.client("alice"), file))
    assert {each["reason"] for each in result["left_out"]} == {
        "This conversation is too large: at most 20 values are read."
    }
