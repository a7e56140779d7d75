"""A decision that a colleague overtook is refused, with what they did: reports, take-downs, suspensions."""

from __future__ import annotations

import re
from functools import partial
from html import unescape
from typing import Any

import pytest
from django.test import Client

from chat.accounts import services as accounts
from chat.accounts.models import User
from chat.conversations.models import Message
from chat.core.models import StaffAction
from chat.moderation import reporting
from chat.moderation.models import Decision, Report, Rule
from chat.quotas.models import QuotaPolicy
from chat.sharing.copying import store_copy
from chat.sharing.models import Share
from tests.chat.at_once import at_once
from tests.chat.conversations.building import talk

pytestmark = [pytest.mark.django_db(transaction=True)]

FIRST, SECOND = "staff", "moderator"  # both may decide


@pytest.fixture
def message(cast: Any) -> Message:
    return talk(cast.alice, "Soup?", "Poison").messages.get(role="assistant")


@pytest.fixture
def report(cast: Any, message: Message) -> Report:
    return reporting.report_message(reporter=cast.alice, message=message, reason="harmful")


@pytest.fixture
def share(cast: Any, message: Message) -> Share:
    snapshot = [{"id": str(message.pk), "role": "assistant", "text": message.text}]
    return store_copy(Share(conversation=message.conversation, owner=cast.alice, title="Soup"), snapshot)


def page_of(obj: Any) -> str:
    return f"/admin/{obj._meta.app_label}/{obj._meta.model_name}/{obj.pk}/"


class Page:
    """A page of the admin as somebody opened it, and what its form sends."""

    def __init__(self, client: Client, obj: Any, action: str, door: str = "change") -> None:
        self.client, self.path = client, f"{page_of(obj)}{action}/"
        html = client.get(f"{page_of(obj)}{door}/").content.decode()
        form = html.partition(f'action="{self.path}"')[2] or html.partition("novalidate>")[2]
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form.partition("</form>")[0])
        self.fields = {name: value for name, value in hidden if name != "csrfmiddlewaretoken"}
        assert self.fields

    def send(self, **fields: str) -> list[str]:
        """The messages that the person reads then."""
        answer = self.client.post(self.path, {**self.fields, **fields}, follow=True)
        assert answer.status_code == 200
        found = re.findall(r'<li class="(error|success)">(.*?)</li>', answer.content.decode(), re.DOTALL)
        return [f"{level}: {unescape(words)}" for level, words in found]


def decide(cast: Any, who: str, report: Report) -> Page:
    return Page(cast.client(who), report, "decide")


def is_refused(said: list[str], *words: str) -> bool:
    return len(said) == 1 and said[0].startswith("error: ") and all(each in said[0] for each in words)


# --- Reports ----------------------------------------------------------------------------------------------


def test_a_second_decision_on_a_report_is_refused_with_what_the_first_was(
    cast: Any, report: Report, message: Message
) -> None:
    mine, stale = decide(cast, FIRST, report), decide(cast, SECOND, report)
    assert mine.send(dismissed="x", decision_note="satire") == ["success: Decided: dismissed."]
    said = stale.send(hidden="x")
    assert is_refused(said, "Meanwhile staff@example.org decided: dismissed", "satire", "UTC")
    report.refresh_from_db()
    message.refresh_from_db()
    assert (report.status, message.hidden_at) == ("dismissed", None)
    assert Decision.objects.count() == 1
    assert decide(cast, SECOND, report).send(hidden="x")[0].startswith("success")  # looked again


def test_going_there_and_back_is_seen_too(cast: Any, report: Report) -> None:
    stale = decide(cast, SECOND, report)
    decide(cast, FIRST, report).send(hidden="x")
    decide(cast, FIRST, report).send(dismissed="x")
    decide(cast, FIRST, report).send(dismissed="x")
    assert is_refused(stale.send(hidden="x"), "dismissed")


