"""The operator's key for Web Push (VAPID, RFC 8292), and base64url, in which keys are written."""

from __future__ import annotations

import base64
import binascii
import secrets

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
KEY_BYTES = 32


class UnusableKey(Exception):
    """Says that a text is no private key."""


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode(text: str) -> bytes:
    """Raises ValueError for anything but base64url in its one spelling, with or without padding."""
    plain = text.rstrip("=")
    try:
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("not base64url") from None
    if encode(raw) != plain:
        raise ValueError("not base64url")
    return raw


def generate() -> str:
    return encode((secrets.randbelow(ORDER - 1) + 1).to_bytes(KEY_BYTES, "big"))


def number(key: str) -> int:
    """Returns the private number of a key; raises UnusableKey. Needs no library: settings check with it."""
    try:
        raw = decode(key)
    except ValueError:
        raise UnusableKey from None
    value = int.from_bytes(raw, "big")
    if len(raw) != KEY_BYTES or not 0 < value < ORDER:
        raise UnusableKey
    return value
