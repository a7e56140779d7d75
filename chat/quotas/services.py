"""Reserves tokens when a message is sent and charges them once, when its reply ends. Failed replies are free.

`reserve` and `charge` run inside the transactions of chat/turns/ that store or settle a step or a summary
(new_reply.py, between_steps.py, settlement.py and others), so that a row and its reservation are stored
together or not at all.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import ceil, floor
from typing import Any, NamedTuple
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
# Without a chosen maximum length, one reply reserves half of what is left of the day, but not more than
# this: otherwise a few replies with large limits would block a day on which little was generated.
UNCHOSEN_TOKENS = 512


class Terms(NamedTuple):
    """Holds what one person may use."""

    tokens_per_day: int
    weight: float  # share in the fair queue
    running_limit: int  # replies that run at once


def terms_for(user: User) -> Terms:
    """Returns the terms of a person: their own policy, else the largest of their groups, else the default,
    else settings.
    """
    groups = User.groups.through.objects.filter(user=user).values("group")
    candidates = QuotaPolicy.objects.filter(Q(user=user) | Q(group__in=groups) | Q(user=None, group=None))
    return terms_of(max(candidates, key=precedence, default=None))


def terms_of(policy: QuotaPolicy | None) -> Terms:
    if policy is None:
        return Terms(int(settings.DAILY_TOKENS), 1.0, settings.USER_RUNNING_LIMIT)
    running_limit = policy.running_limit or settings.USER_RUNNING_LIMIT
    return Terms(policy.tokens_per_day, policy.weight, running_limit)


class Allowance(NamedTuple):
    """Holds what one person may use today, and the counting row, locked until the transaction ends."""

    terms: Terms
    counter: UsageCounter


@transaction.atomic(savepoint=False)
def open_today(user: User, price: Decimal = Decimal(1)) -> Allowance:
    """Locks a person's day. Raises QuotaExceeded if it is used up: by one row, before any text is read.

    A model whose `price` is 0 is free: it answers on a day that is used up, but nobody who may use nothing.

    Parallel sends cannot overshoot: each reads and writes under the lock of the day's row (PostgreSQL), or of
    the database (SQLite begins every transaction IMMEDIATE).
    """
    terms = terms_for(user)
    counter = _locked_counter(user, _today())
    used_or_reserved = counter.used + counter.reserved
    if _is_used_up(used_or_reserved, terms, price):
        raise QuotaExceeded(used=used_or_reserved, limit=terms.tokens_per_day, retry_after=_seconds_left())
    return Allowance(terms, counter)


def is_used_up(user: User, price: Decimal = Decimal(1)) -> bool:
    """Returns whether nothing is left of a person's day for a model, reservations included."""
    counter = UsageCounter.objects.filter(user=user, day=_today()).first()
    return counter is not None and _is_used_up(counter.used + counter.reserved, terms_for(user), price)


def _is_used_up(used_or_reserved: int, terms: Terms, price: Decimal) -> bool:
    return used_or_reserved >= terms.tokens_per_day and (price > 0 or terms.tokens_per_day == 0)


