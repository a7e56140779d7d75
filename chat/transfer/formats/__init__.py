"""The files that can be imported. To add one: a class in this folder, a line in the table, its tests."""

from __future__ import annotations

from typing import Protocol

from django.utils.module_loading import import_string

from chat.transfer.drafts import Draft


class Format(Protocol):
    def fits(self, record: dict[str, object]) -> bool: ...

    def read(self, record: dict[str, object]) -> Draft: ...


FORMATS = {
    "grokweb": "chat.transfer.formats.grokweb.GrokWeb",
    "chatgpt": "chat.transfer.formats.chatgpt.ChatGPT",
    "openwebui": "chat.transfer.formats.openwebui.OpenWebUI",
}


def format_of(record: object) -> Format | None:
    """What wrote this conversation, by its own shape: files are renamed and put together by people."""
    if not isinstance(record, dict):
        return None
    for path in FORMATS.values():
        one: Format = import_string(path)()
        if one.fits(record):
            return one
    return None
