"""A person's own version of an answer stands beside it, marked wherever it is shown, and costs no tokens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from chat.conversations.branches import current_leaf
from chat.conversations.models import Conversation, Message
from chat.core import storage
from chat.moderation.models import Report, Rule
from chat.quotas.models import UsageEntry
from chat.turns import edited_answers
from chat.turns.models import Generation
from chat.turns.prompts import prompt_of
from inference.base import disk_space
from tests.chat.cast import Cast
from tests.chat.conversations.building import live_reply, say, talk
from tests.chat.turns.exchange import asked, send

MARK = "Edited by the person who asked"
ORIGIN = {"source": "edited", "model": "", "continued": False}


def post(client: Client, address: str, **data: Any) -> Any:
    return client.post(address, json.dumps(data), content_type="application/json")


def edit(client: Client, answer: Any, text: Any) -> Any:
    return post(client, f"/api/messages/{answer}/edits/", text=text)


@pytest.fixture
def kept(cast: Cast) -> Conversation:
    return talk(cast.alice, "A question", "An answer")


def answer_of(kept: Conversation) -> Message:
    return kept.messages.get(text="An answer")


@pytest.mark.django_db
def test_an_edited_answer_is_a_marked_sibling_and_the_open_branch(cast: Cast, kept: Conversation) -> None:
    first = answer_of(kept)
    say(kept, "A further question", "A further answer", under=first)
    made = edit(cast.client("alice"), first.pk, " My own\r\nwords ")
    assert made.status_code == 201
    message = made.json()["message"]
    assert (message["text"], message["status"], message["origin"]) == ("My own\nwords", "complete", ORIGIN)
    assert (message["siblings"], message["generation"]) == ([str(first.pk), message["id"]], None)
    stored = Message.objects.get(pk=message["id"])
    assert (stored.author, stored.parent_id) == (cast.alice, first.parent_id)
    first.refresh_from_db()
    assert first.text == "An answer"
    leaf = current_leaf(cast.alice, kept)
    assert leaf is not None
    assert leaf.pk == stored.pk
    assert kept.messages.count() == 5


@pytest.mark.django_db
def test_later_prompts_have_it_as_the_assistants_words(cast: Cast, kept: Conversation) -> None:
    message = edit(cast.client("alice"), answer_of(kept).pk, "My own words").json()["message"]
    (question,) = say(kept, "And now?", under=Message.objects.get(pk=message["id"]))
    assert [(each["role"], each["content"]) for each in prompt_of(question)] == [
        ("user", "A question"),
        ("assistant", "My own words"),
        ("user", "And now?"),
    ]


@pytest.mark.django_db
def test_it_costs_no_tokens_and_is_found_by_search(cast: Cast, kept: Conversation) -> None:
    edit(cast.client("alice"), answer_of(kept).pk, "Of quokkas alone")
    assert not UsageEntry.objects.exists()
    assert not Generation.objects.exists()
    results = cast.client("alice").get("/api/search/", {"q": "quokkas"}).json()["results"]
    assert [each["message"]["role"] for each in results] == ["assistant"]


@pytest.mark.django_db
def test_every_view_marks_it_as_edited(cast: Cast, kept: Conversation) -> None:
    alice = cast.client("alice")
    message = edit(alice, answer_of(kept).pk, "My own words").json()["message"]
    assert f'<h2 class="author">{MARK}</h2>' in alice.get(f"/c/{kept.pk}/print/").content.decode()
    export = f"/api/conversations/{kept.pk}/export/"
    markdown = alice.get(f"{export}?format=markdown").content.decode()
    assert f"## {MARK}\n\nMy own words" in markdown
    written = alice.get(f"{export}?format=json").json()["messages"]
    assert [each.get("origin") for each in written if each["text"] == "My own words"] == [ORIGIN]
    share = post(alice, f"/api/conversations/{kept.pk}/share/").json()["share"]["url"]
    page = cast.client("anonymous").get(share).content.decode()
    assert page.count(MARK) == 1
    assert "Answers marked as imported or edited were not written by it." in page
    assert post(alice, "/api/reports/", message_id=message["id"], reason="other").status_code == 201
    staff = cast.client("staff")
    reported = staff.get(f"/admin/moderation/report/{Report.objects.get().pk}/change/")
    assert MARK in reported.content.decode()
    private = staff.get(f"/admin/conversations/conversation/{kept.pk}/change/")
    assert "edited by the person who asked" in private.content.decode()
    assert post(alice, f"/api/messages/{message['id']}/feedback/", value=1).status_code == 400


@pytest.mark.django_db
def test_an_export_keeps_the_mark_when_it_is_imported(cast: Cast, kept: Conversation) -> None:
    edit(cast.client("alice"), answer_of(kept).pk, "My own words")
    written = cast.client("alice").get(f"/api/conversations/{kept.pk}/export/?format=json").content
    file = SimpleUploadedFile("one.json", written)
    assert cast.client("bob").post("/api/import/", {"file": file}).status_code == 200
    answers = Message.objects.filter(conversation__owner=cast.bob, role="assistant")
    assert dict(answers.values_list("text", "source")) == {"An answer": "GrokWeb", "My own words": "edited"}


@pytest.mark.django_db
def test_saving_the_same_text_again_opens_its_version(cast: Cast, kept: Conversation) -> None:
    first = answer_of(kept)
    ids = {edit(cast.client("alice"), first.pk, "My own words").json()["message"]["id"] for _ in range(2)}
    assert len(ids) == 1
    assert kept.messages.count() == 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("", 400, "bad_input"),
        (" \n", 400, "bad_input"),
        (7, 400, "bad_input"),
        (None, 400, "bad_input"),
        ("x" * 65_537, 413, "too_long"),
        ("a forbidden word", 422, "refused"),
    ],
)
def test_a_text_that_may_not_stand_is_not_stored(
    cast: Cast, kept: Conversation, text: Any, status: int, code: str
) -> None:
    Rule.objects.create(name="b", options={"pattern": "forbidden"}, applies="reply", words="Not here.")
    refused = edit(cast.client("alice"), answer_of(kept).pk, text)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert kept.messages.count() == 2


@pytest.mark.django_db
def test_only_a_finished_answer_that_is_shown_can_be_edited(cast: Cast, kept: Conversation) -> None:
    alice, first = cast.client("alice"), answer_of(kept)
    assert edit(alice, first.parent_id, "Mine").json()["error"]["code"] == "bad_input"
    Message.objects.filter(pk=first.pk).update(hidden_at=timezone.now())
    assert edit(alice, first.pk, "Mine").json()["error"]["code"] == "bad_input"
    assert edit(alice, live_reply(kept).pk, "Mine").json()["error"]["code"] == "busy"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("who", "status"), [("alice", 201), ("bob", 404), ("staff", 404), ("anonymous", 401)]
)
def test_only_the_owner_may_edit_an_answer(cast: Cast, kept: Conversation, who: str, status: int) -> None:
    assert edit(cast.client(who), answer_of(kept).pk, "Mine").status_code == status


@pytest.mark.django_db
def test_edits_are_throttled(cast: Cast, kept: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edited_answers, "EDITS_AN_HOUR", 1)
    assert edit(cast.client("alice"), answer_of(kept).pk, "One").status_code == 201
    assert edit(cast.client("alice"), answer_of(kept).pk, "Two").status_code == 429


@pytest.mark.django_db(transaction=True)
async def test_other_tabs_get_it_and_a_continuation_keeps_the_mark(
    cast: Cast, tabs: Any, broker: Any
) -> None:
    broker.start_worker()
    tab, other = await tabs("alice"), await tabs("alice")
    ack = await asked(tab, "hello")
    client = await sync_to_async(cast.client)("alice")
    edited = (await sync_to_async(edit)(client, ack["message_id"], "My own words")).json()["message"]
    while (frame := await other.until("message"))["message"]["id"] != edited["id"]:
        pass
    assert frame["message"]["origin"] == ORIGIN
    await tab.say(type="continue", message_id=edited["id"], client_id="more")
    more = await tab.until("ack")
    assert more["messages"][-1]["origin"] == {**ORIGIN, "continued": True}
    await tab.say(**send("next", conversation=ack["conversation"]["id"], parent=edited["id"]))
    assert (await tab.until("ack"))["messages"][0]["parent"] == edited["id"]


@pytest.mark.django_db
def test_no_edit_is_stored_in_the_room_that_answers_need(
    cast: Cast, kept: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "DISKS", disk_space.Disks(storage.DISKS.folders, low=2**60))
    refused = edit(cast.client("alice"), answer_of(kept).pk, "Mine")
    assert (refused.status_code, refused.json()["error"]["code"]) == (507, "storage_full")
    assert kept.messages.count() == 2
