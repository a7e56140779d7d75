"""A long conversation: its page, its newest messages, one message more, beside those of a short one.

The server's time from request to answer, in one process. One person has both conversations and 10,000 others.
The long one came from a file, so that no worker has counted its tokens: the page has to estimate them.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from typing import Any
from uuid import uuid4

from grokweb.redis_server import EmbeddedRedis
from tests.bench.databases import analyze, clocked, each, prepare
from tests.bench.report import Figure, figure

LENGTHS = (2_000, 50)
OTHERS = 10_000
ROUNDS, EACH = 3, 9
TEXT = "A message of about the length that people write, with a few words more than it needs. " * 4
FLOOR_MS, FLOOR_RATIO = 200, 2.0


def fill() -> Any:
    from chat.accounts.models import User
    from chat.conversations.models import Conversation
    from chat.model_cards.models import ModelCard

    model = ModelCard.objects.create(slug="scripted", name="Scripted", is_default=True, context_tokens=8192)
    owner = User.objects.create(email="alice@example.org")
    others = (Conversation(owner=owner, model=model, title=f"Talk {n}") for n in range(OTHERS))
    Conversation.objects.bulk_create(others, batch_size=500)
    return owner


def talk(owner: Any, length: int) -> Any:
    """The id of a conversation of one branch, whose end its owner has open."""
    from chat.conversations.branches import set_leaf
    from chat.conversations.lifecycle import create_conversation
    from chat.conversations.models import Message, Role
    from chat.model_cards.selection import default_model

    made = create_conversation(owner=owner, model=default_model(), title=f"{length:,}")
    keys = [uuid4() for _ in range(length)]
    roles = (Role.USER, Role.ASSISTANT)
    messages = [
        Message(id=key, conversation=made, parent_id=above, role=roles[n % 2], text=f"{n} {TEXT}")
        for n, (key, above) in enumerate(zip(keys, [None, *keys], strict=False))
    ]
    Message.objects.bulk_create(messages, batch_size=500)
    set_leaf(owner, messages[-1])
    return made


class Reader:
    """One person's browser, without one."""

    def __init__(self, owner: Any) -> None:
        from django.test import Client

        self.owner = owner
        self.client = Client(headers={"host": "localhost"})
        self.client.force_login(owner)

    def open(self, conversation: Any) -> None:
        assert self.client.get(conversation.get_absolute_url()).status_code == 200

    def newest(self, conversation: Any) -> None:
        assert self.client.get(f"/api/conversations/{conversation.pk}/messages/").status_code == 200

    def append(self, conversation: Any) -> None:
        """Does what the websocket's `send` does, to the commit and into the queue."""
        from chat.conversations.branches import current_leaf
        from chat.turns.question import Question
        from chat.turns.starting import send

        leaf = current_leaf(self.owner, conversation)
        assert leaf is not None
        send(
            user=self.owner,
            conversation_id=conversation.pk,
            parent_id=leaf.pk,
            question=Question("And one question more."),
            client_id=uuid4().hex,
        )

    def answer(self, conversation: Any) -> None:
        """The reply that `append` asked for ends, and goes with its question: lengths stay as they are."""
        from chat.conversations.branches import delete_branch
        from chat.turns import submission
        from chat.turns.models import Generation
        from chat.turns.settlement import finish
        from inference.contract import Reason

        row = Generation.objects.live().get(message__conversation=conversation)
        submission.end(row.pk, row.attempt, Reason.STOP)
        assert finish(row.pk, row.attempt)
        assert row.message.parent is not None
        delete_branch(row.message.parent)


def measure() -> None:
    prepare()
    from django.conf import settings
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    settings.DAILY_TOKENS = 10**9
    owner = fill()
    talks = [talk(owner, length) for length in LENGTHS]
    analyze()
    reader = Reader(owner)
    told: dict[str, Any] = {"times": {}, "queries": {}}
    for deed in (reader.open, reader.newest, reader.append):
        counts, rounds = [], []
        for number in range(ROUNDS + 1):  # the first one is what a process does once
            medians = []
            for conversation in talks:
                with CaptureQueriesContext(connection) as queries:
                    deed(conversation)
                counts.append(len(queries))
                if deed == reader.append:
                    reader.answer(conversation)
                medians.append(middle(reader, deed, conversation))
            if number:
                rounds.append(medians)
        told["times"][deed.__name__] = list(zip(*rounds, strict=True))
        told["queries"][deed.__name__] = counts[-2:]
    print(json.dumps(told))


def middle(reader: Reader, deed: Any, conversation: Any) -> float:
    times = []
    for _ in range(EACH):
        times.append(clocked(lambda: deed(conversation)))
        if deed == reader.append:
            reader.answer(conversation)
    return statistics.median(times)


DEEDS = {"open": "opening the page of", "newest": "the newest messages of", "append": "a question more in"}


def run() -> list[Figure]:
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        redis = EmbeddedRedis(folder, aof=False).start()
        try:
            for kind, told in each("tests.bench.opening", REDIS_URL=redis.url):
                for deed, words in DEEDS.items():
                    taken += _figures(f"{words} a conversation of {{:,}} messages, {kind}", told, deed)
        finally:
            redis.stop()
    return taken


def _figures(name: str, told: Any, deed: str) -> list[Figure]:
    long, short = told["times"][deed]
    many, few = told["queries"][deed]
    beside = f"{name.format(LENGTHS[0])}, beside {LENGTHS[1]}"
    return [
        figure(name.format(LENGTHS[0]), long, "ms", floor=FLOOR_MS, aim=50),
        figure(beside, long, "ms", against=short, floor=FLOOR_RATIO, aim=1.2),
        figure(f"{beside}: queries", [many], "", against=[few], floor=1.0),
    ]


if __name__ == "__main__":
    measure()
