"""Defines every frame of the websocket, in and out, as one type each. docs/protocol.md explains them to
clients; tests/protocol/test_frames.py compares it with these types.

A frame to the server is decoded in one call. Only one that does not fit is examined again, field by field,
for the words of its error. Unknown fields are ignored, unknown types are refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from msgspec import UNSET, Meta, UnsetType

from chat.core.errors import BadInput, ChatError
from chat.core.sizes import kib

REF_LENGTH = 64
MOST_IDS = 100  # in one frame; how many files a message may have is for chat/files

Json = dict[str, Any]
Ids = Annotated[list[UUID], Meta(max_length=MOST_IDS)]
Ref = Annotated[str, Meta(max_length=REF_LENGTH)]


class BadFrame(BadInput):
    """Reports a frame that is not what docs/protocol.md describes."""

    code = "bad_frame"


# --- to the server ----------------------------------------------------------------------------------------


class FrameIn(msgspec.Struct, kw_only=True, frozen=True):
    """`ref` is any short text; the frame's `ack` or `error` carries it back."""

    ref: Ref | UnsetType = UNSET


class Send(FrameIn, tag="send", kw_only=True, frozen=True):
    conversation: UUID | None = None  # None: a new one
    parent: UUID | None = None  # the answer that the question follows; None: the first of a branch
    content: str = ""
    client_id: str
    params: Any = None  # chat/turns/reply_options.py reads it
    start: Any = None  # chat/turns/new_conversation.py reads it
    files: Ids | None = None
    also: str | None = None  # slug of a second model, which answers beside the first


class Regenerate(FrameIn, tag="regenerate", kw_only=True, frozen=True):
    message_id: UUID
    client_id: str
    params: Any = None


class Continue(FrameIn, tag="continue", kw_only=True, frozen=True):
    message_id: UUID
    client_id: str


class Resume(FrameIn, tag="resume", kw_only=True, frozen=True):
    message_id: UUID
    after: Annotated[int, Meta(ge=0)] = 0  # number of the last token held
    run: Annotated[int, Meta(ge=0)] = 0  # to which it belongs


class Stop(FrameIn, tag="stop", kw_only=True, frozen=True):
    message_id: UUID


class Decide(FrameIn, tag="decide", kw_only=True, frozen=True):
    call: UUID
    allow: bool


class Visible(FrameIn, tag="visible", kw_only=True, frozen=True):
    visible: bool


Incoming = Send | Regenerate | Continue | Resume | Stop | Decide | Visible
INCOMING: dict[str, type[FrameIn]] = {
    "send": Send,
    "regenerate": Regenerate,
    "continue": Continue,
    "resume": Resume,
    "stop": Stop,
    "decide": Decide,
    "visible": Visible,
}
_decoder = msgspec.json.Decoder(Incoming)


def parse(text: str | None) -> Incoming:
    """Returns the frame that a client sent. Raises BadFrame, and BadInput for text that is not Unicode."""
    if text is None:
        raise BadFrame(_("A frame must be text, not binary."))
    if len(text) > settings.FRAME_BYTES_IN or len(text.encode()) > settings.FRAME_BYTES_IN:
        raise BadFrame(
            _("The frame is too large: at most %(limit)d KiB are read.")
            % {"limit": kib(settings.FRAME_BYTES_IN)}
        )
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise _error_of(text) from None


def echo_of(text: str | None) -> Json:
    """Returns `ref` and `client_id` of a frame that is refused, as far as they are text."""
    try:
        frame = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    names = ("ref", "client_id") if isinstance(frame, dict) else ()
    return {
        name: frame[name][:REF_LENGTH]
        for name in names
        if isinstance(frame.get(name), str) and _is_text(frame[name])
    }


def _error_of(text: str) -> ChatError:
    """Returns the error of a frame that could not be decoded."""
    try:
        frame = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return BadFrame(_("The frame is not JSON."))
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        return BadFrame(_("The frame is not an object with a type."))
    if not _is_text(json.dumps(frame, ensure_ascii=False)):
        return BadInput(_("The message contains characters that are not text."))
    kind = INCOMING.get(frame["type"])
    if kind is None:
        return BadFrame(_("Unknown type of frame."))
    return next(_field_errors(kind, frame), BadFrame(_("The frame is not JSON.")))


def _field_errors(kind: type[FrameIn], frame: Json) -> Any:
    for field in msgspec.structs.fields(kind):
        value = frame.get(field.name, msgspec.NODEFAULT)
        if value is msgspec.NODEFAULT and not field.required:
            continue
        try:
            msgspec.convert(value, field.type)
        except msgspec.ValidationError:
            make = _FIELD_ERRORS.get(field.name, _id_error)
            yield make(field.name, value)


def _id_error(name: str, value: Any) -> ChatError:
    words = _("`%(name)s` is not an id.") if isinstance(value, str) else _("`%(name)s` is not text.")
    return BadFrame(words % {"name": name})


def _ids_error(name: str, values: Any) -> ChatError:
    if not isinstance(values, list) or len(values) > MOST_IDS:
        return BadFrame(_("`%(name)s` is not a list of ids.") % {"name": name})
    wrong = [value for value in values if not isinstance(value, str)]
    return _id_error(name, wrong[0] if wrong else "")


