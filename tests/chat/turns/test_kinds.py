"""Thoughts beside the text of an answer: in the log, on the socket, at settlement and for every reader."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chat.conversations.models import Message
from chat.turns import hub
from chat.turns.models import Generation, Part
from chat.turns.outbox import Outbox
from chat.turns.prompts import prompt_of
from inference.contract import Kind, Piece
from inference.wire import log
from tests.chat.turns.exchange import asked, saved, send

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def tab(tabs: Any, broker: Any) -> Any:
    broker.start_worker()
    return await tabs("alice")


async def frames_of(tab: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    pieces = []
    while (frame := await tab.next())["type"] != "done":
        if frame["type"] == "token":
            pieces.append(frame)
    return pieces, frame


def words_of(pieces: list[dict[str, Any]], kind: str) -> str:
    return "".join(piece["text"] for piece in pieces if piece.get("kind", "text") == kind)


async def test_a_thought_is_kept_out_of_the_text(tab: Any) -> None:
    await tab.say(**send("think:2:pace:10:let me see"))
    ack = await tab.until("ack")
    pieces, done = await frames_of(tab)
    assert words_of(pieces, "thought") == "let me "
    assert words_of(pieces, "text") == "see"
    assert done["length"] == len("let me see")
    assert done["sha256"] == hashlib.sha256(b"let me see").hexdigest()
    message = await saved(ack)
    assert message.text == "see"
    part = await Part.objects.aget(generation=ack["generation_id"])
    assert (part.kind, part.text, part.offset, part.after, part.seq) == ("thought", "let me ", 0, 0, 2)


async def test_a_settled_reply_ends_as_its_log_did(tab: Any) -> None:
    await tab.say(**send("think:2:echo:let me see"))
    ack = await tab.until("ack")
    _pieces, done = await frames_of(tab)
    await saved(ack)
    await tab.say(type="resume", message_id=ack["message_id"], after=0)
    message = (await tab.until("message"))["message"]
    assert message["text"] == "see"
    assert message["parts"] == [{"kind": "thought", "text": "let me ", "offset": 0}]
    assert await tab.until("done") == done


async def test_the_time_of_a_thought_is_the_same_live_after_a_reload_and_in_the_details(
    cast: Any, tab: Any
) -> None:
    await tab.say(**send("think:8:pace:100:a b c d e f g h see"))
    ack = await tab.until("ack")
    pieces, _done = await frames_of(tab)
    spent = sum(piece.get("duration_ms", 0) for piece in pieces)
    assert spent > 0
    assert not any("duration_ms" in piece for piece in pieces if "kind" not in piece)
    await saved(ack)
    await tab.say(type="resume", message_id=ack["message_id"], after=0)
    (part,) = (await tab.until("message"))["message"]["parts"]
    assert part == {"kind": "thought", "text": "a b c d e f g h ", "offset": 0, "duration_ms": spent}
    url = f"/api/messages/{ack['message_id']}/details/"
    details = (await sync_to_async(lambda: cast.client("alice").get(url).json())())["details"]
    assert (details["completion_tokens"], details["thought_tokens"], details["thought_ms"]) == (9, 8, spent)


async def test_an_answer_of_text_alone_has_no_parts(tab: Any) -> None:
    ack = await asked(tab, "echo:plain")
    await tab.say(type="resume", message_id=ack["message_id"], after=0)
    assert "parts" not in (await tab.until("message"))["message"]
    assert not await Part.objects.aexists()


async def test_a_thought_is_in_no_prompt_and_no_search_and_is_charged(cast: Any, tab: Any) -> None:
    ack = await asked(tab, "think:2:slow:3")

    @sync_to_async
    def read() -> tuple[Any, Any, int]:
        answer = Message.objects.get(pk=ack["message_id"])
        question = Message.objects.create(
            conversation=answer.conversation, parent=answer, role="user", text="And?"
        )
        texts = [message["content"] for message in prompt_of(question)]
        client = cast.client("alice")
        found = [len(client.get("/api/search/", {"q": q}).json()["results"]) for q in ("w3", "w2")]
        tokens = Generation.objects.get(pk=ack["generation_id"]).completion_tokens
        return texts, found, tokens

    texts, found, tokens = await read()
    assert texts[1] == "w3"
    assert found == [1, 0]
    assert tokens == 3


async def test_a_hidden_answer_shows_no_parts(tab: Any) -> None:
    ack = await asked(tab, "think:2:echo:let me see")
    await Message.objects.filter(pk=ack["message_id"]).aupdate(hidden_at=timezone.now())
    await tab.say(type="resume", message_id=ack["message_id"], after=0)
    message = (await tab.until("message"))["message"]
    assert (message["text"], message.get("parts")) == ("", None)


async def test_a_reply_stopped_within_its_thought_keeps_it(tab: Any) -> None:
    await tab.say(**send("think:500:slow:500:20"))
    ack = await tab.until("ack")
    await tab.until("token")
    await tab.say(type="stop", message_id=ack["message_id"])
    await tab.until("done")
    assert (await saved(ack, "stopped")).text == ""
    part = await Part.objects.aget(generation=ack["generation_id"])
    assert part.text.startswith("w1 ")


def test_a_resume_within_a_thought_begins_with_that_thought() -> None:
    """Covers a loss of data, after which the log is in other pieces than the page holds."""
    pieces: list[Piece | log.End] = [
        Piece(0, 3, "a b c ", (), kind=Kind.THOUGHT),
        Piece(3, 5, "d e ", (), kind=Kind.THOUGHT),
    ]
    pieces += [Piece(5, 8, "f g h ", ()), Piece(8, 9, "i", ())]
    assert hub._from(pieces, 3) == pieces[1:]
    whole = Piece(0, 5, "a b c d e ", (), kind=Kind.THOUGHT)
    text = Piece(5, 9, "f g h i", ())
    assert hub._from(pieces, 4) == [whole, text]
    assert hub._from(pieces, 6) == [text]


def test_pieces_of_different_kinds_stay_apart_while_a_socket_waits() -> None:
    outbox = Outbox()
    for number, kind in enumerate([Kind.THOUGHT, Kind.THOUGHT, Kind.TEXT, Kind.TEXT]):
        outbox.put("one", Piece(number, number + 1, "x", (), kind=kind))
    assert [(item.seq, item.kind) for _id, item in outbox.take()] == [(2, Kind.THOUGHT), (4, Kind.TEXT)]


def test_an_entry_without_a_kind_is_text_and_an_unknown_kind_is_not() -> None:
    entry = {"after": "0", "text": "x", "ids": "[1]"}
    assert log.parse("1-0", entry).kind is Kind.TEXT
    assert log.parse("1-0", {**entry, "kind": "thought"}).kind is Kind.THOUGHT
    assert log.parse("1-0", {**entry, "kind": "dream"}).kind is not Kind.TEXT
