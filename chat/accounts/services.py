"""Creates, changes, suspends and deletes people. Each staff action is audited in its transaction."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, validate_email
from django.db import transaction
from django.db.models import TextChoices
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from chat.accounts import administrators, hooks, signals
from chat.accounts.lookalikes import latin_reading, normalised_address, normalised_name
from chat.accounts.models import Density, Theme, User
from chat.core import audit
from chat.core.decisions import check_not_stale
from chat.core.entry_points import check_text
from chat.core.errors import BadInput, NotAllowed, Suspended
from chat.core.text import one_line, trimmed

NAME_LENGTH = 80  # of User.display_name
REASON_LENGTH = 300  # of User.suspension_reason
EMAIL_LENGTH = 254  # of User.email
GROUP_LENGTH = 150  # of Group.name


@transaction.atomic
def create_user(
    *,
    email: str,
    password: str | None = None,
    display_name: str = "",
    is_staff: bool = False,
    is_superuser: bool = False,
    group: str = "",
) -> User:
    """Creates a person who can log in at once: their address counts as verified."""
    email = checked_email(email)
    if len(group) > GROUP_LENGTH:
        raise BadInput(_("The name is longer than %d characters.") % GROUP_LENGTH)
    user = User.objects.create_user(
        email,
        password,
        display_name=checked_name(one_line(display_name)[:NAME_LENGTH]),
        is_staff=is_staff or is_superuser,
        is_superuser=is_superuser,
    )
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    if group:
        user.groups.add(Group.objects.get_or_create(name=group)[0])
    return user


def discard_unconfirmed(pk: UUID) -> None:
    """Takes a new account back whose address was never confirmed, and that nobody ever logged in to."""
    confirmed = EmailAddress.objects.filter(user=pk, verified=True)
    if not confirmed.exists():
        User.objects.filter(pk=pk, last_login=None).delete()


@transaction.atomic
def change_email(*, user: User, email: str) -> None:
    """Replaces a person's addresses by one verified address, on behalf of staff."""
    email = checked_email(email, user)
    EmailAddress.objects.filter(user=user).delete()
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    user.email = email
    user.save(update_fields=["email"])


def edit_profile(
    *,
    user: User,
    display_name: str | None = None,
    language: str | None = None,
    theme: str | None = None,
    density: str | None = None,
) -> None:
    """Changes what people may change about themselves; None leaves a field as it is."""
    if display_name is not None:
        user.display_name = checked_name(display_name, user)
    if language is not None:
        if language and language not in dict(settings.LANGUAGES):
            raise BadInput(_("That language is not offered."))
        user.language = language
    if theme is not None:
        user.theme = _offered(Theme, theme)
    if density is not None:
        user.density = _offered(Density, density)
    user.save(update_fields=["display_name", "language", "theme", "density"])


def _offered(choices: type[TextChoices], value: str) -> str:
    if value not in choices.values:
        raise BadInput(_("There is no such choice."))
    return value


@transaction.atomic
def suspend(
    *, user: User, by: User, reason: str, until: datetime | None = None, seen: int | None = None
) -> None:
    """Suspends a person until a time or until lifted. Their sessions stay, and show the reason.

    Raises Stale if a colleague suspended them or lifted it after `seen` (chat/core/decisions.py).
    """
    reason = trimmed(reason)
    if not reason or len(reason) > REASON_LENGTH:
        raise BadInput(_("Please give a reason of at most %d characters.") % REASON_LENGTH)
    if until is not None and until <= timezone.now():
        raise BadInput(_("The end of the suspension lies in the past."))
    _check_rank(user, by)
    administrators.check_another_remains(user)  # locks first: always in the same order
    _check_still_so(user, by, seen)
    user.suspended_at, user.suspended_until, user.suspension_reason = timezone.now(), until, reason
    user.save(update_fields=["suspended_at", "suspended_until", "suspension_reason"])
    transaction.on_commit(lambda: _tell_suspended(user), robust=True)
    audit.record(by, "suspend", audit.on_model(user), reason=reason, until=until)