_FIELD_ERRORS: dict[str, Callable[[str, Any], ChatError]] = {
    "ref": lambda _name, _value: BadFrame(_("`ref` is not text of at most %d characters.") % REF_LENGTH),
    "content": lambda _name, _value: BadInput(_("The message is not text.")),
    "client_id": lambda name, _value: BadFrame(_("`%(name)s` is not text.") % {"name": name}),
    "after": lambda _name, _value: BadFrame(_("`after` is not a token's number.")),
    "run": lambda _name, _value: BadFrame(_("`run` is not a number.")),
    "allow": lambda _name, _value: BadFrame(_("`allow` is neither true nor false.")),
    "files": _ids_error,
}


def _refuse_constant(name: str) -> None:
    """NaN and Infinity are not JSON, whatever Python's reader takes."""
    raise ValueError(name)


def _is_text(text: str) -> bool:
    """JSON can name half of a surrogate pair, which no encoding can write."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# --- from the server --------------------------------------------------------------------------------------


class FrameOut(msgspec.Struct, kw_only=True, frozen=True):
    """Fields that are UNSET are left out."""


class Model(msgspec.Struct, kw_only=True, frozen=True):
    slug: str
    name: str
    is_demo: bool
    running: bool
    problem: str = ""  # the code of what keeps every worker from answering, or "fetching"


class Usage(msgspec.Struct, kw_only=True, frozen=True):
    prompt_tokens: int
    completion_tokens: int


class Hello(FrameOut, tag="hello", kw_only=True, frozen=True):
    user: Json
    model: Model
    event_number: int  # of the last control event
    writable: bool


class Ack(FrameOut, tag="ack", kw_only=True, frozen=True):
    conversation: Json
    messages: list[Json]
    message_id: UUID
    generation_id: UUID
    client_id: str
    ref: str | UnsetType = UNSET


class MessageChanged(FrameOut, tag="message", kw_only=True, frozen=True):
    message: Json


class Removed(FrameOut, tag="removed", kw_only=True, frozen=True):
    conversation: UUID
    message_id: UUID


class Emptied(FrameOut, tag="emptied", kw_only=True, frozen=True):
    pass


class Missed(FrameOut, tag="missed", kw_only=True, frozen=True):
    pass


class Queued(FrameOut, tag="queued", kw_only=True, frozen=True):
    message_id: str
    position: int  # 1 is next; 0: nobody runs the model
    estimate: int | None  # seconds


STEP_BORDER = "step"  # kind of the empty piece between the numbers of two steps


class Token(FrameOut, tag="token", kw_only=True, frozen=True):
    message_id: str
    generation_id: str
    after: int
    seq: int
    text: str
    kind: str | UnsetType = UNSET  # of a piece that is not text of the answer; STEP_BORDER
    run: int | UnsetType = UNSET  # above 0: the text started again so often
    duration_ms: int | UnsetType = UNSET  # of a thought


class Done(FrameOut, tag="done", kw_only=True, frozen=True):
    message_id: str
    generation_id: str
    status: str
    reason: str
    words: str
    usage: Usage
    seq: int
    length: int  # of the text of all kinds, in code points
    sha256: str  # of its UTF-8
    run: int | UnsetType = UNSET


class CallChanged(FrameOut, tag="call", kw_only=True, frozen=True):
    message_id: str
    call: Json


class Error(FrameOut, tag="error", kw_only=True, frozen=True):
    """Says that a frame was not carried out, with a code, words, and the numbers that some codes have."""

    code: str
    words: str
    ref: str | UnsetType = UNSET
    client_id: str | UnsetType = UNSET
    retry_after: float | UnsetType = UNSET  # seconds
    used: int | UnsetType = UNSET  # quota_exceeded: tokens of today, and how many there may be
    limit: int | UnsetType = UNSET  # too_long: characters that are read, of the `length` that came
    length: int | UnsetType = UNSET
    until: str | UnsetType | None = UNSET  # suspended: when it ends
    model: str | UnsetType = UNSET  # model_retired
    successor: Json | UnsetType | None = UNSET
    limited: bool | UnsetType = UNSET  # the model is for groups that the person does not belong to

    @classmethod
    def of(cls, error: ChatError, echo: Json) -> Error:
        body = {**error.as_json(), **echo}
        return cls(**{name: body[name] for name in cls.__struct_fields__ if name in body})


class Storage(FrameOut, tag="storage", kw_only=True, frozen=True):
    writable: bool


class ModelsChanged(FrameOut, tag="models", kw_only=True, frozen=True):
    """Says that some model began or ceased to answer. The JSON API decides which ones a person may know."""


class ConversationChanged(FrameOut, tag="conversation", kw_only=True, frozen=True):
    conversation: Json
    deleted: bool


class SettingsChanged(FrameOut, tag="conversation_settings", kw_only=True, frozen=True):
    conversation: UUID
    conversation_settings: Json


class Folders(FrameOut, tag="folders", kw_only=True, frozen=True):
    folders: list[Json]


OUTGOING: Sequence[type[FrameOut]] = (
    Hello,
    Ack,
    MessageChanged,
    Removed,
    Emptied,
    Missed,
    Queued,
    Token,
    Done,
    CallChanged,
    Error,
    Storage,
    ModelsChanged,
    ConversationChanged,
    SettingsChanged,
    Folders,
)


def _plain_text(value: Any) -> str:
    """Lazy translations and Django's safe strings, which msgspec does not know."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Promise):
        return str(value)
    raise NotImplementedError(f"{type(value)} is not for a frame")


_encoder = msgspec.json.Encoder(enc_hook=_plain_text)


def encode(frame: FrameOut) -> str:
    """Returns the text that goes over the socket, the same for every tab."""
    return _encoder.encode(frame).decode()
