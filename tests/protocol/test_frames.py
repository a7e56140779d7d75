"""docs/protocol.md lists every frame and field of chat/turns/frames.py, and no other; others are refused."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe

from chat.core.errors import BadInput, QuotaExceeded
from chat.model_cards.errors import ModelRetired
from chat.model_cards.models import ModelCard
from chat.turns import frames

PROTOCOL = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
ID = "9b2d7c1e-52f0-4c1b-8d61-0f6f0c9d1a77"
SEND = {"type": "send", "content": "x", "client_id": "a"}
STOP = {"type": "stop", "message_id": ID}
COMMON = {"ref"}  # any frame to the server may carry it: a sentence below the table


def documented(heading: str) -> dict[str, set[str]]:
    """Returns the fields of each frame in the table under a heading. A name in parentheses is a field of the
    field before it; one that follows `with` or stands in a sentence is not a field."""
    section = PROTOCOL.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", without_parentheses(fields))) for name, fields in rows}


def without_parentheses(text: str) -> str:
    while (shorter := re.sub(r"\([^()]*\)", "", text)) != text:
        text = shorter
    return text


def typed(kinds: Any) -> dict[str, set[str]]:
    return {kind.__struct_config__.tag: set(kind.__struct_fields__) for kind in kinds}


def test_every_frame_to_the_server_is_documented_with_its_fields() -> None:
    fields = {name: found - COMMON for name, found in typed(frames.INCOMING.values()).items()}
    assert documented("To the server") == fields
    assert set(frames.INCOMING) == set(fields)
    assert "may carry `ref`" in PROTOCOL


def test_every_frame_from_the_server_is_documented_with_its_fields() -> None:
    assert documented("From the server") == typed(frames.OUTGOING)
    defined = {
        kind for kind in vars(frames).values() if isinstance(kind, type) and issubclass(kind, frames.FrameOut)
    }
    assert defined - {frames.FrameOut} == set(frames.OUTGOING)


def test_fields_of_fields_are_documented() -> None:
    for kind in (frames.Model, frames.Usage):
        names = re.search(rf"`{kind.__name__.lower()}` \(([^)]*)\)", PROTOCOL)
        assert names is not None
        assert set(re.findall(r"\w+", names[1])) == set(kind.__struct_fields__)


@pytest.mark.parametrize("extra", [{}, {"unheard_of": {"deep": [1, 2]}}, {"ref": "r"}])
def test_unknown_fields_are_ignored(extra: dict[str, Any]) -> None:
    frame = frames.parse(json.dumps({**SEND, "conversation": ID, "files": [ID], **extra}))
    assert isinstance(frame, frames.Send)
    assert (frame.conversation, frame.files) == (uuid.UUID(ID), [uuid.UUID(ID)])
    assert frame.ref == extra.get("ref", msgspec.UNSET)


NOT_TEXT = "The message contains characters that are not text."
REFUSED = [
    ("{", "bad_frame", "The frame is not JSON."),
    ("[" * 60_000, "bad_frame", "The frame is not JSON."),
    ('{"type": "stop", "message_id": NaN}', "bad_frame", "The frame is not JSON."),
    ({**SEND, "params": {"temperature": float("nan")}}, "bad_frame", "The frame is not JSON."),
    ("[]", "bad_frame", "The frame is not an object with a type."),
    ("{}", "bad_frame", "The frame is not an object with a type."),
    ({"type": 7}, "bad_frame", "The frame is not an object with a type."),
    ({"type": "dance"}, "bad_frame", "Unknown type of frame."),
    ({"type": "dance", "ref": "\ud800"}, "bad_input", NOT_TEXT),
    ({"type": "stop"}, "bad_frame", "`message_id` is not text."),
    ({"type": "stop", "message_id": None}, "bad_frame", "`message_id` is not text."),
    ({"type": "stop", "message_id": "no"}, "bad_frame", "`message_id` is not an id."),
    ({**STOP, "ref": 1}, "bad_frame", "`ref` is not text of at most 64 characters."),
    ({**STOP, "ref": None}, "bad_frame", "`ref` is not text of at most 64 characters."),
    ({**STOP, "ref": "r" * 65}, "bad_frame", "`ref` is not text of at most 64 characters."),
    ({"type": "resume", "message_id": ID, "after": -1}, "bad_frame", "`after` is not a token's number."),
    ({"type": "resume", "message_id": ID, "after": True}, "bad_frame", "`after` is not a token's number."),
    ({"type": "resume", "message_id": ID, "after": 1.5}, "bad_frame", "`after` is not a token's number."),
    ({"type": "resume", "message_id": ID, "after": None}, "bad_frame", "`after` is not a token's number."),
    ({"type": "resume", "message_id": ID, "run": -1}, "bad_frame", "`run` is not a number."),
    ({**SEND, "conversation": 3}, "bad_frame", "`conversation` is not text."),
    ({**SEND, "parent": "x"}, "bad_frame", "`parent` is not an id."),
    ({**SEND, "content": 5}, "bad_input", "The message is not text."),
    ({**SEND, "content": "half \ud800"}, "bad_input", NOT_TEXT),
    ({**SEND, "client_id": "\udc00"}, "bad_input", NOT_TEXT),
    ({"type": "send", "content": "x"}, "bad_frame", "`client_id` is not text."),
    ({**SEND, "files": "x"}, "bad_frame", "`files` is not a list of ids."),
    ({**SEND, "files": [ID] * 101}, "bad_frame", "`files` is not a list of ids."),
    ({**SEND, "files": [3]}, "bad_frame", "`files` is not text."),
    ({**SEND, "files": [ID, "x"]}, "bad_frame", "`files` is not an id."),
    ({**SEND, "conversation": "x", "files": 3}, "bad_frame", "`conversation` is not an id."),
]


@pytest.mark.parametrize(("frame", "code", "words"), REFUSED, ids=lambda value: repr(value)[:50])
def test_a_frame_that_does_not_fit_is_refused_in_words(frame: Any, code: str, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        frames.parse(frame if isinstance(frame, str) else json.dumps(frame))
    assert (refused.value.code, refused.value.words) == (code, words)


def test_a_binary_frame_and_one_over_the_limit_are_refused(settings: Any) -> None:
    with pytest.raises(frames.BadFrame, match="not binary"):
        frames.parse(None)
    settings.FRAME_BYTES_IN = 2048
    with pytest.raises(frames.BadFrame, match="at most 2 KiB"):
        frames.parse(json.dumps({**SEND, "content": "é" * 1200}, ensure_ascii=False))


@pytest.mark.parametrize(
    ("text", "echo"),
    [
        (None, {}),
        ("{", {}),
        ("[1]", {}),
        ('{"ref": "r", "client_id": 3}', {"ref": "r"}),
        ('{"ref": "\\ud800", "client_id": "c"}', {"client_id": "c"}),
        (json.dumps({"ref": "r" * 70}), {"ref": "r" * 64}),
    ],
)
def test_a_refusal_carries_back_what_is_text(text: str | None, echo: dict[str, str]) -> None:
    assert frames.echo_of(text) == echo


def test_an_error_has_the_numbers_of_its_code() -> None:
    quota = frames.Error.of(QuotaExceeded(used=7, limit=5, retry_after=60), {"ref": "r"})
    frame = json.loads(frames.encode(quota))
    assert {name: frame[name] for name in ("code", "ref", "used", "limit", "retry_after")} == {
        "code": "quota_exceeded",
        "ref": "r",
        "used": 7,
        "limit": 5,
        "retry_after": 60,
    }
    retired = json.loads(
        frames.encode(
            frames.Error.of(ModelRetired(ModelCard(slug="old", name="Old", is_retired=True), None), {})
        )
    )
    assert (retired["model"], retired["successor"], retired["limited"]) == ("old", None, False)
    assert "ref" not in retired


def test_text_of_djangos_own_kinds_is_encoded() -> None:
    message = {"text": mark_safe("<b>"), "words": lazystr("later")}  # noqa: S308 - it is encoded as JSON
    assert json.loads(frames.encode(frames.MessageChanged(message=message)))["message"] == {
        "text": "<b>",
        "words": "later",
    }
    with pytest.raises(NotImplementedError):
        frames.encode(frames.MessageChanged(message={"text": object()}))
