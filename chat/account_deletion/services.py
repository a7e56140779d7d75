"""Deletes an account: it is locked and anonymized at once, then its rows are removed in batches.

The first part is one transaction. The second is a job that may be interrupted and run again, by beat too. It
waits until no reply of the user is being written, since a worker must not write into rows that are gone.
"""

from __future__ import annotations

import logging
from uuid import UUID

from allauth.account.models import EmailAddress
from celery import current_app
from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from chat.account_deletion.models import DeletionJob
from chat.accounts import administrators, devices
from chat.accounts.models import User
from chat.conversations.bulk import delete_all
from chat.conversations.models import Conversation
from chat.conversations.purge import purge_owner
from chat.core import audit
from chat.core.errors import BadInput, NotAllowed
from chat.core.throttling import throttle
from chat.files.models import File
from chat.quotas.models import UsageEntry
from chat.search import index
from chat.turns import event_numbers, submission
from chat.turns.models import Generation
from chat.turns.stopping import stop_all

logger = logging.getLogger("grokweb.account_deletion")

DELETE_TASK = "jobs.delete_account"
TRIES_AN_HOUR = 10
BATCH = 50  # rows in one transaction: SQLite's writers share one lock


# --- Requesting -------------------------------------------------------------------------------------------


def count_conversations(user: User) -> int:
    """Returns how many conversations a person would delete."""
    return Conversation.objects.visible_to(user).count()


def check_can_delete(user: User) -> None:
    """Raises NotAllowed for the last administrator: somebody must be able to run this site."""
    if administrators.is_last(user):
        raise NotAllowed(_("You are the only administrator. Make somebody else one first."))


def request_deletion(*, user: User, password: str) -> None:
    """Starts deleting an account. Raises BadInput for a wrong password, TooManyRequests, NotAllowed."""
    throttle("delete_account", str(user.pk), TRIES_AN_HOUR, 3600)
    if not user.check_password(password):
        raise BadInput(_("That is not your password."))
    _start(user)
    logger.info("account deletion requested", extra={"user": str(user.pk)})


@transaction.atomic
def _start(user: User) -> None:
    check_can_delete(user)
    DeletionJob.objects.get_or_create(user=user)
    _anonymize(user)
    devices.end_all(user)
    delete_all(user)  # closes shared links, too
    stop_all(user=user)
    transaction.on_commit(lambda: _queue_job(user.pk), robust=True)
    audit.record(None, "delete own account", audit.on_model(user))


def _anonymize(user: User) -> None:
    """Removes name and address: nobody logs in to the account any more, and its address is free."""
    EmailAddress.objects.filter(user=user).delete()
    LogEntry.objects.filter(object_repr__contains=user.email).delete()  # Django's own list of recent actions
    user.email, user.display_name = f"{user.pk.hex}@gone.invalid", ""
    user.is_active = user.is_staff = user.is_superuser = False
    user.set_unusable_password()
    user.save()


def _queue_job(pk: UUID) -> None:
    try:
        current_app.send_task(DELETE_TASK, args=[str(pk)], retry=False, ignore_result=True)
    except (RedisError, OperationalError) as error:
        logger.warning("the deletion of account %s waits for beat: %s", pk, error)


# --- Deleting ---------------------------------------------------------------------------------------------


def run_job(pk: UUID) -> bool:
    """Removes all that is left of an account; returns False while a reply of it is not settled."""
    user = User.objects.filter(pk=pk, deletion_job__isnull=False).first()
    if user is None:
        return True
    if Generation.objects.live().filter(user=user).exists():
        stop_all(user=user)
        return False
    submission.forget(list(Generation.objects.filter(user=user).values_list("pk", flat=True)))
    purge_owner(user)
    _delete_in_batches(File.objects.filter(owner=user))
    _delete_in_batches(UsageEntry.objects.filter(user=user))
    with transaction.atomic():
        user.delete()
    index.forget_deleted()
    event_numbers.forget(pk)
    logger.info("account deleted", extra={"user": str(pk)})
    return True


def _delete_in_batches(rows: QuerySet[Model]) -> None:
    while batch := list(rows.values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            rows.model._default_manager.filter(pk__in=batch).delete()


def run_pending_jobs() -> None:
    """Runs the jobs whose task was lost, or which had to wait."""
    for pk in list(DeletionJob.objects.values_list("user", flat=True)):
        run_job(pk)
