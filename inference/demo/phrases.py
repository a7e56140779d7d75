"""Our own text for the demo model: intents, the ways to ask for them, and the answers (`text/*.txt`).

A file is made of groups, each an intent in one language:

    # share [fr]                               the intent; [fr] marks French
    ? (comment|puis-je) partager [ça]          a question: (a|b) is a choice, [x] may be left out, <list> is a
                                               list of words.json
    ! Appuyez sur {Share} en haut.             an answer; {Share} is the label the interface shows in that
                                               language, so that an answer cannot name a button that is not there
    + et pour l'enlever ? => unshare           a question that only makes sense after this one, and its intent
    ---                                        a remark: lines that begin otherwise are not read

A group may be continued in another file. \\n in an answer is a line break.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
TEXT = HERE / "text"
CATALOGUES = HERE.parents[1] / "locale" / "fr" / "LC_MESSAGES"

# Word lists of our own. "countries" are those to ask a tiny model about; more would only teach it to guess.
WORDS: dict[str, list[str]] = json.loads((HERE / "words.json").read_text(encoding="utf-8"))


@dataclass
class Group:
    """Some ways to ask one thing in one language, and some ways to answer it."""

    intent: str
    french: bool
    questions: list[str] = field(default_factory=list)  # templates
    answers: list[str] = field(default_factory=list)
    follow_ups: list[tuple[str, str]] = field(default_factory=list)  # template, intent

    @property
    def key(self) -> tuple[str, bool]:
        return self.intent, self.french


def read_groups(folder: Path = TEXT) -> dict[tuple[str, bool], Group]:
    """(intent, French?) -> group, of all files of a folder; raises ValueError for a line out of place."""
    groups: dict[tuple[str, bool], Group] = {}
    for file in sorted(folder.glob("*.txt")):
        group: Group | None = None
        for line in file.read_text(encoding="utf-8").splitlines():
            mark, text = line[:2], line[2:].strip()
            if mark == "# ":
                intent, french = text.removesuffix(" [fr]"), text.endswith(" [fr]")
                group = groups.setdefault((intent, french), Group(intent, french))
            elif mark in ("? ", "! ", "+ "):
                if group is None:
                    raise ValueError(f"{file.name}: {line!r} belongs to no intent")
                _add(group, mark, text)
    return groups


def _add(group: Group, mark: str, text: str) -> None:
    if mark == "? ":
        group.questions.append(text)
    elif mark == "! ":
        group.answers.append(with_labels(text.replace("\\n", "\n"), group.french))
    else:
        asked, intent = text.rsplit(" => ", 1)
        group.follow_ups.append((asked, intent))


# -- labels of the interface ---------------------------------------------------------


@cache
def labels() -> dict[str, str]:
    """Every text of the interface -> its French, from the message catalogues (entries of one line)."""
    found: dict[str, str] = {}
    for file in sorted(CATALOGUES.glob("*.po")):
        text = file.read_text(encoding="utf-8")
        found |= dict(re.findall(r'^msgid "(.+)"\nmsgstr "(.+)"$', text, re.MULTILINE))
    return found


def with_labels(answer: str, french: bool) -> str:
    """{label} -> the label in that language; KeyError for a label that the interface does not have."""
    return re.sub(r"\{([^}]+)\}", lambda m: labels()[m[1]] if french else _known(m[1]), answer)


def _known(label: str) -> str:
    if label not in labels():
        raise KeyError(label)
    return label


# -- templates -----------------------------------------------------------------------

INNERMOST = re.compile(r"\(([^()\[\]]*)\)|\[([^()\[\]]*)\]|<(\w+)>")


def expand(template: str, rng: random.Random) -> str:
    """One of the texts a template stands for."""

    def choose(found: re.Match[str]) -> str:
        choice, option, words = found.groups()
        if words:
            return rng.choice(WORDS[words])
        if choice is not None:
            return rng.choice(choice.split("|"))
        return rng.choice(option.split("|")) if rng.random() < 0.5 else ""

    while (text := INNERMOST.sub(choose, template)) != template:
        template = text
    return re.sub(r"  +", " ", template).strip()


def variants(template: str, most: int = 400, seed: int = 1) -> set[str]:
    """Different texts of a template, as many as turn up in `most` tries."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    return {expand(template, rng) for _ in range(most if INNERMOST.search(template) else 1)}


def plain(text: str) -> str:
    """A question without what does not tell it apart: case, accents' forms, punctuation and double spaces."""
    return " ".join(re.findall(r"\w+", text.casefold().replace("’", "'")))
