"""Ensures that the last administrator who can log in remains one, so that somebody can run the site."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.core.errors import NotAllowed


def is_able(person: User) -> bool:
    """Returns whether this person could log in today and change anything."""
    rights = person.is_active and person.is_staff and person.is_superuser
    return rights and not person.is_suspended and person.has_usable_password()


def is_last(person: User) -> bool:
    """Returns whether nobody else could run the site.

    In a transaction, others who ask this wait for its end, so that the last two cannot go at once.
    """
    administrators = User.objects.filter(is_superuser=True).order_by("pk")
    if transaction.get_connection().in_atomic_block:
        administrators = administrators.select_for_update()
    able = {each.pk for each in administrators if is_able(each)}
    return person.pk in able and len(able) == 1


def check_another_remains(person: User) -> None:
    """Raises NotAllowed if this person is the last administrator."""
    if is_last(person):
        raise NotAllowed(
            _("%(email)s is the only administrator who can log in. Make somebody else one first.")
            % {"email": person.email}
        )
