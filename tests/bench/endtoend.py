"""Sixteen people on the whole service beside its engine alone: the network of `steps` in int8, one thread.

People are connections that read as a tab does and paint nothing; they are in a process of their own.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.bench.live import Load
from tests.bench.loading import make_folder
from tests.bench.many import CONTEXT, Engine
from tests.bench.report import Figure, figure
from tests.bench.steps import SIZES
from tests.faults.people import invite
from tests.grokweb.service import Service

PEOPLE, TOKENS, ROUNDS = 16, 128, 5
QUESTION = "Tell me about the sea."


def alone(engine: Engine) -> float:
    """Tokens a second of the engine, from the first question to the last end."""
    begun = time.perf_counter()
    end = engine.until_ends([engine.submit(QUESTION, tokens=TOKENS) for _ in range(PEOPLE)])
    return PEOPLE * TOKENS / (end - begun)


def through(service: Service, cookies: list[str]) -> float:
    """Measures the same through web process, log and sockets, as people see it."""
    seen = Load(service, cookies, arrive=0, script=QUESTION).seen
    unfit = [one for one in seen if one["errors"] or not one["whole"] or one["holes"]]
    if unfit:
        raise RuntimeError(f"{len(unfit)} of {PEOPLE} replies are not whole: {unfit[0]}")
    return sum(one["seq"] for one in seen) / max(one["took"] for one in seen)


def run() -> list[Figure]:
    from inference.grok1.quantize import quantise_folder

    with tempfile.TemporaryDirectory() as place:
        released, int8 = Path(place) / "released", Path(place) / "int8"
        make_folder(
            released, SIZES | {"max_position_embeddings": CONTEXT, "vocab_size": 4_096}, released=True
        )
        quantise_folder(released, int8)
        environment = {
            "GROKWEB_MODEL": str(int8),
            "GROKWEB_SLOTS": str(PEOPLE),
            "GROKWEB_MAX_NEW_TOKENS": str(TOKENS),
            "GROKWEB_DAILY_TOKENS": "100000000",
        }
        folder = Path(place) / "service"
        folder.mkdir()
        service = Service(folder, **environment)
        try:
            service.start().wait_until_ready()
            cookies = invite(PEOPLE, service.environment)
            engine = Engine(int8, slots=PEOPLE)
            through(service, cookies)
            alone(engine)  # both warm
            pairs = [(through(service, cookies), alone(engine)) for _ in range(ROUNDS)]
            engine.engine.stop()
        finally:
            service.close()
    return [
        figure(
            f"{PEOPLE} people through web and log, against the engine alone",
            [one for one, _ in pairs],
            "tokens/s",
            better="higher",
            against=[other for _, other in pairs],
            floor=0.7,
            aim=0.9,
        )
    ]
