"""Chooses a conversation's persona and other settings as the page does."""

from __future__ import annotations

from typing import Any


def choose(cast: Any, conversation: Any, who: str = "alice", **fields: Any) -> Any:
    path = f"/api/conversations/{conversation}/settings/"
    return cast.client(who).patch(path, fields, content_type="application/json")
