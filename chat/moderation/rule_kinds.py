"""Runs the code of kinds of rules; whatever it raises becomes BadInput."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.utils.translation import gettext as _

from chat.core.errors import BadInput
from chat.moderation import rules
from chat.moderation.models import Rule
from chat.moderation.rules.base import Reading, RuleKind, check_reply_pattern, readings
from inference.base.findings import Finding
from inference.base.registry import RegistryError

log = logging.getLogger(__name__)

PROMPT = (Rule.Applies.PROMPT, Rule.Applies.BOTH)
REPLY = (Rule.Applies.REPLY, Rule.Applies.BOTH)


def findings_of(kind: str, options: Mapping[str, Any], text: str) -> list[Finding]:
    """Returns what one rule, saved or not, finds, from left to right. Raises BadInput if its kind fails."""
    with _usable_kind(kind) as finder:
        found = {
            each.in_written(finding) for each in readings(text) for finding in finder.find(each.text, options)
        }
    return sorted(found, key=lambda each: (each.start, each.end))


def reply_pattern(kind: str, options: Mapping[str, Any]) -> str | None:
    """Returns the pattern for the model workers, or None. Raises BadInput if there is no usable one."""
    with _usable_kind(kind) as made:
        pattern = made.for_replies(options)
        if pattern is not None:
            check_reply_pattern(pattern)
    return pattern


def check_rule(kind: str, options: Mapping[str, Any]) -> None:
    """Raises BadInput if a rule like this cannot be used."""
    with _usable_kind(kind) as made:
        made.check(options)


def check_applies(kind: str, options: Mapping[str, Any], applies: str) -> None:
    """Raises BadInput if a rule is meant for replies, and its kind cannot be tried on them."""
    if applies in REPLY and reply_pattern(kind, options) is None:
        raise BadInput(
            _("This kind of rule cannot read replies while they are written. Apply it to what people write.")
        )


def rule_matches(kind: str, options: Mapping[str, Any], text: str) -> bool:
    """Returns whether a rule, saved or not, refuses a text. Raises BadInput if it fails."""
    return has_hit(kind, options, readings(text))


def summary_of(rule: Rule) -> str:
    """Returns one line about a rule's options; an empty one if its kind is gone or fails."""
    try:
        with _usable_kind(rule.kind) as made:
            return made.summary(rule.options)
    except BadInput:
        return ""


def has_hit(kind: str, options: Mapping[str, Any], texts: Sequence[Reading]) -> bool:
    with _usable_kind(kind) as finder:
        return any(next(iter(finder.find(each.text, options)), None) is not None for each in texts)


@contextmanager
def _usable_kind(name: str) -> Iterator[RuleKind]:
    """Yields a kind of rule. Raises BadInput if none has this name, or if its code raises anything.

    The log names the error and its line, never its message: that may quote what people wrote.
    """
    try:
        yield rules.kind_for(name)
    except BadInput:
        raise
    except RegistryError:
        raise BadInput(_("There is no kind of rule called “%s”.") % name) from None
    except Exception as error:  # noqa: BLE001 - a package may have written it; every message passes here
        at, error_name = traceback.extract_tb(error.__traceback__)[-1], type(error).__name__
        log.error("kind of rule %s failed: %s in %s:%s", name, error_name, at.filename, at.lineno)
        words = _("The kind of rule “%(kind)s” failed (%(error)s); the log says where.")
        raise BadInput(words % {"kind": name, "error": error_name}) from None
