"""Adds the text of files to what a model reads of a message."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from uuid import UUID

from chat.conversations.models import Message
from chat.files.attaching import of_messages
from chat.files.models import File, Kind

FENCE_CHARACTERS = 17  # "File: ", two fences of three, four line ends, and two before the text


def load_texts(files: Sequence[File]) -> None:
    texts = (
        dict(File.objects.filter(pk__in=[file.pk for file in files]).values_list("pk", "text"))
        if files
        else {}
    )
    for file in files:
        file.text = texts.get(file.pk, "")


def characters(files: Iterable[File]) -> int:
    """Returns how many characters files add to a message (`with_files`), from their rows alone."""
    return sum(len(file.name) + file.characters + FENCE_CHARACTERS for file in files)


def with_files(text: str, files: Iterable[File]) -> str:
    """Returns what the model reads of a message: its files, fenced, then the person's words."""
    return "\n\n".join([*(_fenced(file) for file in files), text])


def _fenced(file: File) -> str:
    """Returns the file in a fence that is longer than any run of backticks inside, so that no file can end
    it; of an image its name, as the image itself goes beside the text.
    """
    if file.kind == Kind.IMAGE:
        return f"Image: {file.name}"
    longest = max((len(row) for row in re.findall(r"`{3,}", file.text)), default=2)
    fence = "`" * (longest + 1)
    return f"File: {file.name}\n{fence}\n{file.text}\n{fence}"


def contents(messages: Sequence[Message]) -> dict[UUID, str]:
    """Returns `with_files` of many messages by id, in two queries; in one if none has a file."""
    carried = of_messages(messages, texts=True)
    return {
        message.pk: with_files(message.text, carried[message.pk]) if message.pk in carried else message.text
        for message in messages
    }


def content(message: Message) -> str:
    return contents([message])[message.pk]
