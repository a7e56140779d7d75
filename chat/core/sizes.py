"""Sizes in words. The numbers are those of chat/core/size_limits.py; a MB is 2**20 bytes everywhere."""

from __future__ import annotations

from django.utils.translation import gettext as _

from chat.core.size_limits import KIB, MESSAGE_CHARS, MIB

CHARACTERS_A_TOKEN = 4  # generous: what passes here and is too long all the same ends with the code too_long


def mb(size: int) -> int:
    """Returns whole MB, rounded up."""
    return -(-size // MIB)


def kib(size: int) -> int:
    return size // KIB


def model_chars(context_tokens: int) -> int:
    """Characters that a model with this context may read, of a message with its files."""
    return CHARACTERS_A_TOKEN * context_tokens


def message_chars(context_tokens: int) -> int:
    """Characters that a person may write in one message to such a model."""
    return min(model_chars(context_tokens), MESSAGE_CHARS)


def file_too_large(limit: int) -> str:
    return _("A file may have at most %(limit)d MB.") % {"limit": mb(limit)}
