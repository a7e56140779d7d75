"""Checks the header of each record of ours, a name and a version. A newer version may hold data unknown
here.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from chat.transfer.imported_conversation import Unreadable, dict_of


def is_named(record: object, *names: str) -> bool:
    """Returns whether a record claims to be of one of these kinds."""
    return dict_of(record).get("format") in names


def check_version(record: Mapping[str, object], newest: int) -> None:
    """Raises Unreadable for a version that this service does not know."""
    version = record.get("version")
    if type(version) is not int or not 1 <= version <= newest:
        raise Unreadable(_("It was written by a newer version of this service."))
