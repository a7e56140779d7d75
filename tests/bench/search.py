"""Search as one types, and the sidebar: one person's 100,000 messages, 10,000 conversations, each database.

Words follow Zipf's law, as in a language: the most frequent is in most messages, the rarest in one or none.
Every fifth conversation is in Chinese: words of one to three letters, without spaces.
"""

from __future__ import annotations

import json
import random
import statistics
from itertools import accumulate
from typing import Any

from tests.bench.databases import analyze, clocked, each, prepare
from tests.bench.report import Figure, figure

CONVERSATIONS, MESSAGES_EACH, WORDS_EACH = 10_000, 10, 40
ROUNDS = 3
LETTERS = "aeiourstlnmdcp"
HAN_EACH = 5  # one conversation in so many


def vocabulary(dice: random.Random) -> list[str]:
    sizes = [3, 4, 5, 6, 7, 8, 9]
    words = dict.fromkeys("".join(dice.choices(LETTERS, k=dice.choice(sizes))) for _ in range(20_000))
    return sorted(words, key=lambda word: (len(word) + dice.random() * 6, word))  # short ones are frequent


def han_vocabulary(dice: random.Random) -> list[str]:
    letters = [chr(0x4E00 + 7 * n) for n in range(2_000)]
    sizes = [1, 2, 2, 2, 3]
    made = dict.fromkeys("".join(dice.choices(letters, k=dice.choice(sizes))) for _ in range(10_000))
    return sorted(made, key=len)


def han_questions(words: list[str], dice: random.Random) -> list[str]:
    """Single letters, words frequent and rare, and two words together as they stand in no text."""
    asked = [words[rank] for rank in (0, 1, 5, 20, 100, 500, 1_000, 2_000, 4_000, 8_000, len(words) - 1)]
    asked += [word[0] for word in asked] + [word + words[dice.randrange(2_000)] for word in asked]
    return asked


def questions(words: list[str], dice: random.Random) -> list[str]:
    """Returns queries as people type them: prefixes of frequent and rare words, alone and in pairs."""
    asked = []
    for rank in (0, 1, 5, 20, 100, 500, 2_000, 5_000, 10_000, len(words) - 1):
        asked += [words[rank][:length] for length in range(2, len(words[rank]) + 1)]
        asked.append(f"{words[rank]} {words[dice.randrange(200)]}")
    return [*asked, "zzzz", f"{words[0]} {words[1]} {words[2]}", f"{words[0]} zzzz"]


def fill(words: list[str], han: list[str], dice: random.Random) -> Any:
    from django.db import transaction

    from chat.accounts.models import User
    from chat.conversations.models import Conversation, Message, Role
    from chat.model_cards.models import ModelCard

    model = ModelCard.objects.create(slug="scripted", name="Scripted", is_default=True)
    weights, han_weights = (
        list(accumulate(1 / (rank + 1) for rank in range(len(each)))) for each in (words, han)
    )

    def text(conversation: int, size: int) -> str:
        if conversation % HAN_EACH == 0:
            return "".join(dice.choices(han, cum_weights=han_weights, k=size))
        return " ".join(dice.choices(words, cum_weights=weights, k=size))

    owner, other = (User.objects.create(email=f"{name}@example.org") for name in ("alice", "bob"))
    for person, count in ((owner, CONVERSATIONS), (other, CONVERSATIONS // 10)):
        for first in range(0, count, 500):
            with transaction.atomic():
                talks = Conversation.objects.bulk_create(
                    Conversation(
                        owner=person,
                        model=model,
                        title=text(number, 4),
                    )
                    for number in range(min(500, count - first))
                )
                Message.objects.bulk_create(
                    Message(
                        conversation=each,
                        role=Role.USER,
                        text=text(number, WORDS_EACH),
                    )
                    for number, each in enumerate(talks)
                    for _ in range(MESSAGES_EACH)
                )
    return owner


def measure() -> None:
    """Prints the milliseconds of each round; runs in a process whose environment names an empty database."""
    prepare()
    from chat.conversations import sidebar
    from chat.search.services import search

    dice = random.Random(5)
    words, han = vocabulary(dice), han_vocabulary(dice)
    owner = fill(words, han, dice)
    asked, asked_han = questions(words, dice), han_questions(han, dice)
    analyze()

    def p95(all_asked: list[str]) -> float:
        times = [clocked(lambda question=question: search(owner, question)) for question in all_asked]
        return statistics.quantiles(times, n=20)[-1]

    found, found_han, listed = [], [], []
    for _ in range(ROUNDS):
        found.append(p95(asked))
        found_han.append(p95(asked_han))
        listed.append(statistics.median(clocked(lambda: sidebar.first_page(owner)) for _ in range(9)))
    told = {"found": found, "found_han": found_han, "listed": listed}
    print(json.dumps({**told, "questions": len(asked), "questions_han": len(asked_han)}))


def run() -> list[Figure]:
    taken = []
    for kind, told in each("tests.bench.search"):
        about = f"{CONVERSATIONS * MESSAGES_EACH:,} messages of one person, {kind}"
        name = f"search, p95 of {told['questions']} questions: {about}"
        taken.append(figure(name, told["found"], "ms", floor=50, aim=20))
        name = f"search, p95 of {told['questions_han']} Chinese questions: {about}"
        taken.append(figure(name, told["found_han"], "ms", floor=50, aim=20))
        name = f"sidebar: {CONVERSATIONS:,} conversations, {kind}"
        taken.append(figure(name, told["listed"], "ms", floor=200, aim=20))
    return taken


if __name__ == "__main__":
    measure()
