"""Predicts the effect of a change of policies: whom it blocks, and which limits apply afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chat.accounts.models import User
from chat.core.text import grouped
from chat.quotas.models import QuotaPolicy
from chat.quotas.services import LEAST_ANSWER_TOKENS, Terms, precedence, terms_of


@dataclass(frozen=True, slots=True)
class Standing:
    """Holds what one person may use, and which policy says so (None: the settings)."""

    policy: QuotaPolicy | None

    @property
    def terms(self) -> Terms:
        return terms_of(self.policy)

    @property
    def is_blocked(self) -> bool:
        """Returns whether a limit is too small for an answer to even the shortest prompt."""
        return self.terms.tokens_per_day <= LEAST_ANSWER_TOKENS

    @property
    def words(self) -> str:
        terms = self.terms
        return _("%(tokens)s tokens a day, weight %(weight)s, %(running)s replies at once") % {
            "tokens": grouped(terms.tokens_per_day),
            "weight": number_format(terms.weight),
            "running": terms.running_limit,
        }

    @property
    def source(self) -> str:
        if self.policy is None:
            return _("the setting GROKWEB_DAILY_TOKENS")
        if self.policy.user_id is not None:
            return _("their own policies")
        if self.policy.group is not None:
            return _("the policy of the group “%s”") % self.policy.group.name
        return _("the policy for everybody")


def people() -> QuerySet[User]:
    return User.objects.filter(is_active=True)


def standings(policies: Iterable[QuotaPolicy], among: QuerySet[User]) -> dict[UUID, Standing]:
    """Returns what each of these people could use under exactly these policies, by their key."""
    policies = list(policies)
    own = {policy.user_id: policy for policy in policies if policy.user_id is not None}
    of_group = {policy.group_id: policy for policy in policies if policy.group_id is not None}
    everybody = [policy for policy in policies if policy.user_id is None and policy.group_id is None]
    candidates = {pk: list(everybody) for pk in among.values_list("pk", flat=True)}
    members = User.groups.through.objects.filter(group__in=of_group, user__in=among)
    for user_id, group_id in members.values_list("user", "group"):
        candidates[user_id].append(of_group[group_id])
    for user_id in own.keys() & candidates.keys():
        candidates[user_id].append(own[user_id])
    return {pk: Standing(max(found, key=precedence, default=None)) for pk, found in candidates.items()}


# --- Blocking ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Blocking:
    """Counts the people who lose every reply, those who have none afterwards, and all."""

    newly: int
    afterwards: int
    people: int

    @property
    def is_for_everybody(self) -> bool:
        return self.newly > 0 and self.afterwards == self.people

    @property
    def words(self) -> str:
        return ngettext(
            "This blocks all replies of %(newly)s person who could ask until now (of %(people)s in all).",
            "This blocks all replies of %(newly)s people who could ask until now (of %(people)s in all).",
            self.newly,
        ) % {"newly": grouped(self.newly), "people": grouped(self.people)}


def blocking(before: Iterable[QuotaPolicy], after: Iterable[QuotaPolicy]) -> Blocking:
    was, will = standings(before, people()), standings(after, people())
    blocked = {pk for pk, standing in will.items() if standing.is_blocked}
    newly = sum(not was[pk].is_blocked for pk in blocked & was.keys())
    return Blocking(newly, len(blocked), len(will))


# --- Deleting ---------------------------------------------------------------------------------------------


def of_deleted_group(group: Group) -> list[str]:
    """Returns one sentence for each kind of change that the members of a deleted group would see."""
    policies = _policies()
    members = people().filter(groups=group)
    if not members.exists():
        return [_("Nobody who can log in is a member, so nobody's limits change.")]
    return _changes(policies, [each for each in policies if each.group_id != group.pk], members)


def of_deleted_policy(policy: QuotaPolicy) -> list[str]:
    policies = _policies()
    rest = [each for each in policies if each.pk != policy.pk]
    concerned = people()
    if policy.user_id is not None:
        concerned = concerned.filter(pk=policy.user_id)
    elif policy.group_id is not None:
        concerned = concerned.filter(groups=policy.group_id)
    lines = _changes(policies, rest, concerned)
    blocked = blocking(policies, rest)
    return [*lines, blocked.words] if blocked.newly else lines


def _policies() -> list[QuotaPolicy]:
    return list(QuotaPolicy.objects.select_related("group"))


def _changes(before: list[QuotaPolicy], after: list[QuotaPolicy], among: QuerySet[User]) -> list[str]:
    was, will = standings(before, among), standings(after, among)
    kinds = Counter((was[pk].words, will[pk].words, will[pk].source) for pk in will.keys() & was.keys())
    return [_change(number, *kind) for kind, number in kinds.most_common()]


def _change(number: int, before: str, after: str, source: str) -> str:
    if before == after:
        words = ngettext(
            "%(n)s person keeps the same limits: %(after)s, from %(source)s.",
            "%(n)s people keep the same limits: %(after)s, from %(source)s.",
            number,
        )
    else:
        words = ngettext(
            "%(n)s person has %(before)s; afterwards %(after)s, from %(source)s.",
            "%(n)s people have %(before)s; afterwards %(after)s, from %(source)s.",
            number,
        )
    return words % {"n": grouped(number), "before": before, "after": after, "source": source}
