"""Tests quotas: which policy applies, what is granted, and that nothing is counted twice."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from pytest_django import DjangoAssertNumQueries, Settings

from chat.accounts.models import User
from chat.core.errors import QuotaExceeded
from chat.quotas import services
from chat.quotas.models import QuotaPolicy, UsageCounter, UsageEntry
from tests.chat.cast import Cast


def reserve(user: User, prompt: int = 100, answer: int = 100, generation: Any = None) -> Any:
    with transaction.atomic():  # as turns does: a refusal takes everything back
        return services.reserve(
            user=user,
            allowance=services.open_today(user),
            generation_id=generation or uuid4(),
            model="scripted",
            prompt_tokens=prompt,
            max_new_tokens=answer,
        )


def reserve_unchosen(user: User, prompt: int, answer: Any) -> Any:
    """Reserves for a reply whose length nobody chose."""
    with transaction.atomic():
        return services.reserve(
            user=user,
            allowance=services.open_today(user),
            generation_id=uuid4(),
            model="scripted",
            prompt_tokens=prompt,
            max_new_tokens=answer,
            is_length_chosen=False,
        )


def test_an_answer_of_no_chosen_length_leaves_half_of_the_day(cast: Cast) -> None:
    everybody(10_000)
    assert reserve_unchosen(cast.alice, prompt=1_000, answer=8_192) == 4_500
    assert reserve_unchosen(cast.alice, prompt=100, answer=8_192) == 2_200
    assert reserve_unchosen(cast.alice, prompt=100, answer=300) == 300  # a short limit is granted whole
    assert reserve(cast.bob, prompt=1_000, answer=8_192) == 8_192  # somebody chose it


def test_short_days_still_have_ordinary_answers(cast: Cast) -> None:
    everybody(1_000)
    assert reserve_unchosen(cast.alice, prompt=100, answer=8_192) == 512
    assert reserve_unchosen(cast.alice, prompt=100, answer=8_192) == 288  # all that is left


def usage(user: User) -> tuple[Any, ...]:
    result = services.usage_json(user)
    return result["used"], result["reserved"], result["limit"]


def everybody(tokens: int, weight: float = 1.0) -> QuotaPolicy:
    return QuotaPolicy.objects.create(tokens_per_day=tokens, weight=weight)


def test_the_best_policy_of_a_persons_groups_counts(cast: Cast, settings: Settings) -> None:
    settings.DAILY_TOKENS = 77
    assert services.terms_for(cast.alice) == (77, 1.0, 2)
    everybody(1_000, weight=0.5)
    assert services.terms_for(cast.alice) == (1_000, 0.5, 2)
    for name, tokens, weight in [("students", 200, 2.0), ("teachers", 900, 3.0)]:
        group = Group.objects.create(name=name)
        cast.alice.groups.add(group)
        QuotaPolicy.objects.create(group=group, tokens_per_day=tokens, weight=weight)
    assert services.terms_for(cast.alice) == (900, 3.0, 2)
    QuotaPolicy.objects.create(user=cast.alice, tokens_per_day=50, weight=4.0)
    assert services.terms_for(cast.alice) == (50, 4.0, 2)
    assert services.terms_for(cast.bob).tokens_per_day == 1_000


def test_replies_at_once_are_the_policys_or_the_settings(cast: Cast, settings: Settings) -> None:
    settings.USER_RUNNING_LIMIT = 3
    everybody(1_000)
    assert services.terms_for(cast.alice).running_limit == 3
    group = Group.objects.create(name="students")
    cast.alice.groups.add(group)
    QuotaPolicy.objects.create(group=group, tokens_per_day=200, running_limit=1)
    assert services.terms_for(cast.alice).running_limit == 1
    assert services.terms_for(cast.bob).running_limit == 3
    own = QuotaPolicy.objects.create(user=cast.alice, tokens_per_day=50)
    assert services.terms_for(cast.alice).running_limit == 3  # one policy counts, whole
    with pytest.raises(IntegrityError), transaction.atomic():
        QuotaPolicy.objects.filter(pk=own.pk).update(running_limit=0)


def test_asking_for_the_policy_is_one_query(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        services.terms_for(cast.alice)


def test_a_reservation_is_settled_to_what_was_used(cast: Cast) -> None:
    everybody(1_000)
    generation = uuid4()
    assert reserve(cast.alice, generation=generation) == 100
    assert usage(cast.alice) == (0, 200, 1_000)
    assert services.charge(generation_id=generation, prompt_tokens=90, completion_tokens=7)
    assert usage(cast.alice) == (97, 0, 1_000)
    entry = UsageEntry.objects.get(pk=generation)
    assert (entry.prompt_tokens, entry.completion_tokens) == (90, 7)
    assert entry.settled_at is not None
    assert usage(cast.bob)[:2] == (0, 0)


def test_settling_twice_counts_once(cast: Cast) -> None:
    generation = uuid4()
    reserve(cast.alice, generation=generation)
    other = uuid4()
    reserve(cast.alice, generation=other)
    assert services.charge(generation_id=generation, prompt_tokens=90, completion_tokens=7)
    assert not services.charge(generation_id=generation, prompt_tokens=90, completion_tokens=7)
    assert usage(cast.alice)[:2] == (97, 200)


def test_settling_something_unknown_changes_nothing(cast: Cast) -> None:
    assert not services.charge(generation_id=uuid4(), prompt_tokens=1, completion_tokens=1)


def test_a_counter_mended_by_hand_does_not_stop_a_reply_from_ending(cast: Cast) -> None:
    generation = uuid4()
    reserve(cast.alice, generation=generation)
    UsageCounter.objects.update(reserved=0)
    assert services.charge(generation_id=generation, prompt_tokens=1, completion_tokens=2)
    assert usage(cast.alice)[:2] == (3, 0)


def test_little_is_left_then_nothing(cast: Cast) -> None:
    everybody(250)
    assert reserve(cast.alice) == 100
    assert reserve(cast.alice, prompt=30) == 20  # what is left, not what was asked
    with pytest.raises(QuotaExceeded) as refused:
        reserve(cast.alice, prompt=1)
    result = refused.value.extra
    assert (result["used"], result["limit"]) == (250, 250)
    assert 1 <= result["retry_after"] <= 24 * 3600
    assert UsageEntry.objects.count() == 2
    assert reserve(cast.bob) == 100


def test_an_answer_too_short_to_be_useful_is_not_begun(cast: Cast) -> None:
    everybody(100)
    with pytest.raises(QuotaExceeded):
        reserve(cast.alice, prompt=85)
    assert reserve(cast.alice, prompt=84) == 16
    assert reserve(cast.bob, prompt=92, answer=8) == 8  # asked for less than 16: that is enough


def test_zero_blocks(cast: Cast) -> None:
    everybody(0)
    with pytest.raises(QuotaExceeded):
        reserve(cast.alice, prompt=0)


def test_a_changed_quota_counts_for_the_next_message(cast: Cast) -> None:
    """Staff change a quota in the admin while people chat."""
    assert reserve(cast.alice) == 100
    client = cast.client("staff")
    form = {"user": str(cast.alice.pk), "group": "", "tokens_per_day": "210", "weight": "1"}
    assert client.post("/admin/quotas/quotapolicy/add/", form).status_code == 302
    with pytest.raises(QuotaExceeded):
        reserve(cast.alice)
    policy = QuotaPolicy.objects.get()
    form["tokens_per_day"] = "400"
    assert client.post(f"/admin/quotas/quotapolicy/{policy.pk}/change/", form).status_code == 302
    assert reserve(cast.alice) == 100


def test_a_new_day_starts_at_midnight_utc_and_old_replies_settle_on_their_own(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody(200)
    late, early = datetime(2026, 3, 1, 23, 59, 50, tzinfo=UTC), datetime(2026, 3, 2, 0, 0, 1, tzinfo=UTC)
    monkeypatch.setattr("django.utils.timezone.now", lambda: late)
    generation = uuid4()
    reserve(cast.alice, generation=generation)
    with pytest.raises(QuotaExceeded) as refused:
        reserve(cast.alice)
    assert 10 <= refused.value.extra["retry_after"] <= 11
    assert services.usage_json(cast.alice)["resets_at"] == "2026-03-02T00:00:00+00:00"
    monkeypatch.setattr("django.utils.timezone.now", lambda: early)
    assert reserve(cast.alice) == 100
    services.charge(generation_id=generation, prompt_tokens=100, completion_tokens=50)
    assert usage(cast.alice) == (0, 200, 200)
    assert UsageCounter.objects.get(day=late.date()).used == 150


@pytest.mark.django_db(transaction=True)
def test_parallel_sends_cannot_overshoot(cast: Cast) -> None:
    everybody(1_000)
    start = threading.Barrier(8)
    granted, refused, broken = [], [], []

    def send() -> None:
        try:
            start.wait()
            for _ in range(3):
                granted.append(reserve(cast.alice))
        except QuotaExceeded as error:
            refused.append(error)
        except Exception as error:  # noqa: BLE001 - shown by the assert below
            broken.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not broken
    assert granted == [100] * 5
    assert refused
    assert usage(cast.alice) == (0, 1_000, 1_000)


@pytest.mark.parametrize(
    ("who", "status"), [("alice", 200), ("bob", 200), ("stranger", 200), ("staff", 200), ("anonymous", 401)]
)
def test_everybody_sees_their_own_usage(cast: Cast, who: str, status: int) -> None:
    reserve(cast.alice)
    response = cast.client(who).get("/api/usage/")
    assert response.status_code == status
    if status == 200:
        assert response.json()["reserved"] == (200 if who == "alice" else 0)
        assert set(response.json()) == {"used", "reserved", "estimated", "limit", "resets_at"}


def reserve_at(user: User, price: str, prompt: int, answer: int, *, is_length_chosen: bool = True) -> int:
    with transaction.atomic():
        return services.reserve(
            user=user,
            allowance=services.open_today(user, Decimal(price)),
            generation_id=uuid4(),
            model="scripted",
            prompt_tokens=prompt,
            max_new_tokens=answer,
            is_length_chosen=is_length_chosen,
            price=Decimal(price),
        )


@pytest.mark.parametrize(
    ("price", "granted", "reserved"),
    [("1", 900, 1_000), ("2.5", 300, 1_000), ("3", 233, 999), ("0.5", 1_000, 550), ("0", 1_000, 0)],
)
def test_a_dear_model_is_granted_fewer_tokens(cast: Cast, price: str, granted: int, reserved: int) -> None:
    everybody(1_000)
    assert reserve_at(cast.alice, price, prompt=100, answer=1_000) == granted
    assert usage(cast.alice) == (0, reserved, 1_000)


def test_a_free_model_answers_in_full_on_a_day_that_is_used_up(cast: Cast) -> None:
    everybody(1_000)
    assert reserve_at(cast.alice, "1", prompt=100, answer=900) == 900
    with pytest.raises(QuotaExceeded):
        reserve_at(cast.alice, "1", prompt=1, answer=1)
    assert services.is_used_up(cast.alice)
    assert not services.is_used_up(cast.alice, Decimal(0))
    assert reserve_at(cast.alice, "0", prompt=100, answer=2_000, is_length_chosen=False) == 2_000
    assert usage(cast.alice) == (0, 1_000, 1_000)


def test_a_free_model_is_not_for_people_who_may_use_nothing(cast: Cast) -> None:
    everybody(0)
    with pytest.raises(QuotaExceeded):
        reserve_at(cast.alice, "0", prompt=1, answer=1)


def test_a_prompt_that_costs_more_than_is_left_is_refused(cast: Cast) -> None:
    everybody(1_000)
    with pytest.raises(QuotaExceeded):
        reserve_at(cast.alice, "10", prompt=100, answer=1_000)
    assert usage(cast.alice) == (0, 0, 1_000)
