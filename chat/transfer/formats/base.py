"""Defines the interface of transfer formats, which read a file's conversations, write one, or both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from django.utils.functional import Promise

from chat.core.extensions import Extension
from chat.transfer import scan
from chat.transfer.imported_conversation import ImportedConversation
from chat.transfer.scan import Buffer, Span

if TYPE_CHECKING:
    from chat.accounts.models import User
    from chat.conversations.models import Conversation
    from chat.transfer.export import File


class Format(Extension):
    """One kind of file. A format overrides the methods that it needs.

    Files are hostile: each method reads a record once, whatever is in it, and raises Unreadable with words
    for the importer where it cannot be read.
    """

    # --- Reading ---

    reads: ClassVar[bool] = True
    # Stored with imported answers and shown as their origin; at most 40 characters.
    source: ClassVar[str] = ""
    suffixes: ClassVar[tuple[str, ...]] = (".json",)  # of files that may hold conversations
    # The file of conversations in the service's archive, where it has other JSON files beside it.
    file_name: ClassVar[re.Pattern[str] | None] = None

    def fits(self, record: dict[str, object]) -> bool:
        """Returns whether this format wrote the record, judged by its shape: people rename files and join
        them.
        """
        return False

    def fits_without_conversation(self, record: dict[str, object]) -> bool:
        """Returns whether the record comes from this service but holds no readable conversation."""
        return False

    def read(self, record: dict[str, object]) -> ImportedConversation:
        raise NotImplementedError

    # A file that is neither a JSON object nor a list of them is taken apart by the format that recognises it.

    def opens(self, data: Buffer, start: int, end: int) -> bool:
        """Returns whether `data` from `start` to `end` has a shape that only this format uses."""
        return False

    def spans(self, data: Buffer, start: int, end: int) -> Iterator[Span]:
        """Yields where its records lie."""
        return scan.spans(data, start, end)

    def parsed(self, data: Buffer, span: Span) -> Any:
        """Returns the record of one span."""
        return scan.parsed(data, span)

    # --- Writing ---

    writes: ClassVar[bool] = False
    export_label: ClassVar[str | Promise] = ""  # in the menu of a conversation
    export_icon: ClassVar[str] = "text"  # templates/_icons.html
    export_suffix: ClassVar[str] = ""  # with its dot
    writes_thoughts: ClassVar[bool] = False  # whether `write` takes `thoughts`

    def write(self, conversation: Conversation, viewer: User, *, thoughts: bool = False) -> File:
        """Returns the conversation as one file, made while it is sent. `thoughts`: with what the model
        thought before its answers."""
        raise NotImplementedError
