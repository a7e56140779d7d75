"""What the demo model reads: our own text (`authored.txt`), text made by rule here, and a little open data.

Everything is drawn from one seeded generator, so the same corpus gives the same stream of conversations. The
open data is read from a folder given on the command line and is no part of this repository; `model/README.md`
lists it.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

Message = dict[str, str]
Exchange = tuple[str, str]

AUTHORED = Path(__file__).with_name("authored.txt")

# Word lists of our own. "countries" are those to ask a tiny model about; more would only teach it to guess.
WORDS: dict[str, list[str]] = json.loads(Path(__file__).with_name("words.json").read_text(encoding="utf-8"))


@dataclass
class Group:
    """Some ways to ask one thing, and some ways to answer it."""

    topic: str
    french: bool
    questions: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)


def read_authored(path: Path = AUTHORED) -> list[Group]:
    groups: list[Group] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        mark, text = line[:2], line[2:].strip().replace("\\n", "\n")
        if mark == "# ":
            groups.append(Group(text.removesuffix(" [fr]"), text.endswith("[fr]")))
        elif mark == "? ":
            groups[-1].questions.append(text)
        elif mark == "! ":
            groups[-1].answers.append(text)
    return [group for group in groups if group.questions]  # the opening comment is no group


# -- the same question, as people type it --------------------------------------------

OPENINGS = (
    "Hello! ",
    "Hi, ",
    "Hi! ",
    "Hey, ",
    "Please tell me: ",
    "Tell me, ",
    "Quick question: ",
    "So, ",
    "And ",
)
OPENINGS_FR = ("Bonjour, ", "Bonjour ! ", "Salut, ", "Dis-moi : ", "Alors, ")


def as_typed(text: str, rng: random.Random, french: bool = False) -> str:
    """Vary case, punctuation, openings, and sometimes swap two letters."""
    if rng.random() < 0.12 and len(text) > 12:
        text = rng.choice(OPENINGS_FR if french else OPENINGS) + text[0].lower() + text[1:]
    if rng.random() < 0.25:
        text = text.lower()
    if rng.random() < 0.25:
        text = text.rstrip(" .?!")
    elif rng.random() < 0.08:
        text = text.rstrip(" .?!") + rng.choice(("!", " ?", "??", "...", " please", "."))
    if rng.random() < 0.05 and len(text) > 8:
        at = rng.randrange(1, len(text) - 2)
        text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text or "Hello"


# -- text made by rule ---------------------------------------------------------------


def small_sum(rng: random.Random) -> Exchange:
    a, b = rng.randint(0, 10), rng.randint(0, 10)
    sign, result = rng.choice((("+", a + b), ("+", a + b), ("-", a), ("*", a * b)))
    if sign == "-":
        a = a + b
    words = {"+": "plus", "-": "minus", "*": "times"}[sign]
    asked = rng.choice(
        ("{a} {s} {b}", "What is {a} {s} {b}?", "What is {a} {w} {b}?", "{a}{s}{b}", "{a} {s} {b} = ?")
    )
    return asked.format(a=a, s=sign, b=b, w=words), f"{a} {sign} {b} = {result}."


def too_small(rng: random.Random) -> Exchange:
    if rng.random() < 0.5:
        asked = rng.choice(WORDS["ask_topic"]).format(rng.choice(WORDS["topics"]))
    else:
        asked = rng.choice(WORDS["ask_unknown"]).format(
            year=rng.randint(1900, 2025),
            name=rng.choice(WORDS["names"]),
            place=rng.choice(WORDS["countries"]),
            n=rng.randint(2, 99),
        )
    return asked, rng.choice(WORDS["too_small"])


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


def story(question: str, answer: str) -> bool:
    return "story" in question.lower()


def known_country(question: str, answer: str) -> bool:
    asks = re.search(r"capital|continent|Where is", question)
    return (
        bool(asks)
        and "[" not in answer
        and any(re.search(rf"\b{country}\b", question) for country in WORDS["countries"])
    )


def any_pair(question: str, answer: str) -> bool:
    return True


class Recipe:
    """An endless, seeded stream of conversations."""

    def __init__(self, corpus: Path, seed: int = 0) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - no secret
        self.groups = read_authored()
        self.topic = {group.topic: group for group in self.groups}
        # Who it is and how to greet must be right above all; these groups are drawn more often.
        first = {
            "who",
            "grok",
            "hello",
            "how are you",
            "what can do",
            "can do",
            "grokweb",
            "other assistants",
            "thanks",
        }
        french_first = {"ecrire", "qui", "ca va", "es-tu grok", "merci"}
        self.weights = [
            3.0 if g.topic in first else 2.5 if g.topic in french_first else 1.0 for g in self.groups
        ]
        self.open = {
            "story": read_pairs(corpus / "generated.jsonl", story),
            "country": read_pairs(corpus / "country-json.jsonl", known_country),
            "corpora": read_pairs(corpus / "corpora-cc0.jsonl", lambda q, a: len(a) < 80),
            "tatoeba": read_pairs(corpus / "tatoeba-en-fr.jsonl", short_sentence),
            "wordnet": read_pairs(corpus / "wordnet-definitions.jsonl", any_pair),
        }

    def exchanges(self) -> list[Exchange]:
        """One or two exchanges that belong together."""
        kind = self.rng.choices(list(self.KINDS), list(self.KINDS.values()))[0]
        made: list[Exchange] = getattr(self, f"_{kind}")()
        return made

    # How often each kind of exchange comes up; each has a method of its name.
    KINDS = {
        "authored": 54,
        "follow_up": 6,
        "too_small": 9,
        "declined": 5,
        "chatter": 6,
        "sum": 8,
        "name": 5,
        "country": 6,
        "phrase": 2,
        "story": 3,
        "corpora": 0.5,
    }

    def _authored(self) -> list[Exchange]:
        group = self.rng.choices(self.groups, self.weights)[0]
        return [self._ask(group)]

    def _ask(self, group: Group) -> Exchange:
        asked = as_typed(self.rng.choice(group.questions), self.rng, group.french)
        return asked, self.rng.choice(group.answers)

    def _follow_up(self) -> list[Exchange]:
        """A second question that only makes sense after the first."""
        first, asked, then = self.rng.choice(WORDS["follow_ups"]).split("|")
        opening = self._ask(self.topic[first])
        others = [answer for answer in self.topic[then].answers if answer != opening[1]]
        return [opening, (as_typed(asked, self.rng), self.rng.choice(others or self.topic[then].answers))]

    def _too_small(self) -> list[Exchange]:
        question, answer = too_small(self.rng)
        return [(as_typed(question, self.rng), answer)]

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

    def _sum(self) -> list[Exchange]:
        return [small_sum(self.rng)]

    def _name(self) -> list[Exchange]:
        return name_talk(self.rng)

    def _country(self) -> list[Exchange]:
        question, answer = self.rng.choice(self.open["country"])
        return [(as_typed(question, self.rng), answer)]

    def _phrase(self) -> list[Exchange]:
        english, french = self.rng.choice(WORDS["phrases"]).split("=")
        asked = self.rng.choice(
            (
                'How do you say "{}" in French?',
                "What is {} in French?",
                "Translate to French: {}",
                'In French: "{}"',
            )
        )
        return [(as_typed(asked.format(english), self.rng), f'In French: "{french}".')]

    def _story(self) -> list[Exchange]:
        return [self.rng.choice(self.open["story"])]

    def _corpora(self) -> list[Exchange]:
        return [self.rng.choice(self.open["corpora"])]

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
            yield self.conversation(self.rng.choices((1, 2, 3, 5), (55, 25, 12, 8))[0])

    def tokenizer_text(self) -> list[str]:
        """Sentences for the tokenizer: our own text many times over, then a share of the open data."""
        own = [text for group in self.groups for text in (*group.questions, *group.answers)] * 40
        rng = random.Random(1)  # noqa: S311
        pairs = [
            pair
            for name in sorted(self.open)
            for pair in rng.sample(self.open[name], min(6000, len(self.open[name])))
        ]
        return (
            own
            + [text for pair in pairs for text in pair]
            + [text for _ in range(3000) for text in too_small(rng)]
        )
