"""Tests that a kind of rule with a fault stops nobody: its rules are skipped, and staff are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django import forms

from chat.core.entry_points import RuleScope, check_text
from chat.core.errors import BadInput, RefusedByRule
from chat.moderation import blocking, rule_kinds
from chat.moderation.models import Rule
from chat.moderation.rules import RULES
from chat.moderation.rules.base import RuleKind
from inference.base.findings import Finding
from tests.chat.cast import Cast

ADD = "/admin/moderation/rule/add/"
LIST = "/admin/moderation/rule/"
Options = Mapping[str, Any]

pytestmark = pytest.mark.django_db


class LongWords(RuleKind):
    """Declares a field and relies on the base class to check its values."""

    label = "long words"
    fields = {"most": forms.IntegerField(label="Letters at most", min_value=20)}

    def find(self, text: str, options: Options) -> Iterator[Finding]:
        if any(len(word) > options["most"] for word in text.split()):
            yield Finding(0, len(text))

    def summary(self, options: Options) -> str:
        return f"{options['most']} letters"


class Faulty(RuleKind):
    """Raises an error that quotes the text, wherever it is asked."""

    label = "faulty"

    def find(self, text: str, options: Options) -> Iterator[Finding]:
        raise LookupError(text)

    def for_replies(self, options: Options) -> str | None:
        raise LookupError


class BadPattern(RuleKind):
    label = "a pattern that RE2 refuses"

    def for_replies(self, options: Options) -> str | None:
        return "(?=ahead)"


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, made in [("long_words", LongWords), ("faulty", Faulty), ("bad_pattern", BadPattern)]:
        monkeypatch.setitem(RULES.table, name, f"{__name__}.{made.__name__}")
    yield
    monkeypatch.undo()
    RULES.reload()


def rule(kind: str, **options: object) -> Rule:
    return Rule.objects.create(name=kind, kind=kind, options=options, applies="both")


def form(kind: str, **fields: str) -> dict[str, str]:
    return {"name": "A rule", "kind": kind, "applies": "prompt", "words": "", "active": "on", **fields}


@pytest.mark.parametrize("options", [{}, {"most": "many"}, {"most": 19}])
def test_options_that_the_fields_refuse_are_refused_without_a_check_of_the_kind(options: Options) -> None:
    with pytest.raises(BadInput, match="Letters at most"):
        rule_kinds.check_rule("long_words", options)


def test_a_rule_without_the_options_of_its_kind_is_skipped(caplog: pytest.LogCaptureFixture) -> None:
    broken = rule("long_words")
    rule("pattern", pattern="forbidden")
    check_text("message", "x" * 100)
    with pytest.raises(RefusedByRule):
        check_text("message", "forbidden")
    assert f"blocking rule {broken.pk} cannot be used" in caplog.text


def test_a_kind_that_raises_is_skipped_and_named_in_the_log_without_the_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = rule("faulty")
    rule("pattern", pattern="forbidden")
    check_text("message", "my account is 4711")
    with pytest.raises(RefusedByRule):
        check_text("message", "forbidden")
    (found,) = blocking.findings(RuleScope.PEOPLE, "a forbidden word")
    assert found[1] == Finding(2, 11)
    assert "kind of rule faulty failed: LookupError" in caplog.text
    assert f"blocking rule {broken.pk} was skipped" in caplog.text
    assert "4711" not in caplog.text


def test_rules_without_a_usable_pattern_are_not_sent_to_the_model_workers() -> None:
    rule("faulty")
    rule("bad_pattern")
    good = rule("pattern", pattern="forbidden")
    assert blocking.reply_rules() == [{"rule_id": str(good.pk), "pattern": "forbidden"}]


def test_the_list_of_rules_opens_although_a_rule_lacks_its_options(cast: Cast) -> None:
    rule("long_words")
    rule("pattern", pattern="forbidden")
    page = cast.client("staff").get(LIST).content.decode()
    assert "long words" in page
    assert "forbidden" in page


@pytest.mark.parametrize("applies", ["reply", "both"])
def test_a_kind_that_cannot_read_replies_is_not_applied_to_them(cast: Cast, applies: str) -> None:
    client = cast.client("staff")
    given = form("long_words", **{"long_words-most": "20"})
    refused = client.post(ADD, {**given, "applies": applies})
    assert "This kind of rule cannot read replies while they are written." in refused.content.decode()
    assert not Rule.objects.exists()
    client.post(ADD, given)
    assert Rule.objects.get().options == {"most": 20}


@pytest.mark.parametrize(
    ("kind", "applies", "words"),
    [
        ("faulty", "reply", "failed (LookupError)"),
        ("bad_pattern", "reply", "The pattern for replies is not in RE2 syntax."),
    ],
)
def test_a_kind_that_fails_on_replies_is_not_saved_for_them(
    cast: Cast, kind: str, applies: str, words: str
) -> None:
    page = cast.client("staff").post(ADD, form(kind, applies=applies)).content.decode()
    assert words in page
    assert not Rule.objects.exists()


def test_a_trial_says_that_the_kind_failed(cast: Cast) -> None:
    page = cast.client("staff").post(ADD, form("faulty", trial="a text")).content.decode()
    assert "The kind of rule “faulty” failed (LookupError)" in page
