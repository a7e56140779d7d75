"""Creates, renames and deletes folders of the sidebar. Deleting one keeps its conversations."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations import signals
from chat.conversations.models import Conversation, Folder
from chat.core.entry_points import check_text
from chat.core.errors import BadInput
from chat.core.text import one_line

FOLDERS = 100  # of one person: all names are on the page
EMPTIED_AT_ONCE = 200  # SQLite's writers share one lock


def folder_json(folder: Folder) -> dict[str, Any]:
    """Serializes a folder."""
    return {"id": str(folder.pk), "name": folder.name}


def folders_json(owner: User) -> list[dict[str, Any]]:
    """Serializes all folders of a person, by name."""
    return [folder_json(each) for each in Folder.objects.filter(owner=owner).order_by("name", "pk")]


@transaction.atomic
def new_folder(*, owner: User, name: str) -> Folder:
    """Creates a folder. Raises BadInput if the name is unusable or there are FOLDERS already."""
    if Folder.objects.filter(owner=owner).count() >= FOLDERS:
        raise BadInput(_("You can have at most %(limit)d folders.") % {"limit": FOLDERS})
    folder = Folder.objects.create(owner=owner, name=_cleaned_name(name))
    _announce_after_commit(owner)
    return folder


@transaction.atomic
def rename_folder(*, folder: Folder, name: str) -> Folder:
    """Renames a folder. Raises BadInput if the name is unusable."""
    folder.name = _cleaned_name(name)
    Folder.objects.filter(pk=folder.pk).update(name=folder.name)
    _announce_after_commit(folder.owner)
    return folder


def delete_folder(*, folder: Folder) -> None:
    """Takes the conversations out of a folder, in small transactions, and deletes it."""
    while _take_out(folder):
        pass
    with transaction.atomic():
        Folder.objects.filter(
            pk=folder.pk
        ).delete()  # conversations moved in meanwhile lose the folder by its foreign key
        _announce_after_commit(folder.owner)


def _take_out(folder: Folder) -> int:
    some = list(Conversation.objects.filter(folder=folder).values_list("pk", flat=True)[:EMPTIED_AT_ONCE])
    return Conversation.objects.filter(pk__in=some).update(folder=None)


def _announce_after_commit(owner: User) -> None:
    transaction.on_commit(lambda: signals.folders_changed.send_robust(Folder, owner=owner), robust=True)


def _cleaned_name(name: str) -> str:
    limit = Folder._meta.get_field("name").max_length or 0
    name = one_line(name)
    if not name:
        raise BadInput(_("Please write a name."))
    if len(name) > limit:
        raise BadInput(
            _("A folder's name has at most %(limit)d characters; this one has %(length)d.")
            % {"limit": limit, "length": len(name)}
        )
    check_text("folder", name)
    return name
