"""Stores the token ids of a reply compactly: four bytes each, the least significant one first."""

from __future__ import annotations

import struct

from inference.contract import Reason
from inference.wire.log import Log


def packed(log: Log) -> bytes:
    """Returns the ids of all kinds in order; nothing where an engine has no ids, or where a rule ended the
    reply, so that nothing remains of what it forbids."""
    ids = [token for piece in log.pieces for token in piece.ids]
    if len(ids) != log.seq or (log.end is not None and log.end.reason is Reason.REFUSED):
        return b""
    return struct.pack(f"<{len(ids)}I", *ids)


def unpacked(stored: bytes | memoryview) -> tuple[int, ...]:
    return struct.unpack(f"<{len(stored) // 4}I", bytes(stored))
