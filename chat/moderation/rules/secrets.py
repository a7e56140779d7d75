"""Finds keys and tokens that give access: by their known shapes, or as random values beside a telling name.

Shapes come from the issuers' documentation: a prefix, an alphabet and a length. What only stands for a key in
an example ("AKIA…EXAMPLE", "sk_test_xxxx") is left alone, and so are digests, UUIDs and public keys.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import re2
from django import forms
from django.utils.translation import gettext_lazy

from chat.moderation.rules.base import RuleKind
from inference.base.findings import Finding

# Kind of finding -> its shape, in RE2 syntax. Case matters.
SHAPES = {
    "private_key": r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----",
    "jwt": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,}",
    "aws_key": r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",
    "github_token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b",
    "gitlab_token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "openai_key": r"\bsk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}|\w{20}T3BlbkFJ\w{20}\b)",
    "anthropic_key": r"\bsk-ant-[a-z0-9]{3,10}-[A-Za-z0-9_-]{32,}",
    "xai_key": r"\bxai-[A-Za-z0-9]{60,}\b",
    "google_key": r"\bAIza[A-Za-z0-9_-]{35}|\bya29\.[A-Za-z0-9_-]{20,}|\bGOCSPX-[A-Za-z0-9_-]{28}",
    "slack_token": r"\bxox[abeoprs]-[0-9]{6,}-[A-Za-z0-9-]{10,}|\bxapp-[0-9]-[A-Z0-9]{8,}-[0-9]{8,}-\w{32}",
    "slack_webhook": r"\bhttps://hooks\.slack\.com/services/T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{20,}",
    "stripe_key": r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{20,}\b",
    "hugging_face_token": r"\bhf_[A-Za-z]{34}\b",
    "npm_token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "pypi_token": r"\bpypi-AgE[A-Za-z0-9_-]{50,}",
    "sendgrid_key": r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
    "telegram_token": r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b",
    "digitalocean_token": r"\bdo[opr]_v1_[a-f0-9]{64}\b",
    "shopify_token": r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b",
    "password_in_address": r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:@/?#<>{}$]{1,64}:[^\s:@/?#<>{}$]{6,128}@[A-Za-z0-9\[]",
}
# A value beside a name that says it is secret: `API_KEY = "…"`, `"token": "…"`, `Authorization: Bearer …`.
_NAMED = (
    r"(?i)(?:api|access|auth|client|private|secret|signing|bearer|app)[_. -]?(?:key|token|secret)\w{0,20}"
    r"|password|passwd|credential"
)
_VALUE = r"[\"'`]?\s{0,3}(?:[:=]|=>|:=)\s{0,3}(?:[Bb]earer |[Bb]asic )?[\"'`]?([A-Za-z0-9_+/=.~-]{20,200})"
_NAME = rf"(?:{_NAMED}|\bauthorization)"
# Bits of entropy for each character of a value: words have about 3.3, random base64 of 32 over 4.2.
_RANDOM_BITS = 3.6
_STAND_INS = ("example", "placeholder", "changeme", "your", "xxxx", "0000", "1234", "abcd", "dummy", "sample")
_LEAST_DIFFERENT = 8  # distinct characters of a value; fewer are a placeholder such as xxxx


class Secrets(RuleKind):
    label = gettext_lazy("keys and tokens")
    fields = {
        "random": forms.BooleanField(
            label=gettext_lazy("Also unknown ones"),
            help_text=gettext_lazy(
                "Also refuse random values beside a name such as “api_key” or “password”. "
                "In replies only known shapes are found."
            ),
            required=False,
            initial=True,
        )
    }

    def find(self, text: str, options: Mapping[str, Any]) -> Iterator[Finding]:
        found = [*_known(text), *(_random(text) if options.get("random") else ())]
        end = 0
        for each in sorted(found, key=lambda one: (one.start, -one.end)):
            if each.start >= end:
                yield each
                end = each.end

    def for_replies(self, options: Mapping[str, Any]) -> str | None:
        return "(?-i:" + "|".join(f"(?P<{kind}>{shape})" for kind, shape in SHAPES.items()) + ")"

    def summary(self, options: Mapping[str, Any]) -> str:
        return str(self.fields["random"].label) if options.get("random") else ""


def _known(text: str) -> Iterator[Finding]:
    data = text.encode("utf-8", "replace")
    if _compiled("|".join(SHAPES.values())).search(data) is None:
        return
    for kind, shape in SHAPES.items():
        for start, end in _spans(shape, data):
            value = data[start:end].decode("utf-8", "replace")
            if not _stands_in(value) and _CHECKS.get(kind, bool)(value):
                yield _finding(data, start, end, kind)


def _random(text: str) -> Iterator[Finding]:
    data = text.encode("utf-8", "replace")
    for found in _compiled(_NAME + _VALUE, capture=True).finditer(data):
        start, end = found.span(1)
        value = data[start:end].decode().rstrip(".=")
        if _is_random(value):
            yield _finding(data, start, start + len(value), "random_value")


def _spans(pattern: str, data: bytes) -> Iterator[tuple[int, int]]:
    for found in _compiled(pattern).finditer(data):
        yield found.span()


def _finding(data: bytes, start: int, end: int, kind: str) -> Finding:
    before = len(data[:start].decode("utf-8", "ignore"))
    return Finding(before, before + len(data[start:end].decode("utf-8", "ignore")), kind)


def _stands_in(value: str) -> bool:
    """Returns whether a match is a placeholder for readers rather than a key."""
    low = value.lower()
    if value.startswith("-----"):
        return False
    return len(set(value)) < _LEAST_DIFFERENT or any(each in low for each in _STAND_INS)


def _is_random(value: str) -> bool:
    """Letters of both cases and digits, or hexadecimal digits of no usual digest, without much repetition."""
    if _stands_in(value) or value.count("-") == 4 or value.count(".") > 2 or "/" in value[:1]:
        return False  # a UUID, an address or a path
    mixed = [any(map(test, value)) for test in (str.isdigit, str.islower, str.isupper)]
    return sum(mixed) == 3 and _entropy(value) >= _RANDOM_BITS


def _entropy(value: str) -> float:
    """Returns Shannon's entropy in bits for each character."""
    counts, size = Counter(value), len(value)
    return -sum(number / size * math.log2(number / size) for number in counts.values())


def _is_jwt(value: str) -> bool:
    head = value.partition(".")[0]
    try:
        about = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(about, dict) and "alg" in about


def _is_password(address: str) -> bool:
    """Returns whether the password in an address is more than a word such as "password"."""
    return address.rpartition("@")[0].rpartition(":")[2].lower() not in {"password", "passwd", "secret"}


_CHECKS = {"jwt": _is_jwt, "password_in_address": _is_password}


@functools.lru_cache(maxsize=64)
def _compiled(pattern: str, *, capture: bool = False) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = not capture
    return re2.compile(pattern.encode(), options)
