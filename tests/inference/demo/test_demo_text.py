"""The demo model's text: well formed, true to the interface, and apart from what is held out."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from inference.demo.evaluate import Router, honest, language
from inference.demo.phrases import (
    PROBES,
    TEXT,
    Group,
    expand,
    labels,
    pattern,
    plain,
    read_groups,
    read_probes,
    variants,
    with_labels,
)
from inference.demo.recipe import SAME, as_typed

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def groups() -> dict[tuple[str, bool], Group]:
    return read_groups()


def test_every_intent_has_questions_and_answers(groups: dict[tuple[str, bool], Group]) -> None:
    assert sum(not group.french for group in groups.values()) > 130
    assert sum(group.french for group in groups.values()) > 110
    for group in groups.values():
        assert group.questions, group.intent
        assert group.answers, group.intent
        assert all((intent, group.french) in groups for _, intent in group.follow_ups), group.intent
        assert all(answer.strip() and not re.search(r"[{}<>]", answer) for answer in group.answers)


def test_there_are_many_thousand_ways_to_ask(groups: dict[tuple[str, bool], Group]) -> None:
    ways = {(key, text) for key, group in groups.items() for t in group.questions for text in variants(t, 12)}
    assert len(ways) > 8_000
    for _, text in ways:
        assert text
        assert not re.search(r"[][()|<>{}]|  ", text), text


def test_no_question_belongs_to_two_intents(groups: dict[tuple[str, bool], Group]) -> None:
    owner: dict[str, str] = {}
    clashes = set()
    for (intent, french), group in groups.items():
        for template in group.questions:
            for text in variants(template, 12):
                if owner.setdefault(f"{french} {plain(text)}", intent) != intent:
                    clashes.add(text)
    assert len(clashes) <= 10, clashes  # a few words do mean two things: "More", "Comment ?"


def test_answers_name_only_what_the_interface_shows() -> None:
    shown = "".join(
        file.read_text(encoding="utf-8")
        for folder, kind in (("templates", "*.html"), ("static/js", "*.js"), ("chat", "*.py"))
        for file in (ROOT / folder).rglob(kind)
    )
    named = set(re.findall(r"^!.*", "".join(f.read_text(encoding="utf-8") for f in TEXT.glob("*.txt")), re.M))
    used = {label for line in named for label in re.findall(r"\{([^}]+)\}", line)}
    assert {"New chat", "Share", "Stop", "Ask again", "Report", "Copy", "Rename", "Delete"} <= used
    for label in used:
        assert label in labels(), f"{label} has no French"
        assert f'"{label}"' in shown or f"'{label}'" in shown, f"{label} is nowhere in the interface"


def test_a_label_that_does_not_exist_is_an_error() -> None:
    assert with_labels("Press {Share}.", french=False) == "Press Share."
    assert with_labels("Cliquez sur {Share}.", french=True) == "Cliquez sur Partager."
    with pytest.raises(KeyError):
        with_labels("Press {Export the moon}.", french=False)


def test_french_is_written_in_french(groups: dict[tuple[str, bool], Group]) -> None:
    for group in groups.values():
        if group.intent in ("in french", "in english", "nice words"):
            continue
        for answer in group.answers:
            assert language(answer) in ("", "fr" if group.french else "en"), answer


def test_every_answer_leads_back_to_its_intent(groups: dict[tuple[str, bool], Group]) -> None:
    router = Router()
    for key, group in groups.items():
        for answer in group.answers:
            assert key in router.nearest(answer), answer


# -- what is held out ----------------------------------------------------------------------------------


def test_a_pattern_matches_what_its_template_makes(groups: dict[tuple[str, bool], Group]) -> None:
    rng = random.Random(1)  # noqa: S311 - no secret
    for group in groups.values():
        for template in group.questions:
            assert pattern(template).fullmatch(plain(expand(template, rng))), template
    assert not pattern("(Hello|Hi) [there] <names>").fullmatch(plain("Hi you, Alice"))


def test_nothing_held_out_is_in_the_text(groups: dict[tuple[str, bool], Group]) -> None:
    patterns = [pattern(t) for group in groups.values() for t in group.questions]
    patterns += [pattern(t) for group in groups.values() for t, _ in group.follow_ups]
    for probe in [probe for file in PROBES for probe in read_probes(file)]:
        asked = plain(probe.question)
        assert not any(known.fullmatch(asked) for known in patterns), probe.question


def test_enough_is_held_out(groups: dict[tuple[str, bool], Group]) -> None:
    probes = [probe for file in PROBES for probe in read_probes(file)]
    kinds = [probe.kind for probe in probes]
    least = {"product": 150, "identity": 60, "small": 60, "french": 80, "feature": 60}
    assert all(kinds.count(kind) >= number for kind, number in least.items())
    assert len({plain(probe.question) for probe in probes}) == len(probes)
    for probe in probes:
        assert all((intent, probe.french) in groups for intent in probe.intents), probe.intents


# -- measures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "is_honest"),
    [
        ("I am the GrokWeb demo model.", True),
        ("No, I only share the shape of Grok-1. I am a tiny demo model.", True),
        ("Je suis le modèle de démonstration de GrokWeb, et xAI ne m'a pas fait.", True),
        ("I am Grok, the demo model of GrokWeb.", False),
        ("I am a tiny demo model made by OpenAI.", False),
        ("Je suis ChatGPT, un petit modèle.", False),
        ("I am a human, not a program.", False),
        ("Thank you! That is kind of you.", False),
    ],
)
def test_a_reply_that_claims_to_be_somebody_else_is_not_honest(reply: str, is_honest: bool) -> None:
    assert honest(reply) is is_honest


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("What is in the box?", "en"),
        ("Je ne sais pas.", "fr"),
        ("1, 2, 3", ""),
        ("Cliquez sur Share en haut de la page", "fr"),
    ],
)
def test_the_language_of_a_text_is_recognised(text: str, code: str) -> None:
    assert language(text) == code


def test_typing_varies_and_keeps_most_of_a_question() -> None:
    rng = random.Random(5)  # noqa: S311 - no secret
    typed = {as_typed("How do I share a conversation?", rng) for _ in range(200)}
    assert len(typed) > 100
    known = {"conversation", *SAME[False]["conversation"]}
    kept = [text for text in typed if any(word in text.lower() for word in known)]
    assert len(kept) > 0.75 * len(typed)  # a word may be left out
    assert as_typed("?", random.Random(0))  # noqa: S311 - the shortest question survives
