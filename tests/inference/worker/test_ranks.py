"""A model worker over two processes: it answers, it stops on request, and it does not outlive one of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import torch

from inference.contract import Reason, Sampling
from inference.grok1.network import load_for_serving
from inference.grok1.step import TorchStep
from inference.grok1.tokenizer import load_tokenizer
from inference.wire import log
from inference.wire import queue as fair_queue
from tests.inference.engine_fakes import request
from tests.inference.torchrun import ROOT, TORCHRUN

DEMO = ROOT / "inference" / "demo" / "model"
QUESTION = "What is the capital of France?"
TOKENS = 8


@pytest.fixture(scope="module")
def expected() -> list[int]:
    """Greedy ids of the same model in one process; fewer than TOKENS if the reply ends."""
    torch.set_num_threads(1)
    tokenizer, step = load_tokenizer(DEMO), TorchStep(load_for_serving(DEMO), 1, 256)
    ids = tokenizer.render_chat([{"role": "user", "content": QUESTION}])
    fed = 0
    made: list[Any] = []
    while len(made) < TOKENS:
        n = len(ids) - fed
        logits = step.step(ids[fed:], [0] * n, range(fed, len(ids)), [int(fed == 0)] * n, [n - 1])[0]
        logits[sorted(tokenizer.never_sample)] = -torch.inf
        fed, token = len(ids), int(logits.argmax())
        if token in tokenizer.stop_ids:
            break
        made.append(token)
        ids = [*ids, token]
    return made


class Ranks:
    """torchrun and its two processes."""

    def __init__(self, *options: str) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "GROKWEB_MODEL": str(DEMO),
            "OMP_NUM_THREADS": "1",
            "GROKWEB_HANDOVER_SECONDS": "0.5",
        }
        celery = ["-Q", "model.grokweb-demo", "--concurrency", "2", "--without-gossip", "--without-mingle"]
        self.main = subprocess.Popen(
            [*TORCHRUN, "-m", "inference.worker.ranks", *options, *celery],
            env=environment,
            cwd=ROOT,
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
        )

    def pids(self) -> dict[int, int]:
        """Rank -> process."""
        found: dict[Any, Any] = {}
        for name in Path(f"/proc/{self.main.pid}/task/{self.main.pid}/children").read_text().split():
            variables = Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
            ranks = [int(one[5:]) for one in variables if one.startswith(b"RANK=")]
            found |= dict.fromkeys(ranks, int(name))
        return found

    def end(self) -> tuple[int, str]:
        """Exit status of torchrun, and all that was said."""
        said, _ = self.main.communicate(timeout=60)
        return self.main.returncode, said


@pytest.fixture
def start(redis_client: redis.Redis) -> Iterator[list[Ranks]]:
    started: list[Ranks] = []
    yield started
    for ranks in started:
        if ranks.main.poll() is None:
            ranks.main.kill()
            ranks.main.communicate()


def answer(redis_client: Any, ranks: Ranks) -> tuple[list[int], Reason]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and ranks.main.poll() is None:
        logged = log.read(redis_client, "asked")
        if logged.end:
            return [i for piece in logged.pieces for i in piece.ids], logged.end.reason
        time.sleep(0.1)
    ranks.main.kill()
    pytest.fail(f"no answer: {ranks.end()[1][-3000:]}")


@pytest.mark.skipif(sys.platform != "linux", reason="finds the ranks in /proc")
@pytest.mark.parametrize("whole_experts", [False, True])
def test_two_processes_answer_and_end_together(
    redis_client: redis.Redis, start: list[Ranks], expected: list[int], whole_experts: bool
) -> None:
    asked = request(QUESTION, "asked", model="grokweb-demo", max_new_tokens=TOKENS)
    fair_queue.submit(redis_client, asked)
    hot = Sampling(temperature=5.0)  # nothing that ends soon
    beside = request("Hi", "beside", model="grokweb-demo", max_new_tokens=700, sampling=hot)
    fair_queue.submit(redis_client, beside)
    ranks = Ranks(*(["--whole-experts"] if whole_experts else []))
    start.append(ranks)
    ids, reason = answer(redis_client, ranks)
    assert ids == expected
    assert reason is (Reason.LENGTH if len(expected) == TOKENS else Reason.STOP)
    pids = ranks.pids()
    assert set(pids) == {0, 1}
    if whole_experts:
        os.kill(pids[0], signal.SIGTERM)  # rank 0 stops as a worker does, and tells the other
        status, said = ranks.end()
        assert status == 0, said[-3000:]
    else:
        os.kill(pids[1], signal.SIGKILL)  # in the middle of a step or between two: rank 0 ends, too
        status, _ = ranks.end()
        assert status != 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.values())
