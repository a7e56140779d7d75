"""static/js/wire/frames.d.ts declares the same frames with the same fields as chat/turns/frames.py."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from chat.turns import frames

SCRIPTS = Path(__file__).parents[2] / "static" / "js"
DECLARED = (SCRIPTS / "wire" / "frames.d.ts").read_text()
COMMON = {"ref"}  # ClientFrame adds it to every frame to the server
INTERFACE = re.compile(r"^export interface (\w+Frame) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)


def declared() -> dict[str, set[str]]:
    """Returns the fields of each interface whose `type` is a literal, by that literal."""
    found = {}
    for name, body in INTERFACE.findall(DECLARED):
        kind = re.search(r'^  type: "(\w+)";$', body, re.MULTILINE)
        assert kind is not None, name
        assert kind[1] not in found, kind[1]
        found[kind[1]] = set(re.findall(r"^  (\w+)\??:", body, re.MULTILINE)) - {"type"}
    return found


def typed(kinds: Any) -> dict[str, set[str]]:
    return {kind.__struct_config__.tag: set(kind.__struct_fields__) for kind in kinds}


def members(union: str) -> set[str]:
    """Returns the names in `export type UNION = A | B;`."""
    text = re.search(rf"^export type {union} =(.*?);$", DECLARED, re.MULTILINE | re.DOTALL)
    assert text is not None
    return set(re.findall(r"\w+Frame\b", text[1]))


def test_the_page_declares_every_frame_with_its_fields() -> None:
    to_server = {name: fields - COMMON for name, fields in typed(frames.INCOMING.values()).items()}
    assert declared() == to_server | typed(frames.OUTGOING)


def test_every_declared_frame_is_in_the_union_of_its_direction() -> None:
    names = {name for name, _ in INTERFACE.findall(DECLARED)}
    to_server = (members("ClientFrame") - {"AskingFrame"}) | members("AskingFrame")
    assert to_server | members("ServerFrame") == names
    assert not to_server & members("ServerFrame")
    assert len(members("ServerFrame")) == len(frames.OUTGOING)


def test_the_page_handles_every_frame_of_the_server() -> None:
    handlers = (SCRIPTS / "chat" / "frames.js").read_text()
    table = re.search(r"^const HANDLERS = \{\n(.*?)^\};", handlers, re.MULTILINE | re.DOTALL)
    assert table is not None
    handled = set(re.findall(r"^  (\w+):", table[1], re.MULTILINE))
    assert handled == set(typed(frames.OUTGOING))