def test_a_decision_on_another_report_of_the_same_message_counts(
    cast: Any, report: Report, message: Message, share: Share
) -> None:
    other = reporting.report_share(
        reporter=None,
        share_id=share.pk,
        text="Poison",
        author=cast.alice,
        reason="other",
        message_id=message.pk,
    )
    stale = decide(cast, SECOND, other)
    decide(cast, FIRST, report).send(hidden="x")
    assert is_refused(stale.send(dismissed="x"), "message hidden")


def test_two_moderators_at_once_make_one_decision(cast: Any, report: Report) -> None:
    for number in range(3):
        pages = decide(cast, FIRST, report), decide(cast, SECOND, report)
        said = at_once(lambda: pages[0].send(dismissed="x"), lambda: pages[1].send(hidden="x"))  # noqa: B023
        assert sorted(each[0].partition(":")[0] for each in said) == ["error", "success"]
        assert Decision.objects.count() == number + 1


# --- Shared pages -----------------------------------------------------------------------------------------


def test_a_second_take_down_is_refused(cast: Any, share: Share) -> None:
    pages = [Page(cast.client(who), share, "take-down") for who in (FIRST, SECOND)]
    assert pages[0].send(decision_note="not this", owner_reason="Insults.")[0].startswith("success")
    assert is_refused(
        pages[1].send(owner_reason="Insults."), "staff@example.org", "share taken down", "not this"
    )
    assert StaffAction.objects.filter(verb="take share down").count() == 1


def test_a_take_down_by_report_counts_for_the_page_of_the_share_and_the_other_way_round(
    cast: Any, share: Share
) -> None:
    about = {"author": cast.alice, "reason": "other", "text": "Poison"}
    report = reporting.report_share(reporter=None, share_id=share.pk, **about)
    by_share, by_report = Page(cast.client(SECOND), share, "take-down"), decide(cast, SECOND, report)
    decide(cast, FIRST, report).send(taken_down="x")
    assert is_refused(by_share.send(owner_reason="Insults."), "share taken down")
    assert is_refused(by_report.send(dismissed="x"), "share taken down")
    Share.objects.update(taken_down_at=None)
    page, stale = Page(cast.client(FIRST), share, "take-down"), decide(cast, SECOND, report)
    page.send(owner_reason="Insults.")
    assert is_refused(stale.send(dismissed="x"), "share taken down")


def test_two_take_downs_at_once_are_one(cast: Any, share: Share) -> None:
    pages = [Page(cast.client(who), share, "take-down") for who in (FIRST, SECOND)]
    reasons = [partial(page.send, owner_reason="Insults.") for page in pages]
    said = at_once(*reasons)
    assert sorted(each[0].partition(":")[0] for each in said) == ["error", "success"]
    assert StaffAction.objects.filter(verb="take share down").count() == 1


# --- Suspensions ------------------------------------------------------------------------------------------


@pytest.fixture
def second(cast: Any) -> Client:
    """Another administrator."""
    client = Client()
    client.force_login(accounts.create_user(email="second@example.org", password="x", is_superuser=True))
    return client


def suspension(client: Client, person: User) -> Page:
    return Page(client, person, "suspend", "suspend")


def test_a_second_suspension_is_refused_with_the_first_ones_reason(cast: Any, second: Client) -> None:
    mine, stale = suspension(cast.client(FIRST), cast.alice), suspension(second, cast.alice)
    assert mine.send(reason="Spam")[0].startswith("success")
    assert is_refused(stale.send(reason="Abuse"), "staff@example.org", "suspended", "Spam")
    cast.alice.refresh_from_db()
    assert cast.alice.suspension_reason == "Spam"
    assert suspension(second, cast.alice).send(reason="Abuse")[0].startswith("success")


def test_a_suspension_that_was_lifted_meanwhile_is_not_made_again(cast: Any, second: Client) -> None:
    stale = suspension(second, cast.alice)
    suspension(cast.client(FIRST), cast.alice).send(reason="Spam")
    Page(cast.client(FIRST), cast.alice, "lift").send()
    assert is_refused(stale.send(reason="Abuse"), "suspension lifted")
    cast.alice.refresh_from_db()
    assert not cast.alice.is_suspended


