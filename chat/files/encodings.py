"""Lists the encodings that a person can choose for a text file, grouped by the scripts they write."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from chat.files.decoding import ENCODINGS

_GROUPS = {
    _("Unicode"): ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"],
    _("Western European"): ["cp1252", "iso8859_15", "mac_roman", "cp850", "cp437"],
    _("Central European"): ["cp1250", "iso8859_2", "mac_latin2", "cp852"],
    _("Baltic"): ["cp1257", "iso8859_13", "iso8859_4"],
    _("Cyrillic"): ["cp1251", "koi8_r", "koi8_u", "iso8859_5", "mac_cyrillic", "cp866"],
    _("Greek"): ["cp1253", "iso8859_7", "mac_greek"],
    _("Turkish"): ["cp1254", "mac_turkish"],
    _("Hebrew"): ["cp1255", "iso8859_8"],
    _("Arabic"): ["cp1256", "iso8859_6"],
    _("Vietnamese"): ["cp1258"],
    _("Thai"): ["cp874"],
    _("Chinese"): ["gb18030", "big5hkscs"],
    _("Japanese"): ["cp932", "euc_jp", "iso2022_jp_ext"],
    _("Korean"): ["cp949", "iso2022_kr"],
}


def menu() -> list[dict[str, Any]]:
    return [
        {"group": str(group), "encodings": [{"id": each, "name": ENCODINGS[each]} for each in encodings]}
        for group, encodings in _GROUPS.items()
    ]
