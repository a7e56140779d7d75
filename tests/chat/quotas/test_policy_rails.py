"""Policies that block many ask once more; deleting one, or a group, says what its people have afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group

from chat.quotas import services
from chat.quotas.models import QuotaPolicy

ADD = "/admin/quotas/quotapolicy/add/"
FORM = {"user": "", "group": "", "tokens_per_day": "0", "weight": "1", "running_limit": ""}


def save(cast: Any, path: str = ADD, **fields: object) -> Any:
    return cast.client("staff").post(path, {**FORM, **{name: str(value) for name, value in fields.items()}})


def change_page(policy: QuotaPolicy) -> str:
    return f"/admin/quotas/quotapolicy/{policy.pk}/change/"


@pytest.fixture
def soup(cast: Any) -> Group:
    """A group of alice and bob."""
    group = Group.objects.create(name="soup")
    group.user_set.set([cast.alice, cast.bob])
    return group


# --- Blocking ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [0, 16])
def test_blocking_everybody_asks_once_more_and_says_how_many(cast: Any, tokens: int) -> None:
    QuotaPolicy.objects.create(user=cast.alice, tokens_per_day=1000)
    asks = save(cast, tokens_per_day=tokens)
    assert asks.status_code == 200
    page = asks.content.decode()
    assert "blocks all replies of 4 people who could ask until now (of 5 in all)" in page
    assert 'type="checkbox" name="confirm_blocking"' in page
    assert QuotaPolicy.objects.count() == 1
    assert save(cast, tokens_per_day=tokens, confirm_blocking="on").status_code == 302
    assert services.terms_for(cast.bob).tokens_per_day == tokens


def test_nothing_is_asked_of_ordinary_policies(cast: Any, soup: Group) -> None:
    assert 'type="checkbox" name="confirm_blocking"' not in cast.client("staff").get(ADD).content.decode()
    assert save(cast, tokens_per_day=5000).status_code == 302
    assert save(cast, group=soup.pk, tokens_per_day=17).status_code == 302
    assert save(cast, user=cast.alice.pk, tokens_per_day=0).status_code == 302  # one person, on purpose


def test_blocking_a_group_asks_once_more(cast: Any, soup: Group) -> None:
    page = save(cast, group=soup.pk).content.decode()
    assert "blocks all replies of 2 people who could ask until now" in page
    assert save(cast, group=soup.pk, confirm_blocking="on").status_code == 302
    policy = QuotaPolicy.objects.get()
    assert save(cast, change_page(policy), group=soup.pk, weight=2).status_code == 302  # blocks as before


def test_the_way_to_blocking_through_a_change_asks_too(cast: Any, soup: Group, settings: Any) -> None:
    policy = QuotaPolicy.objects.create(tokens_per_day=1000)
    assert "of 5 people" in save(cast, change_page(policy)).content.decode()
    settings.DAILY_TOKENS = 0
    page = save(cast, change_page(policy), group=soup.pk, tokens_per_day=1000).content.decode()
    assert "of 3 people" in page  # who is in no group falls back on the setting
    policy.refresh_from_db()
    assert (policy.group, policy.tokens_per_day) == (None, 1000)


def test_blocking_the_last_person_who_could_ask_asks(cast: Any) -> None:
    QuotaPolicy.objects.create(tokens_per_day=0)
    QuotaPolicy.objects.create(user=cast.alice, tokens_per_day=1000)
    policy = QuotaPolicy.objects.get(user=cast.alice)
    assert "of 1 person" in save(cast, change_page(policy), user=cast.alice.pk).content.decode()


# --- Deleting ---------------------------------------------------------------------------------------------


def deletion(cast: Any, path: str) -> str:
    page = cast.client("staff").get(path).content.decode()
    assert "data-effects" in page
    return str(page)


def test_deleting_a_group_says_what_its_members_have_afterwards(cast: Any, soup: Group) -> None:
    QuotaPolicy.objects.create(group=soup, tokens_per_day=5000, weight=2, running_limit=3)
    QuotaPolicy.objects.create(user=cast.alice, tokens_per_day=70_000)
    soup.user_set.add(cast.stranger, cast.moderator)  # who is in another group, too
    fish = Group.objects.create(name="fish")
    fish.user_set.add(cast.stranger)
    QuotaPolicy.objects.create(group=fish, tokens_per_day=300)
    page = deletion(cast, f"/admin/auth/group/{soup.pk}/delete/")
    begins = "5,000 tokens a day, weight 2.0, 3 replies at once; afterwards "
    assert f"2 people have {begins}100,000 tokens a day" in page
    assert "from the setting GROKWEB_DAILY_TOKENS" in page
    assert f"1 person has {begins}300 tokens a day" in page
    assert "from the policy of the group “fish”" in page
    assert "1 person keeps the same limits: 70,000 tokens a day" in page
    cast.client("staff").post(f"/admin/auth/group/{soup.pk}/delete/", {"post": "yes"})
    assert services.terms_for(cast.bob).tokens_per_day == 100_000


def test_deleting_a_group_without_a_policy_changes_no_limits(cast: Any, soup: Group) -> None:
    page = deletion(cast, f"/admin/auth/group/{soup.pk}/delete/")
    assert "2 people keep the same limits: 100,000 tokens a day" in page
    assert "Members who leave it: 2" in page.replace("\n", "")
    assert "object (" not in page
    empty = Group.objects.create(name="empty")
    assert "nobody&#x27;s limits change" in deletion(cast, f"/admin/auth/group/{empty.pk}/delete/")


def test_deleting_a_policy_says_whom_it_leaves_with_what(cast: Any, settings: Any) -> None:
    settings.DAILY_TOKENS = 0
    policy = QuotaPolicy.objects.create(tokens_per_day=1000)
    page = deletion(cast, f"/admin/quotas/quotapolicy/{policy.pk}/delete/")
    assert "5 people have 1,000 tokens a day" in page
    assert "afterwards 0 tokens a day" in page
    assert "blocks all replies of 5 people" in page