@transaction.atomic
def lift_suspension(*, user: User, by: User, seen: int | None = None) -> None:
    _check_rank(user, by)
    _check_still_so(user, by, seen)
    if user.suspended_at is None:
        return
    user.suspended_at, user.suspended_until, user.suspension_reason = None, None, ""
    user.save(update_fields=["suspended_at", "suspended_until", "suspension_reason"])
    audit.record(by, "lift suspension", audit.on_model(user))


@transaction.atomic
def delete_user(*, user: User, by: User) -> None:
    """Deletes a person and all they wrote. They must be suspended, so that nothing of theirs still runs."""
    check_deletable(user, by)
    target = audit.on_model(user)
    user.delete()
    audit.record(by, "delete", target)


def check_deletable(user: User, by: User) -> None:
    """Raises NotAllowed if this person must not be deleted."""
    _check_rank(user, by)
    if not user.is_suspended:
        raise NotAllowed(_("Suspend this person first: it stops what is running in their name."))
    hooks.check_user_deletable(user)


def check_not_suspended(user: User) -> None:
    if user.is_suspended:
        until = user.suspended_until
        raise Suspended(suspension_words(user), until=until.isoformat() if until else None)


def suspension_words(user: User) -> str:
    """Returns the reason and the end of a suspension in the reader's language."""
    if user.suspended_until is None:
        words = _("Your account is suspended.")
    else:
        end = date_format(timezone.localtime(user.suspended_until), "DATETIME_FORMAT")
        words = _("Your account is suspended until %(end)s (UTC).") % {"end": end}
    if user.suspension_reason:
        words += " " + _("Reason: %(reason)s") % {"reason": user.suspension_reason}
    return words


def _check_still_so(user: User, by: User, seen: int | None) -> None:
    """Locks the row of a person, and raises Stale if a colleague decided on them after `seen`."""
    user.refresh_from_db(from_queryset=User.objects.select_for_update())
    verbs = {"suspend": _("suspended"), "lift suspension": _("suspension lifted")}
    check_not_stale(seen=seen, targets=[audit.on_model(user)], by=by, verbs=verbs)


def _tell_suspended(user: User) -> None:
    signals.user_suspended.send(User, user=user)


def _check_rank(user: User, by: User) -> None:
    if user.pk == by.pk:
        raise NotAllowed(_("You cannot do this to yourself."))
    if (user.is_staff or user.is_superuser) and not by.is_superuser:
        raise NotAllowed(_("Only an administrator may do this to a member of staff."))


def checked_email(email: str, user: User | None = None) -> str:
    """Returns the address as it is stored; raises BadInput if it is invalid, deceptive, or taken."""
    email = normalised_address(email)
    try:
        validate_email(email)
        MaxLengthValidator(EMAIL_LENGTH)(email)  # SQLite would store a longer one
    except ValidationError:
        raise BadInput(_("“%s” is not an e-mail address.") % email) from None
    others = User.objects.filter(email=email)
    addresses = EmailAddress.objects.filter(email=email, verified=True)
    if user is not None:
        others, addresses = others.exclude(pk=user.pk), addresses.exclude(user=user)
    if others.exists() or addresses.exists():
        raise BadInput(_("Somebody has the e-mail address %s already.") % email)
    return email


def checked_name(name: str, user: User | None = None) -> str:
    """Returns the display name as it is stored. Raises BadInput if it imitates another person's.

    Two people may have the same name, but not in look-alike letters. An unchanged name is not checked again:
    a rule or the other person may be newer.
    """
    if user is not None and name == user.display_name:
        return name
    name = normalised_name(name)
    if len(name) > NAME_LENGTH:
        raise BadInput(_("That name is longer than 80 characters."))
    check_text("display_name", name)
    if read := latin_reading(name):
        others = User.objects.filter(display_name__iexact=read)
        if (others.exclude(pk=user.pk) if user else others).exists():
            raise BadInput(_("This name looks like somebody else's. Please choose another one."))
    return name