@transaction.atomic(savepoint=False)
def reserve(
    *,
    user: User,
    allowance: Allowance,
    generation_id: UUID,
    model: str,
    prompt_tokens: int,
    max_new_tokens: int,
    is_length_chosen: bool = True,
    price: Decimal = Decimal(1),
) -> int:
    """Sets tokens aside for a reply and returns how many it may generate: max_new_tokens, or what is left
    (half of that, where nobody chose the length). Raises QuotaExceeded.

    `allowance` is that of `open_today`, in the same transaction; `price` is how often a token counts.
    """
    limit, counter = allowance.terms.tokens_per_day, allowance.counter
    used_or_reserved = counter.used + counter.reserved
    left = _affordable(limit - used_or_reserved, price, prompt_tokens + max_new_tokens) - prompt_tokens
    granted = min(max_new_tokens, left)
    if not is_length_chosen and price:
        granted = min(granted, max(UNCHOSEN_TOKENS, left // 2))
    if granted < min(LEAST_ANSWER_TOKENS, max_new_tokens):
        raise QuotaExceeded(used=used_or_reserved, limit=limit, retry_after=_seconds_left())
    needed = cost(prompt_tokens + granted, price)
    room = UsageCounter.objects.filter(pk=counter.pk, used__lte=limit - needed - F("reserved"))
    if needed and room.update(reserved=F("reserved") + needed) == 0:
        raise QuotaExceeded(used=used_or_reserved, limit=limit, retry_after=_seconds_left())
    UsageEntry.objects.create(
        generation=generation_id,
        user=user,
        day=counter.day,
        model=model,
        price=price,
        reserved=needed,
        prompt_tokens=prompt_tokens,
    )
    return granted


@transaction.atomic
def charge(
    *, generation_id: UUID, prompt_tokens: int, completion_tokens: int, is_estimated: bool = False
) -> bool:
    """Charges a reply to the day it was asked. Only the first call counts; returns whether this one did.

    `is_estimated`: the model's server reported no usage.
    """
    entries = UsageEntry.objects.filter(pk=generation_id)
    first = entries.filter(settled_at=None).update(
        settled_at=Now(),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        is_estimated=is_estimated,
    )
    if first == 0:
        return False
    entry = entries.get()
    charged = cost(prompt_tokens + completion_tokens, entry.price)
    UsageCounter.objects.filter(user=entry.user_id, day=entry.day).update(
        # Never below zero: a counter edited by hand must not prevent replies from ending.
        reserved=Greatest(F("reserved") - entry.reserved, Value(0)),
        used=F("used") + charged,
        estimated=F("estimated") + (charged if is_estimated else 0),
    )
    return True


def cost(tokens: int, price: Decimal) -> int:
    """Returns how many tokens a quota is charged with for tokens of a model with this price, rounded up."""
    return ceil(tokens * price)


def price_of(generation_id: UUID) -> Decimal:
    """Returns the price of the model when a reply was asked for, which its later steps have, too."""
    prices = UsageEntry.objects.filter(pk=generation_id).values_list("price", flat=True)
    price = prices.first()
    return Decimal(1) if price is None else price


def _affordable(budget: int, price: Decimal, wanted: int) -> int:
    """Returns how many tokens at this price a budget pays for; all that are wanted, if they are free."""
    return floor(budget / price) if price else wanted


def usage_json(user: User) -> dict[str, Any]:
    """Returns today's usage as /api/usage/ and the chat page show it."""
    counter = UsageCounter.objects.filter(user=user, day=_today()).first()
    return {
        "used": counter.used if counter else 0,
        "estimated": counter.estimated if counter else 0,
        "reserved": counter.reserved if counter else 0,
        "limit": terms_for(user).tokens_per_day,
        "resets_at": _midnight().isoformat(),
    }


def precedence(policy: QuotaPolicy) -> tuple[bool, bool, int]:
    """Returns the sort key of a policy; the one with the highest key applies."""
    return (policy.user_id is not None, policy.group_id is not None, policy.tokens_per_day)


def _locked_counter(user: User, day: date) -> UsageCounter:
    todays = UsageCounter.objects.select_for_update().filter(user=user, day=day)
    counter = todays.first()
    if counter is None:  # the first question of the day, perhaps in two tabs at once
        UsageCounter.objects.bulk_create([UsageCounter(user=user, day=day)], ignore_conflicts=True)
        counter = todays.get()
    return counter


def _today() -> date:
    return timezone.now().astimezone(UTC).date()


def _midnight() -> datetime:
    return datetime.combine(_today() + timedelta(days=1), time.min, UTC)


def _seconds_left() -> int:
    return max(1, int((_midnight() - timezone.now()).total_seconds()) + 1)
