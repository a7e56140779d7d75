"""Finds files for a person. Unknown files, files of others and files of deleted messages look the same."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import AnonymousUser

from chat.accounts.models import User
from chat.core.errors import NotFound
from chat.files.models import File


def file_for(user: User | AnonymousUser, pk: UUID) -> File:
    if not isinstance(user, User):
        raise NotFound
    try:
        return File.objects.visible_to(user).get(pk=pk)
    except File.DoesNotExist:
        raise NotFound from None
