"""Pages of a suspended person close with the suspension and open with its end; a setting keeps them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from chat.accounts.models import User
from chat.accounts.services import lift_suspension, suspend
from chat.moderation.models import Report
from chat.sharing.copying import create_share
from chat.sharing.models import Share
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk

pytestmark = pytest.mark.django_db

READERS = ["anonymous", "bob", "staff"]
NOTE = "their account is suspended"


@pytest.fixture
def share(cast: Cast) -> Share:
    return create_share(conversation=talk(cast.alice, "Hi", "Hello there"), owner=cast.alice)


def opened(cast: Cast, share: Share, who: str = "anonymous") -> Any:
    return cast.client(who).get(share.get_absolute_url())


@pytest.mark.parametrize("who", READERS)
@pytest.mark.parametrize("policy", ["anyone", "members"])
def test_they_close_at_once_and_open_again(cast: Cast, who: str, policy: str) -> None:
    share = create_share(conversation=talk(cast.alice, "Hi", "Hello there"), owner=cast.alice, policy=policy)
    before = opened(cast, share, who).status_code  # and what it shows is in the cache
    suspend(user=cast.alice, by=cast.staff, reason="spam")
    closed = opened(cast, share, who)
    assert closed.status_code == 404
    assert "Hello there" not in closed.content.decode()
    assert NOTE not in closed.content.decode()  # a closed page does not say why
    lift_suspension(user=User.objects.get(pk=cast.alice.pk), by=cast.staff)
    assert opened(cast, share, who).status_code == before


def test_they_open_when_the_suspension_is_over(cast: Cast, share: Share) -> None:
    suspend(user=cast.alice, by=cast.staff, reason="spam", until=timezone.now() + timedelta(days=1))
    assert opened(cast, share).status_code == 404
    User.objects.filter(pk=cast.alice.pk).update(suspended_until=timezone.now() - timedelta(seconds=1))
    assert opened(cast, share).status_code == 200


@pytest.mark.parametrize(("open_on", "words"), [(False, "close until the suspension"), (True, "stay open")])
def test_staff_read_beforehand_what_becomes_of_them(
    cast: Cast, settings: Settings, open_on: bool, words: str
) -> None:
    settings.SHARES_OF_SUSPENDED = open_on
    page = cast.client("staff").get(f"/admin/accounts/user/{cast.alice.pk}/suspend/").content.decode()
    assert f"Pages they shared {words}" in page


def test_nothing_of_a_closed_page_can_be_reported(cast: Cast, share: Share) -> None:
    suspend(user=cast.alice, by=cast.staff, reason="spam")
    answer = cast.client("anonymous").post(f"{share.get_absolute_url()}report/", {"reason": "harmful"})
    assert answer.status_code == 404
    assert not Report.objects.exists()


@pytest.mark.parametrize("who", READERS)
def test_a_setting_keeps_them_open_with_a_note(
    cast: Cast, share: Share, settings: Settings, who: str
) -> None:
    settings.SHARES_OF_SUSPENDED = True
    assert NOTE not in opened(cast, share, who).content.decode()
    suspend(user=cast.alice, by=cast.staff, reason="spam")
    page = opened(cast, share, who)
    assert page.status_code == 200
    assert NOTE in page.content.decode()
    assert "Hello there" in page.content.decode()
    assert "spam" not in page.content.decode()


def test_pages_of_an_account_that_is_switched_off_are_closed(
    cast: Cast, share: Share, settings: Settings
) -> None:
    settings.SHARES_OF_SUSPENDED = True
    User.objects.filter(pk=cast.alice.pk).update(is_active=False)
    assert opened(cast, share).status_code == 404


def test_a_page_that_is_being_made_does_not_open_after_the_suspension(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader waits for the HTML; the door is asked again before it is sent."""
    share = create_share(conversation=talk(cast.alice, "Hi", "**word** " * 300), owner=cast.alice)

    async def slow(texts: str, request: Any) -> list[Any]:
        await User.objects.filter(pk=cast.alice.pk).aupdate(suspended_at=timezone.now())
        return ["<p>made meanwhile</p>" for _ in texts]

    monkeypatch.setattr("chat.sharing.views.html_of", slow)
    answer = opened(cast, share)
    assert answer.status_code == 404
    assert "made meanwhile" not in answer.content.decode()
