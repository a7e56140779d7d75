"""A person leaves: locked out and nameless at once, then everything of theirs is removed piece by piece.

The first part is one transaction. The second is a job that may be interrupted and run again, by beat too: it
waits until no reply is being written for them, since a worker must not write into rows that are gone.
"""

from __future__ import annotations

import logging
from uuid import UUID

from allauth.account.models import EmailAddress
from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from chat.accounts import administrators, devices
from chat.accounts.models import User
from chat.conversations import services as conversations
from chat.conversations import sidebar
from chat.core import audit
from chat.core.errors import BadInput, NotAllowed
from chat.core.limits import take
from chat.files.models import File
from chat.leaving.models import Departure
from chat.quotas.models import UsageEntry
from chat.search import index
from chat.turns import news, port, services
from chat.turns.models import Generation
from grokweb.celery import app

logger = logging.getLogger("grokweb.leaving")

FINISH_TASK = "jobs.finish_departure"
TRIES_AN_HOUR = 10
BATCH = 50  # rows in one transaction: SQLite's writers share one lock


# --- Asking -----------------------------------------------------------------------------------------------


def check_may_leave(user: User) -> None:
    """Somebody must be able to run this site."""
    if administrators.is_last(user):
        raise NotAllowed(_("You are the only administrator. Make somebody else one first."))


def leave(*, user: User, password: str) -> None:
    take("leave", str(user.pk), TRIES_AN_HOUR, 3600)
    if not user.check_password(password):
        raise BadInput(_("That is not your password."))
    _depart(user)
    logger.info("a person leaves", extra={"user": str(user.pk)})


@transaction.atomic
def _depart(user: User) -> None:
    check_may_leave(user)
    Departure.objects.get_or_create(user=user)
    _make_nameless(user)
    devices.end_all(user)
    sidebar.delete_all(user)  # closes shared links, too
    services.stop_all(user=user)
    transaction.on_commit(lambda: _ask_to_finish(user.pk), robust=True)
    audit.record(None, "leave", audit.on_model(user))


def _make_nameless(user: User) -> None:
    """From now on nobody logs in as them, and their address is free."""
    EmailAddress.objects.filter(user=user).delete()
    LogEntry.objects.filter(object_repr__contains=user.email).delete()  # Django's own list of recent actions
    user.email, user.display_name = f"{user.pk.hex}@gone.invalid", ""
    user.is_active = user.is_staff = user.is_superuser = False
    user.set_unusable_password()
    user.save()


def _ask_to_finish(pk: UUID) -> None:
    try:
        app.send_task(FINISH_TASK, args=[str(pk)], retry=False, ignore_result=True)
    except (RedisError, OperationalError) as error:
        logger.warning("departure %s waits for the sweep: %s", pk, error)


# --- Going ------------------------------------------------------------------------------------------------


def finish(pk: UUID) -> bool:
    """Removes all that is left of somebody who asked for it; False while a reply of theirs is not settled."""
    user = User.objects.filter(pk=pk, departure__isnull=False).first()
    if user is None:
        return True
    if Generation.objects.live().filter(user=user).exists():
        services.stop_all(user=user)
        return False
    port.forget(list(Generation.objects.filter(user=user).values_list("pk", flat=True)))
    conversations.purge_of(user)
    _remove(File.objects.filter(owner=user))
    _remove(UsageEntry.objects.filter(user=user))
    with transaction.atomic():
        user.delete()
    index.forget_deleted()
    news.forget(pk)
    logger.info("a person is gone", extra={"user": str(pk)})
    return True


def _remove(rows: QuerySet[Model]) -> None:
    while batch := list(rows.values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            rows.model._default_manager.filter(pk__in=batch).delete()


def sweep() -> None:
    """Those whose job was lost, or who had to wait."""
    for pk in list(Departure.objects.values_list("user", flat=True)):
        finish(pk)
