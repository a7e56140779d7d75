"""Tokens a day: reserved when a message is sent, settled once when its reply ends.

reserve and settle run inside the transactions of chat/turns/services.py, so a message, its reservation and
its generation stand or fall together.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest, Now
from django.utils import timezone

from chat.accounts.models import User
from chat.core.errors import QuotaExceeded
from chat.quotas.models import QuotaPolicy, UsageCounter, UsageEntry

# An answer shorter than this is not worth starting.
LEAST_ANSWER_TOKENS = 16


def limit_for(user: User) -> int:
    """Tokens a day."""
    policy = _policy_for(user)
    return policy.tokens_per_day if policy else int(settings.DAILY_TOKENS)


def weight_for(user: User) -> float:
    """Share in the fair queue, from the same policy as the limit."""
    policy = _policy_for(user)
    return policy.weight if policy else 1.0


@transaction.atomic
def reserve(*, user: User, generation_id: UUID, model: str, prompt_tokens: int, max_new_tokens: int) -> int:
    """Set tokens aside for a reply and return how many it may generate: max_new_tokens, or what is left.

    Parallel sends cannot overshoot: each looks and writes under the lock of the day's row (PostgreSQL), or of
    the database (SQLite begins every transaction IMMEDIATE).
    """
    limit, day = limit_for(user), _today()
    counter = _locked_counter(user, day)
    taken = counter.used + counter.reserved
    granted = min(max_new_tokens, limit - taken - prompt_tokens)
    if granted < min(LEAST_ANSWER_TOKENS, max_new_tokens):
        raise QuotaExceeded(used=taken, limit=limit, retry_after=_seconds_left())
    needed = prompt_tokens + granted
    room = UsageCounter.objects.filter(pk=counter.pk, used__lte=limit - needed - F("reserved"))
    if room.update(reserved=F("reserved") + needed) == 0:
        raise QuotaExceeded(used=taken, limit=limit, retry_after=_seconds_left())
    UsageEntry.objects.create(
        generation=generation_id,
        user=user,
        day=day,
        model=model,
        reserved=needed,
        prompt_tokens=prompt_tokens,
    )
    return granted


@transaction.atomic
def settle(*, generation_id: UUID, prompt_tokens: int, completion_tokens: int) -> bool:
    """Count what a reply really used, on the day it was asked. Only the first call counts, and says so."""
    entries = UsageEntry.objects.filter(pk=generation_id)
    first = entries.filter(settled_at=None).update(
        settled_at=Now(), prompt_tokens=prompt_tokens, completion_tokens=completion_tokens
    )
    if first == 0:
        return False
    entry = entries.get()
    UsageCounter.objects.filter(user=entry.user_id, day=entry.day).update(
        # Never below zero: a counter mended by hand must not stop replies from ending.
        reserved=Greatest(F("reserved") - entry.reserved, Value(0)),
        used=F("used") + prompt_tokens + completion_tokens,
    )
    return True


def usage_json(user: User) -> dict[str, Any]:
    """Today, as /api/usage/ and the chat page show it."""
    counter = UsageCounter.objects.filter(user=user, day=_today()).first()
    return {
        "used": counter.used if counter else 0,
        "reserved": counter.reserved if counter else 0,
        "limit": limit_for(user),
        "resets_at": _midnight().isoformat(),
    }


def _policy_for(user: User) -> QuotaPolicy | None:
    """A person's own; else the largest of their groups'; else everybody's. One query."""
    candidates = QuotaPolicy.objects.filter(
        Q(user=user) | Q(group__in=user.groups.values("pk")) | Q(user=None, group=None)
    )
    return max(candidates, key=_precedence, default=None)


def _precedence(policy: QuotaPolicy) -> tuple[bool, bool, int]:
    return (policy.user_id is not None, policy.group_id is not None, policy.tokens_per_day)


def _locked_counter(user: User, day: date) -> UsageCounter:
    UsageCounter.objects.bulk_create([UsageCounter(user=user, day=day)], ignore_conflicts=True)
    return UsageCounter.objects.select_for_update().get(user=user, day=day)


def _today() -> date:
    return timezone.now().astimezone(UTC).date()


def _midnight() -> datetime:
    return datetime.combine(_today() + timedelta(days=1), time.min, UTC)


def _seconds_left() -> int:
    return max(1, int((_midnight() - timezone.now()).total_seconds()) + 1)
