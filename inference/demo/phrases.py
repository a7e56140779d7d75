"""Our own text for the demo model: intents, the ways to ask for them, and the answers (`text/*.txt`).

A file is made of groups, each an intent in one language:

    # share [fr]                               the intent; [fr] marks French
    ? (comment|puis-je) partager [ça]          a question: (a|b) is a choice, [x] may be left out, <list> is a
                                               list of words.json
    ! Appuyez sur {Share} en haut.             an answer; {Share} is what the interface calls it in that
                                               language: no answer can name a button that is not there
    + et pour l'enlever ? => unshare           a question that only makes sense after this one, and its intent
    = Turn off                                 a feature of the page that it explains (test_demo_features.py)
    ---                                        a remark: lines that begin otherwise are not read

A group may be continued in another file. \\n in an answer is a line break.
"""

from __future__ import annotations

import json
import random
import re
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
TEXT = HERE / "text"
HELD_OUT = HERE / "held_out.txt"
FRESH = HERE / "held_out_fresh.txt"
FEATURES = HERE / "held_out_features.txt"
PROBES = (HELD_OUT, FRESH, FEATURES)
CATALOGUES = HERE.parents[1] / "locale" / "fr" / "LC_MESSAGES"

LABEL = re.compile(r"\{([^}]+)\}")

# Word lists of our own. "countries" are those to ask a tiny model about; more would only teach it to guess.
WORDS: dict[str, list[str]] = json.loads((HERE / "words.json").read_text(encoding="utf-8"))


@dataclass
class Group:
    """Several ways to ask one thing in one language, and several ways to answer it."""

    intent: str
    french: bool
    questions: list[str] = field(default_factory=list)  # templates
    answers: list[str] = field(default_factory=list)
    follow_ups: list[tuple[str, str]] = field(default_factory=list)  # template, intent
    features: list[str] = field(default_factory=list)  # as the interface or the code calls them
    named: set[str] = field(default_factory=set)  # labels of the interface that its answers name

    @property
    def key(self) -> tuple[str, bool]:
        return self.intent, self.french


def read_groups(folder: Path = TEXT, names: str = "*.txt") -> dict[tuple[str, bool], Group]:
    """Returns the groups of the named files by (intent, French?); raises ValueError for an unexpected
    line.
    """
    groups: dict[tuple[str, bool], Group] = {}
    for file in sorted(folder.glob(names)):
        group: Group | None = None
        for line in file.read_text(encoding="utf-8").splitlines():
            mark, text = line[:2], line[2:].strip()
            if mark == "# ":
                intent, french = text.removesuffix(" [fr]"), text.endswith(" [fr]")
                group = groups.setdefault((intent, french), Group(intent, french))
            elif mark in ("? ", "! ", "+ ", "= "):
                if group is None:
                    raise ValueError(f"{file.name}: {line!r} belongs to no intent")
                _add(group, mark, text)
    return groups


def _add(group: Group, mark: str, text: str) -> None:
    if mark == "? ":
        group.questions.append(text)
    elif mark == "! ":
        group.named |= set(LABEL.findall(text))
        group.answers.append(with_labels(text.replace("\\n", "\n"), group.french))
    elif mark == "= ":
        group.features.append(text)
    else:
        asked, intent = text.rsplit(" => ", 1)
        group.follow_ups.append((asked, intent))


# -- labels of the interface ---------------------------------------------------------


@cache
def labels() -> dict[str, str]:
    """Returns the French of every text of the interface, from the message catalogues (entries of one
    line).
    """
    found: dict[str, str] = {}
    for file in sorted(CATALOGUES.glob("*.po")):
        text = file.read_text(encoding="utf-8")
        found |= dict(re.findall(r'^msgid "(.+)"\nmsgstr "(.+)"$', text, re.MULTILINE))
    return found


def with_labels(answer: str, french: bool) -> str:
    """Replaces {label} by the label in that language; raises KeyError for one that the interface does not
    have.
    """

    def shown(found: re.Match[str]) -> str:
        label = str(found[1])
        in_french = labels()[label]
        return in_french if french else label

    return LABEL.sub(shown, answer)


# -- templates -----------------------------------------------------------------------

INNERMOST = re.compile(r"\(([^()\[\]]*)\)|\[([^()\[\]]*)\]|<(\w+)>")


def expand(template: str, rng: random.Random) -> str:
    """Returns one of the texts that a template stands for."""

    def choose(found: re.Match[str]) -> str:
        choice, option, words = found.groups()
        if words:
            return rng.choice(WORDS[words])
        if option is not None and rng.random() < 0.5:
            return ""
        chosen: str = choice if choice is not None else option
        return rng.choice(chosen.split("|"))

    while (text := INNERMOST.sub(choose, template)) != template:
        template = text
    return re.sub(r"  +", " ", template).strip()


def variants(template: str, most: int = 400, seed: int = 1) -> set[str]:
    """Returns different texts of a template, as many as `most` tries produce."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    return {expand(template, rng) for _ in range(most if INNERMOST.search(template) else 1)}


def plain(text: str) -> str:
    """Reduces a question to what is left without case, accents' marks, punctuation and spaces."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in letters if c.isalnum())


@cache
def pattern(template: str) -> re.Pattern[str]:
    """Matches the `plain` form of exactly the texts a template stands for."""

    def piece(part: str) -> str:
        if part[0] == "<":
            return "(?:" + "|".join(plain(word) for word in WORDS[part[1:-1]]) + ")"
        return {"(": "(?:", "[": "(?:", "]": ")?"}.get(part) or (part if part in ")|" else plain(part))

    return re.compile("".join(piece(part) for part in re.findall(r"<\w+>|[()\[\]|]|[^()\[\]|<]+", template)))


# -- what is held out ----------------------------------------------------------------


@dataclass(frozen=True)
class Probe:
    """A question that is never in the training data, and the intents that may answer it."""

    kind: str  # product, identity, small, french, chat, feature
    intents: tuple[str, ...]
    french: bool
    question: str


def read_probes(file: Path = HELD_OUT) -> list[Probe]:
    probes: list[Probe] = []
    kind, french = "", False
    intents: tuple[str, ...] = ()
    for line in file.read_text(encoding="utf-8").splitlines():
        mark, text = line[:2], line[2:].strip()
        if mark == "= ":
            kind = text
        elif mark == "# ":
            intents, french = tuple(text.removesuffix(" [fr]").split(", ")), text.endswith(" [fr]")
        elif mark == "? ":
            probes.append(Probe(kind, intents, french, text))
    return probes
