"""Exports and imports a person's own settings and folders (docs/transfer.md); personas.py does so for their
texts.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.accounts.services import edit_profile
from chat.conversations.bulk import can_pin
from chat.conversations.folders import FOLDERS, new_folder
from chat.conversations.models import Conversation, Folder
from chat.core.errors import ChatError
from chat.core.text import one_line
from chat.push.access import devices_of
from chat.transfer.imported_conversation import ImportedConversation, dict_of, list_of, storable, text_of
from chat.transfer.upload import shown
from chat.transfer.versions import check_version, is_named

NAME, VERSION = "grokweb.account", 1
FIELDS = ("language", "theme", "density")  # settings that a person chose; each has a default
NAME_CHARS = 1000  # that are looked at

Outcome = tuple[str, str]  # title, and why it was left out; empty if it was imported


def title() -> str:
    return _("Your settings and folders")


def written(owner: User) -> dict[str, Any]:
    """Returns the settings as `bring_in` reads them. Name and address are only written: the importer has
    their own.
    """
    chosen = {name: value for name, value in _settings_of(owner).items() if value != _default(name)}
    names = Folder.objects.filter(owner=owner).order_by("name", "pk").values_list("name", flat=True)
    return {
        "format": NAME,
        "version": VERSION,
        "name": owner.display_name,
        "email": owner.email,
        "settings": chosen,
        "folders": list(names),
        **_browsers_of(owner),
    }


def _browsers_of(owner: User) -> dict[str, Any]:
    """Returns since when which browsers are notified: neither their addresses nor their keys."""
    since = [device.created_at.isoformat() for device in devices_of(owner)]
    return {"notified_browsers": [{"since": each} for each in since]} if since else {}


def _settings_of(owner: User) -> dict[str, str]:
    return {name: getattr(owner, name) for name in FIELDS}


def _default(name: str) -> str:
    return str(getattr(User(), name))


def fits(record: object) -> bool:
    return is_named(record, NAME)


def bring_in(owner: User, record: dict[str, object]) -> list[Outcome]:
    """Imports settings that were not chosen here, and folders whose names are not here yet."""
    check_version(record, VERSION)
    outcomes = _bring_settings(owner, dict_of(record.get("settings")))
    folders = list_of(record.get("folders"))
    here = set(Folder.objects.filter(owner=owner).values_list("name", flat=True))
    for each in folders[:FOLDERS]:
        name = _folder_name(each)
        if name and name not in here:
            here.add(name)
            outcomes.append((_("Folder “%(name)s”") % {"name": shown(name)}, _made(owner, name)))
    return outcomes


def _bring_settings(owner: User, data: dict[str, object]) -> list[Outcome]:
    owner.refresh_from_db(fields=FIELDS)
    mine = _settings_of(owner)
    imported = {name: text_of(data.get(name)) for name in FIELDS}
    imported = {name: value for name, value in imported.items() if value and value != mine[name]}
    if not imported:
        return []
    free = {name: value for name, value in imported.items() if mine[name] == _default(name)}
    try:
        edit_profile(user=owner, **free)
    except ChatError as error:
        return [(_("Your settings"), error.words)]
    if len(free) < len(imported):
        return [(_("Your settings"), _("You chose others here; they stay as they are."))]
    return [(_("Your settings"), "")]


def _folder_name(name: object) -> str:
    return one_line(storable(text_of(name)[:NAME_CHARS]))


def _made(owner: User, name: str) -> str:
    try:
        new_folder(owner=owner, name=name)
    except ChatError as error:
        return error.words
    return ""


# --- A conversation's place -------------------------------------------------------------------------------


def place_written(conversation: Conversation) -> dict[str, Any]:
    """Returns a conversation's folder, pin and archive state as `keep_place` reads them."""
    folder = conversation.folder
    return {"pinned": conversation.pinned, "folder": folder.name if folder else None}


def keep_place(owner: User, made: Conversation, draft: ImportedConversation) -> None:
    """Pins it and puts it into its folder, within the limits of the sidebar; notes say what stayed out."""
    name = _folder_name(draft.folder)
    if name:
        made.folder = _folder(owner, draft, name)
    if draft.pinned and not made.archived:
        made.pinned = can_pin(owner)
        if not made.pinned:
            draft.said.append(_("It is not pinned: the limit of pinned conversations is reached."))
    if made.pinned or made.folder:
        made.save(update_fields=["pinned", "folder"])


def _folder(owner: User, draft: ImportedConversation, name: str) -> Folder | None:
    found = Folder.objects.filter(owner=owner, name=name).order_by("pk").first()
    if found is None:
        try:
            found = new_folder(owner=owner, name=name)
        except ChatError as error:
            words = _("Its folder “%(name)s” was left out: %(reason)s")
            draft.said.append(words % {"name": shown(name), "reason": error.words})
    return found
