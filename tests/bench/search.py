"""Search as one types, and the sidebar: one person's 100,000 messages, 10,000 conversations, each database.

Words follow Zipf's law, as in a language: the most frequent is in most messages, the rarest in one or none.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from typing import Any

from tests.bench.report import ROOT, Figure, figure
from tests.postgresql import NoPostgres, Server

CONVERSATIONS, MESSAGES_EACH, WORDS_EACH = 10_000, 10, 40
ROUNDS = 3
LETTERS = "aeiourstlnmdcp"


def vocabulary(dice: random.Random) -> list[str]:
    sizes = [3, 4, 5, 6, 7, 8, 9]
    words = dict.fromkeys("".join(dice.choices(LETTERS, k=dice.choice(sizes))) for _ in range(20_000))
    return sorted(words, key=lambda word: (len(word) + dice.random() * 6, word))  # short ones are frequent


def questions(words: list[str], dice: random.Random) -> list[str]:
    """What is asked while people type: every beginning of words frequent and rare, alone and two together."""
    asked = []
    for rank in (0, 1, 5, 20, 100, 500, 2_000, 5_000, 10_000, len(words) - 1):
        asked += [words[rank][:length] for length in range(2, len(words[rank]) + 1)]
        asked.append(f"{words[rank]} {words[dice.randrange(200)]}")
    return [*asked, "zzzz", f"{words[0]} {words[1]} {words[2]}", f"{words[0]} zzzz"]


def fill(words: list[str], dice: random.Random) -> Any:
    from django.db import transaction

    from chat.accounts.models import User
    from chat.conversations.models import Conversation, Message, ModelCard, Role

    model = ModelCard.objects.create(slug="scripted", name="Scripted", is_default=True)
    weights = list(accumulate(1 / (rank + 1) for rank in range(len(words))))
    owner, other = (User.objects.create(email=f"{name}@example.org") for name in ("alice", "bob"))
    for person, count in ((owner, CONVERSATIONS), (other, CONVERSATIONS // 10)):
        for first in range(0, count, 500):
            with transaction.atomic():
                talks = Conversation.objects.bulk_create(
                    Conversation(
                        owner=person,
                        model=model,
                        title=" ".join(dice.choices(words, cum_weights=weights, k=4)),
                    )
                    for _ in range(min(500, count - first))
                )
                Message.objects.bulk_create(
                    Message(
                        conversation=each,
                        role=Role.USER,
                        text=" ".join(dice.choices(words, cum_weights=weights, k=WORDS_EACH)),
                    )
                    for each in talks
                    for _ in range(MESSAGES_EACH)
                )
    return owner


def clocked(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def measure() -> None:
    """In a process whose environment names an empty database: prints the milliseconds of each round."""
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "grokweb.settings"
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from chat.conversations import sidebar
    from chat.search.services import search

    call_command("migrate", verbosity=0)
    dice = random.Random(5)
    words = vocabulary(dice)
    owner = fill(words, dice)
    asked = questions(words, dice)
    if connection.vendor == "postgresql":
        connection.cursor().execute("ANALYZE")  # autovacuum does, soon
    found, listed = [], []
    for _ in range(ROUNDS):
        times = [clocked(lambda question=question: search(owner, question)) for question in asked]
        found.append(statistics.quantiles(times, n=20)[-1])
        listed.append(statistics.median(clocked(lambda: sidebar.first_page(owner)) for _ in range(9)))
    print(json.dumps({"found": found, "listed": listed, "questions": len(asked)}))


def figures(kind: str, url: str, data: str) -> list[Figure]:
    environment = {**os.environ, "DATABASE_URL": url, "GROKWEB_DATA": data}
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.search"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    told = json.loads(done.stdout.splitlines()[-1])
    about = f"{CONVERSATIONS * MESSAGES_EACH:,} messages of one person, {kind}"
    return [
        figure(
            f"search, p95 of {told['questions']} questions: {about}", told["found"], "ms", floor=50, aim=20
        ),
        figure(f"sidebar: {CONVERSATIONS:,} conversations, {kind}", told["listed"], "ms", floor=200, aim=20),
    ]


def run() -> list[Figure]:
    with ExitStack() as stack:
        build = ROOT / "build"  # a disk; /tmp may be memory
        build.mkdir(exist_ok=True)
        data = stack.enter_context(tempfile.TemporaryDirectory(dir=build))
        taken = figures("SQLite", f"sqlite:///{Path(data) / 'search.sqlite3'}", data)
        try:
            server = Server()
        except NoPostgres as why:
            print(f"search on PostgreSQL is not measured: {why}")
            return taken
        return taken + figures("PostgreSQL", stack.enter_context(server), data)


if __name__ == "__main__":
    measure()
