"""Checks the text and files of a question once, where they enter, and composes them once for the model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Conversation, Message, Role
from chat.core.entry_points import check_text
from chat.core.errors import BadInput, MessageTooLong, TooLong
from chat.core.size_limits import MESSAGE_CHARS
from chat.core.sizes import model_chars
from chat.core.text import trimmed
from chat.files import attaching, prompt_text
from chat.files.models import File
from chat.model_cards import images
from chat.model_cards.models import ModelCard

_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(content: str) -> str:
    """Returns the text of a message without the space around it. Raises BadInput where nothing can be seen,
    and for NUL and surrogates, which PostgreSQL and UTF-8 refuse."""
    text = trimmed(content.replace("\r\n", "\n"))
    if not text:
        raise BadInput(_("The message is empty."))
    if "\x00" in text or _SURROGATE.search(text):
        raise BadInput(_("The message contains characters that are not text."))
    return text


@dataclass(frozen=True, slots=True)
class Question:
    """Holds a message that a person sends. Cleans `text` when it is made; raises BadInput as `clean` does."""

    text: str
    file_ids: Sequence[UUID] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", clean(self.text))


@dataclass(frozen=True, slots=True)
class ReadQuestion:
    """Holds a question whose files were read: the rules check `content`, and the model reads it."""

    text: str
    files: list[File]
    content: str

    def store(self, user: User, conversation: Conversation, parent: Message | None) -> Message:
        message = Message.objects.create(
            conversation=conversation, parent=parent, role=Role.USER, author=user, text=self.text
        )
        attaching.attach(message, self.files)
        return message


def choose_files(
    question: Question, user: User, conversation: Conversation, *, is_new_conversation: bool
) -> list[File]:
    """Returns the files that the question names, without their texts. Raises TooLong and MessageTooLong."""
    check_length(question.text, conversation.model)
    if not question.file_ids:
        return []
    chosen = attaching.chosen(user, question.file_ids, None if is_new_conversation else conversation)
    check_length(question.text, conversation.model, chosen)
    return chosen


def check_images(chosen: Sequence[File], model: ModelCard, user: User) -> None:
    """Raises BadInput for a new image that the model cannot see.

    One that was sent before stays with an edited message: it is left out, like those of earlier messages.
    """
    if attaching.has_new_image(chosen):
        images.check_sees(model, user)


def read(question: Question, chosen: list[File]) -> ReadQuestion:
    """Reads the texts of the chosen files. Raises RefusedByRule."""
    prompt_text.load_texts(chosen)
    content = prompt_text.with_files(question.text, chosen)
    check_text("message", content)
    return ReadQuestion(question.text, chosen, content)


def check_length(text: str, model: ModelCard, attached: Sequence[File] = ()) -> None:
    if len(text) > MESSAGE_CHARS:
        raise MessageTooLong(length=len(text), limit=MESSAGE_CHARS)
    limit = model_chars(model.context)
    length = len(text) + prompt_text.characters(attached)
    if length > limit:
        raise TooLong(length=length, limit=limit, with_files=bool(attached))
