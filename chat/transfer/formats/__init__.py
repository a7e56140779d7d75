"""Registers the formats of import and export. A new one is a class in this folder, a line here, and its
tests.

A distribution adds one by an entry point of the group `grokweb.transfer_formats` (docs/extending.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.base.registry import Registry

if TYPE_CHECKING:
    from chat.transfer.formats.base import Format

# A record is read by the first format that it fits.
FORMATS: Registry[type[Format]] = Registry(
    "grokweb.transfer_formats",
    {
        "json": "chat.transfer.formats.grokweb.GrokWeb",
        "markdown": "chat.transfer.formats.markdown.Markdown",
        "claude": "chat.transfer.formats.claude.Claude",
        "grok_com": "chat.transfer.formats.grok_com.GrokCom",
        "deepseek": "chat.transfer.formats.deepseek.DeepSeek",  # before ChatGPT, whose tree it borrows
        "chatgpt": "chat.transfer.formats.chatgpt.ChatGPT",
        "librechat": "chat.transfer.formats.librechat.LibreChat",
        "jsonl": "chat.transfer.formats.jsonl.JsonLines",
        "openwebui": "chat.transfer.formats.openwebui.OpenWebUI",  # the last that reads: fits any list
        "gemini": "chat.transfer.formats.gemini.Gemini",
    },
    noun="transfer format",
    required=("label", "reads", "writes", "fits", "read", "write", "opens"),
)


def readers() -> dict[str, Format]:
    """Returns the formats that can be imported, by name."""
    return {name: one() for name, one in FORMATS.loaded().items() if one.reads}


def writers() -> dict[str, Format]:
    """Returns the formats that can be exported, by name."""
    return {name: one() for name, one in FORMATS.loaded().items() if one.writes}


def sources() -> set[str]:
    """Returns the names of all services that an imported answer may come from."""
    return {one.source for one in FORMATS.loaded().values() if one.reads and one.source}


def format_of(record: object) -> Format | None:
    """Returns the format that wrote a record, or None."""
    if not isinstance(record, dict):
        return None
    return next((one for one in readers().values() if one.fits(record)), None)


def unread_service(record: object) -> str:
    """Returns the service that wrote a record which holds no conversation; empty where nobody knows."""
    if not isinstance(record, dict):
        return ""
    everything = (one() for one in FORMATS.loaded().values())
    return next((str(one.label) for one in everything if one.fits_without_conversation(record)), "")
