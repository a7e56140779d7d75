"""Defines the result of a check."""

from __future__ import annotations

from dataclasses import dataclass

from inference.base import printable as lines

OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(frozen=True, slots=True)
class CheckResult:
    level: str
    words: str  # translated; with what to do, unless all is well


def ok(words: str) -> CheckResult:
    return CheckResult(OK, words)


def warning(words: str) -> CheckResult:
    return CheckResult(WARNING, words)


def problem(words: str) -> CheckResult:
    return CheckResult(PROBLEM, words)


def reason(error: BaseException) -> str:
    """Returns the first line of an error, without characters that control a terminal."""
    return printable(str(error) or type(error).__name__)


def printable(text: str) -> str:
    """Returns the first line of a text, without characters that control a terminal."""
    first = text.strip().splitlines()[:1] or [""]
    return lines.printable(first[0])[:200]
