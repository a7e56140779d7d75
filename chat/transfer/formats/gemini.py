"""Recognises Gemini's export, which holds no conversations: it lists single prompts as activities."""

from __future__ import annotations

from chat.transfer.formats.base import Format


class Gemini(Format):
    label = "Gemini"
    reads = False

    def fits_without_conversation(self, record: dict[str, object]) -> bool:
        return record.get("header") in ("Gemini Apps", "Bard")
