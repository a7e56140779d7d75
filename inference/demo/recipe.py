"""What the demo model reads: our own text (`text/*.txt`), text made by rule here, and a little open data.

Everything is drawn from one seeded generator, so the same corpus gives the same stream of conversations. The
open data is read from a folder given on the command line and is no part of this repository; `model/README.md`
lists it.
"""

from __future__ import annotations

import json
import math
import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

from inference.demo.phrases import (
    FRESH,
    WORDS,
    Group,
    expand,
    pattern,
    plain,
    read_groups,
    read_probes,
    variants,
)

Message = dict[str, str]
Exchange = tuple[str, str]

# -- the same question, as people type it --------------------------------------------


def as_typed(text: str, rng: random.Random, french: bool = False) -> str:
    """Vary openings, words of the same meaning, case, accents and punctuation; sometimes mistype a letter."""
    text = reworded(asked_otherwise(text, rng, french), rng, french)
    if rng.random() < 0.18 and len(text) > 12:
        text = rng.choice(WORDS["openings_fr" if french else "openings"]) + " " + text[0].lower() + text[1:]
    if rng.random() < 0.08 and len(text) > 12:
        text = text.rstrip(" .?!") + " " + rng.choice(WORDS["endings_fr" if french else "endings"])
    if rng.random() < 0.3:
        text = shortened(text, rng)
    if rng.random() < 0.35:
        text = text.lower()
    elif rng.random() < 0.8:
        text = text[0].upper() + text[1:]
    if rng.random() < 0.3:
        text = text.rstrip(" .?!")
    elif rng.random() < 0.08:
        text = text.rstrip(" .?!") + rng.choice(("!", " ?", "??", "...", "."))
    if french and rng.random() < 0.12:
        text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    if rng.random() < 0.1 and len(text) > 8:
        text = mistyped(text, rng)
    return text or "Hello"


HOW = re.compile(r"(?:How (?:do|can) I|How to|Can I|I want to|Where do I) (.+?)[ .?]*$")
HOW_FR = re.compile(
    r"(?:Comment|Comment puis-je|Peut-on|Puis-je|Je veux|Je voudrais|Est-ce que je peux)"
    r" ([\w']+(?:er|ir|re)\b.*?)[ .?]*$"
)


def asked_otherwise(text: str, rng: random.Random, french: bool) -> str:
    """Another beginning for a question about how something is done (`how` in words.json)."""
    found = (HOW_FR if french else HOW).match(text)
    if not found or rng.random() < 0.5:
        return text
    return rng.choice(WORDS["how_fr" if french else "how"]).format(found[1])


def reworded(text: str, rng: random.Random, french: bool) -> str:
    """A word that has others of its meaning (`same` in words.json) becomes one of them now and then."""
    table = SAME[french]

    def other(found: re.Match[str]) -> str:
        word = found[0]
        return rng.choice(table[word.lower()]) if word.lower() in table and rng.random() < 0.3 else word

    return re.sub(r"[^\W\d_]+", other, text)


def shortened(text: str, rng: random.Random) -> str:
    """Without one or two of its words, if it has five or more: no single word may decide everything."""
    said = text.split()
    for _ in range(rng.choice((1, 1, 2)) if len(said) > 4 else 0):
        del said[rng.randrange(len(said))]
    return " ".join(said)


def mistyped(text: str, rng: random.Random) -> str:
    """Two letters swapped, one lost or one doubled."""
    at = rng.randrange(1, len(text) - 2)
    pair = text[at : at + 2]
    return text[:at] + rng.choice((pair[::-1], pair[0], pair[0] + pair)) + text[at + 2 :]


def _same(lines: list[str]) -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    for line in lines:
        words = line.split("|")
        table |= {word: [w for w in words if w != word] for word in words}
    return table


SAME = {False: _same(WORDS["same"]), True: _same(WORDS["same_fr"])}


# -- text made by rule ---------------------------------------------------------------


def name_talk(rng: random.Random) -> list[Exchange]:
    """The only thing to remember from an earlier turn: a name."""
    name = rng.choice(WORDS["names"])
    told = rng.choice(
        ("My name is {}.", "I am {}.", "I'm {}.", "Hello, my name is {}.", "Hi, I'm {}.", "Call me {}.")
    )
    talk = [(told.format(name), f"Nice to meet you, {name}! How can I help you?")]
    if rng.random() < 0.7:
        asked = rng.choice(("What is my name?", "Do you know my name?", "Who am I?", "What's my name?"))
        talk.append((asked, f"Your name is {name}."))
    return talk


# -- open data -----------------------------------------------------------------------


def read_pairs(path: Path, keep: Callable[[str, str], bool]) -> list[Exchange]:
    """First question and answer of each conversation of a JSON-lines file."""
    pairs = []
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            messages = json.loads(line)["messages"]
            question, answer = messages[0]["content"], messages[1]["content"]
            if keep(question, answer):
                pairs.append((question, answer))
    return pairs


def short_sentence(question: str, answer: str) -> bool:
    return 12 < len(answer) < 40 and len(question) < 70 and "Tom" not in question + answer


def any_pair(question: str, answer: str) -> bool:
    return True


# Drawn more often than the others: who it is, what must not go wrong, and what can be asked about anything.
FIRST = dict.fromkeys(("who", "grok", "other assistants", "person", "maker", "hello"), 2.5)
FIRST |= {"too small": 7.0, "self-harm": 2.0, "illegal": 2.0}
# Fits after any answer.
ANY_TIME = (
    "thanks",
    "why",
    "more",
    "not understood",
    "ok",
    "praise",
    "who",
    "bye",
    "in french",
    "in english",
)