def test_a_suspension_that_a_colleague_made_meanwhile_is_not_lifted(cast: Any, second: Client) -> None:
    suspension(cast.client(FIRST), cast.alice).send(reason="Spam")
    stale = Page(second, cast.alice, "lift")
    suspension(cast.client(FIRST), cast.alice).send(reason="Threats")
    assert is_refused(stale.send(), "staff@example.org", "Threats")
    cast.alice.refresh_from_db()
    assert cast.alice.is_suspended


def test_two_suspensions_at_once_are_one(cast: Any, second: Client) -> None:
    pages = suspension(cast.client(FIRST), cast.alice), suspension(second, cast.alice)
    said = at_once(lambda: pages[0].send(reason="One"), lambda: pages[1].send(reason="Two"))
    assert sorted(each[0].partition(":")[0] for each in said) == ["error", "success"]
    assert StaffAction.objects.filter(verb="suspend").count() == 1


# --- Change forms -----------------------------------------------------------------------------------------


def change_form(client: Client, obj: Any) -> tuple[str, dict[str, str]]:
    """A change form as somebody opened it: where it goes and the version it carries."""
    path = f"{page_of(obj)}change/"
    seen = re.search(r'name="seen" value="(\d+)"', client.get(path).content.decode())
    assert seen
    return path, {"seen": seen[1]}


RULE = {"name": "fish", "kind": "pattern", "applies": "both", "words": ""}


def test_a_rule_that_a_colleague_changed_meanwhile_is_not_overwritten(cast: Any) -> None:
    rule = Rule.objects.create(name="fish", options={"pattern": "fish"})
    mine, theirs = cast.client(FIRST), cast.client(SECOND)
    path, opened = change_form(mine, rule)
    stale = change_form(theirs, rule)[1]
    assert mine.post(path, {**RULE, **opened, "pattern-pattern": "f.sh", "active": "on"}).status_code == 302
    answer = theirs.post(path, {**RULE, **stale, "pattern-pattern": "salmon"}, follow=True)
    page = answer.content.decode()
    assert "Meanwhile staff@example.org decided: changed what this page shows" in page
    assert "f.sh" in page
    rule.refresh_from_db()
    assert (rule.options, rule.active) == ({"pattern": "f.sh"}, True)
    again = change_form(theirs, rule)[1]
    assert theirs.post(path, {**RULE, **again, "pattern-pattern": "salmon"}).status_code == 302


def test_a_form_with_an_error_stays_as_old_as_it_was(cast: Any, second: Client) -> None:
    policy = QuotaPolicy.objects.create(user=cast.alice, tokens_per_day=1000)
    form = {"user": str(cast.alice.pk), "group": "", "weight": "1", "running_limit": ""}
    path, stale = change_form(second, policy)
    path, opened = change_form(cast.client(FIRST), policy)
    cast.client(FIRST).post(path, {**form, **opened, "tokens_per_day": "2000"})
    wrong = second.post(path, {**form, **stale, "tokens_per_day": "-1"}).content.decode()
    assert f'name="seen" value="{stale["seen"]}"' in wrong
    second.post(path, {**form, **stale, "tokens_per_day": "3000"})
    policy.refresh_from_db()
    assert policy.tokens_per_day == 2000


def test_two_changes_at_once_are_one(cast: Any, second: Client) -> None:
    rule = Rule.objects.create(name="fish", options={"pattern": "fish"})
    clients = cast.client(FIRST), second
    forms = [change_form(client, rule) for client in clients]
    at_once(
        *(
            partial(client.post, path, {**RULE, **seen, "pattern-pattern": pattern})
            for client, (path, seen), pattern in zip(clients, forms, ("one", "two"), strict=True)
        )
    )
    assert StaffAction.objects.filter(verb="change", target=f"rule:{rule.pk}").count() == 1
