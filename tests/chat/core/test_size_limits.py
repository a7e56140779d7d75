"""Sizes come from the settings alone, and the documented configuration of nginx follows from them."""

from __future__ import annotations

import json
import re

import pytest

from chat.core.size_limits import FRAME_BYTES, MESSAGE_CHARS, MIB, Sizes
from inference.base.env import KNOWN
from tests.grokweb.service import ROOT


def by_default() -> Sizes:
    importing, a_file, files = (
        int(KNOWN[f"GROKWEB_{name}_MB"].default) for name in ("IMPORT", "FILE", "FILES")
    )
    return Sizes.of_mb(an_import=importing, a_file=a_file, all_files=files)


def test_the_documented_nginx_lets_the_largest_file_and_its_form_through() -> None:
    (documented,) = re.findall(r"client_max_body_size (\d+)m;", (ROOT / "docs" / "operators.md").read_text())
    sizes = by_default()
    assert int(documented) == sizes.proxy_mb
    assert int(documented) * MIB >= max(sizes.doors.values())


@pytest.mark.parametrize(("an_import", "a_file", "proxy"), [(50, 10, 251), (1, 100, 202), (1, 1, 202)])
def test_a_proxy_has_room_for_an_import_with_all_files(an_import: int, a_file: int, proxy: int) -> None:
    assert Sizes.of_mb(an_import=an_import, a_file=a_file, all_files=200).proxy_mb == proxy


@pytest.mark.parametrize("char", ["x", "字", "😀", "\n", '"', "\x01"])
def test_any_message_fits_into_a_frame(char: str) -> None:
    frame = {"type": "send", "content": char * MESSAGE_CHARS, "client_id": "c" * 64, "files": ["f" * 36] * 10}
    assert len(json.dumps(frame, ensure_ascii=False).encode()) <= FRAME_BYTES


def test_the_protocol_names_both_limits() -> None:
    said = (ROOT / "docs" / "protocol.md").read_text()
    size = f"at most {FRAME_BYTES // 1024} KiB"
    assert f"{size}, enough for any message of {MESSAGE_CHARS:,} characters" in said
