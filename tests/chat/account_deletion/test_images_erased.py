"""Images leave the data directory with their account, their conversation, and what was never sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from chat.account_deletion import tasks
from chat.conversations.branches import delete_branch
from chat.conversations.lifecycle import delete_expired
from chat.conversations.models import Conversation
from chat.conversations.purge import PURGE_AFTER, purge_deleted
from chat.files import attaching, deleting
from chat.files.models import File
from tests.chat.cast import PASSWORD, Cast
from tests.chat.conversations.building import talk
from tests.chat.files.stored_images import image, is_on_the_disk


def delete_account(cast: Cast) -> None:
    cast.client("alice").post("/settings/delete-account/", {"password": PASSWORD})
    tasks.delete_account(str(cast.alice.pk))


def delete_conversation(cast: Cast) -> None:
    pk = Conversation.objects.get(owner=cast.alice).pk
    assert cast.client("alice").delete(f"/api/conversations/{pk}/").status_code == 204
    purge()


def let_it_expire(cast: Cast) -> None:
    of_alice = Conversation.objects.filter(owner=cast.alice)
    of_alice.update(temporary=True, updated_at=timezone.now() - timedelta(days=2))
    delete_expired()
    purge()


def delete_question(cast: Cast) -> None:
    delete_branch(Conversation.objects.get(owner=cast.alice).messages.get(role="user"))


def purge() -> None:
    Conversation.objects.exclude(deleted_at=None).update(deleted_at=timezone.now() - 2 * PURGE_AFTER)
    purge_deleted()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", [delete_account, delete_conversation, let_it_expire, delete_question])
def test_an_image_goes_from_the_disk_and_that_of_others_stays(
    cast: Cast, end: Callable[[Cast], None]
) -> None:
    hers, his = uuid4().bytes, uuid4().bytes
    for owner, data in ((cast.alice, hers), (cast.bob, his)):
        asked = talk(owner, "What is it?", "A cat.").messages.get(role="user")
        attaching.attach(asked, [image(owner, data=data)])
    assert is_on_the_disk(hers)
    end(cast)
    assert not is_on_the_disk(hers)
    assert is_on_the_disk(his)
    assert File.objects.get().owner == cast.bob


@pytest.mark.django_db(transaction=True)
def test_an_image_that_was_never_sent_goes_after_a_day(cast: Cast) -> None:
    data = uuid4().bytes
    file = image(cast.alice, data=data)
    File.objects.filter(pk=file.pk).update(created_at=timezone.now() - 2 * deleting.UNSENT_FOR)
    deleting.delete_unsent()
    assert not is_on_the_disk(data)
