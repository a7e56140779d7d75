"""Files in messages: who may send which, what the model reads, how they go, what shares and exports tell."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.accounts.models import User
from chat.conversations.branches import delete_branch
from chat.conversations.lifecycle import delete_conversation
from chat.conversations.models import Conversation, Message
from chat.conversations.purge import purge_deleted
from chat.core.errors import BadInput, ChatError, MessageTooLong, NotFound, RefusedByRule, TooLong
from chat.core.size_limits import MESSAGE_CHARS
from chat.core.sizes import model_chars
from chat.files import attaching, deleting, file_storage, imported_files, read_jobs
from chat.files.models import File
from chat.model_cards.models import ModelCard
from chat.moderation.models import Rule
from chat.turns import submission
from chat.turns.frames import BadFrame, parse
from chat.turns.models import Generation
from chat.turns.prompts import prompt_of
from chat.turns.question import Question
from chat.turns.requests import request_for
from chat.turns.starting import send
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk

pytestmark = pytest.mark.django_db


def make(owner: User, name: str = "notes.txt", text: str = "milk and eggs", state: str = "ready") -> File:
    file = imported_files.of_text(owner=owner, name=name, text=text)
    file.state = state
    file.stored = file_storage.storage().save(f"aa/{file.pk.hex}", ContentFile(text.encode()))
    file.save()
    return file


def ask(user: User, *files: File, text: str = "What is in it?", **where: Any) -> Message:
    turn = send(
        user=user,
        conversation_id=where.get("conversation"),
        parent_id=where.get("parent"),
        question=Question(text, [file.pk for file in files]),
        client_id=uuid4().hex,
    )
    return turn.messages[0]


def settle(message: Message, text: str = "Food.") -> Message:
    """The answer to a message, as if a worker had written it."""
    answer = message.children.get()
    Generation.objects.filter(message=answer).update(status="complete", prompt_tokens=40, completion_tokens=2)
    Message.objects.filter(pk=answer.pk).update(status="complete", text=text)
    return answer


@pytest.fixture(autouse=True)
def _nothing_is_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "submit", lambda request: None)


def test_the_model_reads_the_file_before_the_words_and_the_message_keeps_the_words(cast: Cast) -> None:
    asked = ask(cast.alice, make(cast.alice), make(cast.alice, "b.md", "```\ncode\n```"))
    assert asked.text == "What is in it?"
    assert prompt_of(asked) == [
        {
            "role": "user",
            "content": "File: notes.txt\n```\nmilk and eggs\n```\n\n"
            "File: b.md\n````\n```\ncode\n```\n````\n\nWhat is in it?",
        }
    ]
    request = request_for(asked.children.get().steps.get())
    assert "milk and eggs" in request.messages[0]["content"]


def test_files_of_the_whole_branch_take_two_queries(cast: Cast) -> None:
    asked = ask(cast.alice, make(cast.alice))
    for _ in range(2):
        last = settle(asked).pk
        asked = ask(cast.alice, make(cast.alice), conversation=asked.conversation_id, parent=last)
    with CaptureQueriesContext(connection) as queries:
        prompt = prompt_of(asked)
    assert sum("milk" in each["content"] for each in prompt) == 3
    assert len(queries) == 5  # two of the branch, one of its summaries, two of files


@pytest.mark.parametrize("whose", ["bob", "nobody", "elsewhere", "twice"])
def test_only_own_files_that_went_nowhere_else_are_sent(cast: Cast, whose: str) -> None:
    file = make(cast.bob if whose == "bob" else cast.alice)
    files = [file]
    if whose == "nobody":
        file.pk = uuid4()
    if whose == "elsewhere":
        ask(cast.alice, file)
    if whose == "twice":
        files = [file, file]
    before = Message.objects.count()
    with pytest.raises(NotFound):
        ask(cast.alice, *files)
    assert Message.objects.count() == before


@pytest.mark.parametrize("state", ["reading", "failed"])
def test_a_file_that_is_not_read_is_not_sent(cast: Cast, state: str) -> None:
    with pytest.raises(BadInput, match="notes.txt"):
        ask(cast.alice, make(cast.alice, state=state))
    assert not Conversation.objects.exists()


def frame(**fields: object) -> str:
    return json.dumps({"type": "send", "client_id": "a", **fields})


@pytest.mark.parametrize("ids", ["x", 3, ["x"], [3], [None], {"id": 1}])
def test_a_frame_names_files_by_a_list_of_ids(ids: object) -> None:
    with pytest.raises(BadFrame, match="`files` is not"):
        parse(frame(files=ids))


def test_a_frame_needs_no_files() -> None:
    assert parse(frame()) == parse(frame(files=None))


def test_a_message_has_at_most_ten_files(cast: Cast) -> None:
    with pytest.raises(BadInput, match="at most 10 files"):
        ask(cast.alice, *[make(cast.alice, f"{n}.txt") for n in range(11)])


def test_files_count_against_the_length(cast: Cast, model_card: ModelCard) -> None:
    limit = model_chars(model_card.context_tokens)
    with pytest.raises(TooLong, match="Your message and its files"):
        ask(cast.alice, make(cast.alice, text="x" * limit))
    assert not Message.objects.exists()


def test_a_message_has_one_limit_whatever_the_model_reads(cast: Cast, model_card: ModelCard) -> None:
    ModelCard.objects.filter(pk=model_card.pk).update(context_tokens=131_072)
    page = cast.client("alice").get("/").context["page"]
    assert page["max_chars"] == page["models"][0]["message_chars"] == MESSAGE_CHARS
    with pytest.raises(MessageTooLong, match="has 65,537 characters; a message may have at most 65,536"):
        ask(cast.alice, text="x" * (MESSAGE_CHARS + 1))
    ask(cast.alice, text="x" * MESSAGE_CHARS)
    assert Message.objects.filter(role="user").count() == 1


def test_rules_read_files_too(cast: Cast) -> None:
    Rule.objects.create(name="no eggs", kind="pattern", options={"pattern": "eggs"})
    with pytest.raises(RefusedByRule):
        ask(cast.alice, make(cast.alice))


def test_an_edit_keeps_its_files_and_another_conversation_cannot_take_them(cast: Cast) -> None:
    file = make(cast.alice)
    first = ask(cast.alice, file)
    settle(first)
    second = ask(cast.alice, file, text="And now?", conversation=first.conversation_id)
    assert "milk" in prompt_of(second)[0]["content"]
    assert File.objects.get().attachments.count() == 2
    with pytest.raises(ChatError):
        ask(cast.alice, file)


def test_a_file_of_several_versions_is_opened(cast: Cast) -> None:
    file = make(cast.alice)
    for text in ("one", "two", "three"):
        attaching.attach(talk(cast.alice, text).messages.get(), [file])
    answer = cast.client("alice").get(f"/api/files/{file.pk}/text/")
    assert (answer.status_code, answer.json()["text"]) == (200, "milk and eggs")
    assert cast.client("bob").get(f"/api/files/{file.pk}/text/").status_code == 404


def test_messages_list_their_files_unless_they_are_hidden(cast: Cast) -> None:
    asked = ask(cast.alice, make(cast.alice))
    address = f"/api/conversations/{asked.conversation_id}/messages/"
    (file,) = cast.client("alice").get(address).json()["messages"][0]["files"]
    assert (file["name"], file["size"], file["state"], "text" in file) == ("notes.txt", 13, "ready", False)
    Message.objects.filter(pk=asked.pk).update(hidden_at=timezone.now())
    assert cast.client("alice").get(address).json()["messages"][0]["files"] == []
    assert cast.client("alice").get(f"/api/files/{file['id']}/text/").status_code == 404


def test_a_deleted_conversation_closes_the_door_to_its_files(cast: Cast) -> None:
    file = make(cast.alice)
    asked = ask(cast.alice, file)
    delete_conversation(conversation=asked.conversation)
    assert cast.client("alice").get(f"/api/files/{file.pk}/").status_code == 404


@pytest.mark.parametrize("how", ["branch", "purge", "account"])
def test_files_go_with_what_carried_them(
    cast: Cast, how: str, django_capture_on_commit_callbacks: Any
) -> None:
    file, other = make(cast.alice), make(cast.alice, "other.txt")
    asked = ask(cast.alice, file)
    settle(asked)
    with django_capture_on_commit_callbacks(execute=True):
        if how == "branch":
            delete_branch(asked)
        elif how == "account":
            cast.alice.delete()
        else:
            Conversation.objects.update(deleted_at=timezone.now() - timedelta(hours=1))
            purge_deleted()
    assert not File.objects.filter(pk=file.pk).exists()
    assert not file_storage.storage().exists(file.stored)
    assert File.objects.filter(pk=other.pk).exists() is (how != "account")


def test_a_file_stays_while_another_version_has_it(
    cast: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    file = make(cast.alice)
    first = ask(cast.alice, file)
    settle(first)
    second = ask(cast.alice, file, text="And now?", conversation=first.conversation_id)
    settle(second)
    with django_capture_on_commit_callbacks(execute=True):
        delete_branch(second)
    assert File.objects.filter(pk=file.pk).exists()
    assert file_storage.storage().exists(file.stored)


def test_a_sent_file_is_not_taken_back(cast: Cast) -> None:
    file = make(cast.alice)
    ask(cast.alice, file)
    answer = cast.client("alice").delete(f"/api/files/{file.pk}/")
    assert answer.status_code == 400
    assert File.objects.exists()


def test_the_sweep_deletes_what_is_forgotten_and_asks_again_for_lost_readings(
    cast: Cast, asked: list[UUID], django_capture_on_commit_callbacks: Any
) -> None:
    now = timezone.now()
    forgotten, sent, fresh = make(cast.alice), make(cast.alice), make(cast.alice)
    ask(cast.alice, sent)
    waiting, dead = make(cast.bob, state="reading"), make(cast.bob, state="reading")
    File.objects.filter(pk__in=[forgotten.pk, sent.pk]).update(created_at=now - timedelta(hours=25))
    File.objects.filter(pk=waiting.pk).update(created_at=now - timedelta(minutes=3))
    File.objects.filter(pk=dead.pk).update(created_at=now - timedelta(minutes=20))
    orphan, young = (file_storage.storage().save(f"bb/{uuid4().hex}", ContentFile(b"x")) for _ in range(2))
    old = (now - timedelta(hours=2)).timestamp()
    os.utime(file_storage.storage().path(orphan), (old, old))
    with django_capture_on_commit_callbacks(execute=True):
        deleting.delete_unsent()
        read_jobs.repeat_lost()
        deleting.sweep_storage()
    assert set(File.objects.values_list("pk", flat=True)) == {sent.pk, fresh.pk, waiting.pk, dead.pk}
    assert not file_storage.storage().exists(forgotten.stored)
    assert asked == [waiting.pk]
    dead.refresh_from_db()
    assert dead.state == "failed"
    assert not file_storage.storage().exists(orphan)
    assert file_storage.storage().exists(young)


# --- The gauge --------------------------------------------------------------------------------------------


def test_the_gauge_knows_what_a_worker_counted_and_estimates_the_rest(cast: Cast) -> None:
    asked = ask(cast.alice, make(cast.alice, text="word " * 300))
    address = f"/api/conversations/{asked.conversation_id}/"
    result = cast.client("alice").get(address).json()["context"]
    assert result["exact"] is False
    assert result["limit"] == 1024
    assert result["tokens"] > 1500 // 3
    settle(asked)
    assert cast.client("alice").get(address).json()["context"] == {"tokens": 42, "exact": True, "limit": 1024}


# --- Shares, exports, imports -----------------------------------------------------------------------------


def test_a_share_names_files_and_shows_nothing_of_them(cast: Cast) -> None:
    asked = ask(cast.alice, make(cast.alice, "the <plan>.txt", "the secret plan"))
    settle(asked)
    address = f"/api/conversations/{asked.conversation_id}/share/"
    share = (
        cast.client("alice").post(address, json.dumps({}), content_type="application/json").json()["share"]
    )
    page = cast.client("anonymous").get(f"/s/{share['token']}/").content.decode()
    assert '<bdi dir="ltr">the plan .txt</bdi>' in page
    assert "the secret plan" not in page


def test_markdown_and_print_name_files(cast: Cast) -> None:
    asked = ask(cast.alice, make(cast.alice), make(cast.alice, "b_*.csv"))
    settle(asked)
    address = f"/api/conversations/{asked.conversation_id}/export/?format=markdown"
    text = cast.client("alice").get(address).content.decode()
    assert "## You\n\nFiles: `notes.txt`, `b_ .csv`\n\nWhat is in it?\n" in text
    printed = cast.client("alice").get(f"/c/{asked.conversation_id}/print/").content.decode()
    assert "notes.txt" in printed
    assert "milk and eggs" not in printed


def test_json_takes_the_text_along_and_an_import_brings_it_back(cast: Cast) -> None:
    asked = ask(cast.alice, make(cast.alice))
    settle(asked)
    address = f"/api/conversations/{asked.conversation_id}/export/?format=json"
    exported = cast.client("alice").get(address).content
    result = next(each for each in json.loads(exported)["messages"] if each["role"] == "user")
    (taken,) = result["files"]
    assert (taken["name"], taken["size"], taken["kind"]) == ("notes.txt", 13, "text")
    assert taken["text"] == "milk and eggs"
    answer = cast.client("bob").post("/api/import/", {"file": ContentFile(exported, "a.json")})
    (made,) = answer.json()["report"]["imported"]
    question = Message.objects.get(conversation=made["id"], role="user")
    assert "milk and eggs" in prompt_of(question)[0]["content"]
    file = question.attachments.get().file
    assert (file.owner, file.stored, file.state) == (cast.bob, "", "ready")
    original = cast.client("bob").get(f"/api/files/{file.pk}/original/")
    assert original.content == b"milk and eggs"


@pytest.mark.parametrize(
    "files",
    [
        "no list",
        [{"name": "a.txt"}],
        [{"name": 3, "text": "x"}],
        [{"name": "a.txt", "text": "x" * 1_000_001}],
        [{"name": "a.txt", "text": "x"}] * 11,
        [None, 4, []],
    ],
    ids=["no list", "no text", "no name", "long", "many", "odd"],
)
def test_odd_files_in_an_import_are_left_out(cast: Cast, files: object) -> None:
    made = talk(cast.alice, "Hello", "Hi")
    exported = json.loads(
        cast.client("alice").get(f"/api/conversations/{made.pk}/export/?format=json").content
    )
    exported["messages"][0]["files"] = files
    answer = cast.client("bob").post("/api/import/", {"file": ContentFile(json.dumps(exported), "a.json")})
    (came,) = answer.json()["report"]["imported"]
    assert File.objects.count() <= attaching.A_MESSAGE
    if files != "no list":
        assert "left out" in came["notes"][0]
