"""Blocked patterns: what they refuse, that they count at once, and that none can hang or break a send."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from chat.core.entry_points import check_text
from chat.core.errors import BadInput, RefusedByRule
from chat.moderation import blocking, rule_kinds
from chat.moderation.models import Rule
from tests.chat.cast import Cast

ADD = "/admin/moderation/rule/add/"


def rule(pattern: str, applies: str = "prompt", **fields: object) -> Rule:
    return Rule.objects.create(name=pattern[:20], options={"pattern": pattern}, applies=applies, **fields)


def form(pattern: str, **fields: str) -> dict[str, str]:
    return {
        "name": "A rule",
        "kind": "pattern",
        "pattern-pattern": pattern,
        "applies": "prompt",
        "words": "",
        "active": "on",
        **fields,
    }


@pytest.mark.parametrize(
    "text",
    [
        "tell me about forbidden things",
        "FORBIDDEN",
        "line one\nforbidden",
        "ｆｏｒｂｉｄｄｅｎ",
        "for\u200bbid\u00adden",
        "𝐟𝐨𝐫𝐛𝐢𝐝𝐝𝐞𝐧",
    ],
)
def test_a_pattern_refuses_however_it_is_written(db: None, text: str) -> None:
    rule("forbidden", words="Not here, please.")
    with pytest.raises(RefusedByRule, match="Not here, please."):
        check_text("message", text)


@pytest.mark.parametrize(
    "unseen",
    [
        *("\u00ad", "\u034f", "\u061c", "\u115f", "\u1160", "\u180e", "\u200d", "\u202e", "\u2065", "\u20d2"),
        *("\u3164", "\ufe0f", "\uffa0", "\ufff9", "\U000e0061", "\U000e0100", "\x01", "\r", "\x85", "\u0336"),
    ],
)
def test_nothing_unseen_hides_a_word(cast: Cast, unseen: Any) -> None:
    rule("forbidden")
    for text in (unseen.join("forbidden"), f"forb{unseen * 3}idden"):
        with pytest.raises(RefusedByRule):
            check_text("message", text)


@pytest.mark.parametrize("text", ["hello", "", "forbid den", "forbid\nden", "forbid\tden"])
def test_other_texts_pass(db: None, text: str) -> None:
    rule("forbidden")
    check_text("message", text)


def test_rules_for_prompts_and_replies_are_kept_apart(db: None) -> None:
    rule("one", "prompt")
    two = rule("two", "reply", words="Stopped.")
    three = rule("three", "both")
    rule("four", "both", active=False)
    assert blocking.reply_rules() == [
        {"rule_id": str(three.pk), "pattern": "three"},
        {"rule_id": str(two.pk), "pattern": "two"},
    ]
    check_text("message", "two four")
    for refused in ("one", "three"):
        with pytest.raises(RefusedByRule):
            check_text("message", refused)
    assert blocking.reply_words(str(two.pk)) == "Stopped."
    for unknown in (str(three.pk), "999999", "", "no-number"):
        assert blocking.reply_words(unknown)


def test_a_rule_saved_in_the_admin_counts_for_the_next_message(cast: Cast) -> None:
    check_text("message", "sudo make me a sandwich")
    assert cast.client("staff").post(ADD, form("sand.ich", words="No food.")).status_code == 302
    with pytest.raises(RefusedByRule, match="No food."):
        check_text("message", "sudo make me a sandwich")
    saved = Rule.objects.get()
    change = f"/admin/moderation/rule/{saved.pk}/change/"
    cast.client("staff").post(change, {**form("sand.ich"), "active": ""})
    check_text("message", "sudo make me a sandwich")


@pytest.mark.django_db(transaction=True)
def test_a_rule_saved_elsewhere_counts_here_at_once() -> None:
    """Another connection stands for another web process: nothing is kept in between."""
    check_text("message", "fish")

    def elsewhere() -> None:
        rule("fish")
        connection.close()

    other = threading.Thread(target=elsewhere)
    other.start()
    other.join()
    with pytest.raises(RefusedByRule):
        check_text("message", "fish")


@pytest.mark.parametrize("pattern", ["a(", "x*", "", "   ", "(?=look)ahead", "a|", r"\p{L}{1000}", "^$"])
def test_patterns_that_cannot_work_are_not_saved(cast: Cast, pattern: str) -> None:
    response = cast.client("staff").post(ADD, form(pattern))
    assert response.status_code == 200
    assert "errorlist" in response.content.decode()
    assert not Rule.objects.exists()


def test_the_form_has_the_fields_of_every_kind_under_its_heading(cast: Cast) -> None:
    page = cast.client("moderator").get(ADD).content.decode()
    for kind in ("a pattern", "keys and tokens"):
        assert f"Only for the kind “{kind}”</h2>" in page
    assert 'name="pattern-pattern"' in page
    assert 'name="secrets-random"' in page
    assert " hidden" not in page[page.index("<fieldset") : page.rindex("</fieldset>")]  # a script hides them


def test_a_pattern_can_be_tried_first(cast: Cast) -> None:
    for text, word in [("a sandwich", "The rule matches"), ("a salad", "does not match")]:
        page = cast.client("staff").post(ADD, form("sand.ich", trial=text)).content.decode()
        assert word in page
    assert not Rule.objects.exists()


def test_an_unusable_rule_in_the_database_is_skipped(db: None, caplog: pytest.LogCaptureFixture) -> None:
    rule("broken(")
    rule("x*")
    rule("never", kind="no-such-kind")
    rule("works", "both")
    check_text("message", "x and never")
    with pytest.raises(RefusedByRule):
        check_text("message", "it works")
    assert [each["pattern"] for each in blocking.reply_rules()] == ["works"]
    assert "cannot be used" in caplog.text


def test_no_text_is_logged(db: None, caplog: pytest.LogCaptureFixture) -> None:
    rule("secret")
    rule("broken(")
    with pytest.raises(RefusedByRule):
        check_text("message", "my secret is 4711")
    assert "4711" not in caplog.text


def test_a_pattern_that_would_hang_python_s_engine_does_not_hang(db: None) -> None:
    """Python's engine would try 2^60,000 ways: a check that hung would end at pytest's time limit."""
    rule("(a+)+$")
    check_text("message", "a" * 60_000 + "!")


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(BadInput):
        rule_kinds.check_rule("no-such-kind", {"pattern": "x"})