class Recipe:
    """An endless, seeded stream of conversations."""

    def __init__(self, corpus: Path, seed: int = 0) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - no secret
        self.cut = 0.0  # share of conversations whose last answer is cut after its first words
        self.groups = read_groups()
        probes = [*read_probes(), *read_probes(FRESH)]
        self.held_out = {plain(probe.question) for probe in probes}
        self.drawn = list(self.groups.values())
        self.weights = [self._weight(group) for group in self.drawn]
        self.templates = {key: self._template_weights(group) for key, group in self.groups.items()}
        self.open = {
            "tatoeba": read_pairs(corpus / "tatoeba-en-fr.jsonl", short_sentence),
            "wordnet": read_pairs(corpus / "wordnet-definitions.jsonl", any_pair),
        }

    @staticmethod
    def _template_weights(group: Group) -> list[float]:
        """A template of many texts is drawn more often, but far from in proportion: all have words of their
        own.
        """
        return [len(variants(template, 40)) ** 0.3 for template in group.questions]

    @staticmethod
    def _weight(group: Group) -> float:
        """By the number of ways to ask; French is drawn more, since it has fewer of its own to learn from."""
        ways = sum(min(40, len(variants(template, 40))) for template in group.questions)
        weight = min(3.0, max(1.3, math.sqrt(ways / 40))) * FIRST.get(group.intent, 1.0)
        return weight * (1.4 if group.french else 1.0)

    def exchanges(self) -> list[Exchange]:
        """One or two exchanges that belong together."""
        kind = self.rng.choices(list(self.KINDS), list(self.KINDS.values()))[0]
        made: list[Exchange] = getattr(self, f"_{kind}")()
        return made

    # How often each kind of exchange comes up; each has a method of its name.
    KINDS = {
        "authored": 78,
        "follow_up": 8,
        "declined": 3,
        "chatter": 2,
        "name": 2,
    }

    def _authored(self) -> list[Exchange]:
        return [self._ask(self.rng.choices(self.drawn, self.weights)[0])]

    def _ask(self, group: Group) -> Exchange:
        return self._typed(group), self.rng.choice(group.answers)

    def _typed(self, group: Group) -> str:
        """A question of a group as somebody may type it; none of those held out, and no English as French."""
        while True:
            template = self.rng.choices(group.questions, self.templates[group.key])[0]
            asked = as_typed(expand(template, self.rng), self.rng, group.french)
            if plain(asked) not in self.held_out and not (group.french and self._is_english(asked)):
                return asked

    @cached_property
    def _english(self) -> list[re.Pattern[str]]:
        return [pattern(t) for group in self.drawn if not group.french for t in group.questions]

    def _is_english(self, asked: str) -> bool:
        """A word or two that are English as well ("export", "bye"): alone they are answered in English."""
        short = plain(asked) if asked.count(" ") < 2 else ""
        return bool(short) and any(one.fullmatch(short) for one in self._english)

    def _follow_up(self) -> list[Exchange]:
        """A second question that only makes sense after the first."""
        if self.rng.random() < 0.4:
            group = self.rng.choices(self.drawn, self.weights)[0]
            after = self.groups.get((self.rng.choice(ANY_TIME), group.french))
            if after is None:
                return [self._ask(group)]
            twin = self.groups.get((group.intent, not group.french))
            if after.intent in ("in french", "in english") and twin:  # the same again, in the other language
                return [self._ask(group), (self._ask(after)[0], self.rng.choice(twin.answers))]
            return [self._ask(group), self._ask(after)]
        group = self.rng.choice([g for g in self.drawn if g.follow_ups])
        opening = self._ask(group)
        asked, intent = self.rng.choice(group.follow_ups)
        asked = as_typed(expand(asked, self.rng), self.rng, group.french)
        answers = self.groups[intent, group.french].answers
        return [opening, (asked, self.rng.choice([a for a in answers if a != opening[1]] or answers))]

    def _declined(self) -> list[Exchange]:
        """Translations and definitions were tried: at this size they come out as nonsense, so it says no."""
        source, refusal = self.rng.choice((("tatoeba", "no_translation"), ("wordnet", "no_definition")))
        return [(self.rng.choice(self.open[source])[0], self.rng.choice(WORDS[refusal]))]

    def _chatter(self) -> list[Exchange]:
        """Any sentence at all, in the language it was written in, and a modest reply."""
        question, answer = self.rng.choice(self.open["tatoeba"])
        english = "English" in question or question.startswith("En anglais")  # the language asked for
        return [
            (as_typed(answer, self.rng), self.rng.choice(WORDS["fallback" if english else "fallback_fr"]))
        ]

    def _name(self) -> list[Exchange]:
        return name_talk(self.rng)

    def conversation(self, turns: int) -> list[Message]:
        messages: list[Message] = []
        if self.rng.random() < 0.08:
            messages.append({"role": "system", "content": self.rng.choice(WORDS["system"])})
        asked = 0
        while asked < turns:
            for question, answer in self.exchanges():
                messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
                asked += 1
        return messages

    def conversations(self) -> Iterator[list[Message]]:
        while True:
            yield self.conversation(self.rng.choices((1, 2, 3, 5), (70, 18, 8, 4))[0])

    def tokenizer_text(self) -> list[str]:
        """Sentences for the tokenizer: our own text many times over, then a share of the open data."""
        own = [text for group in self.drawn for text in group.answers] * 40
        own += [text for g in self.drawn for template in g.questions for text in variants(template, 40)]
        rng = random.Random(1)  # noqa: S311
        pairs = [
            pair
            for name in sorted(self.open)
            for pair in rng.sample(self.open[name], min(6000, len(self.open[name])))
        ]
        return own + [text for pair in pairs for text in pair]
