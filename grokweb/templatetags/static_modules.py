"""`<script type="importmap" nonce="…">{% import_map %}</script>`, before the first module of a page."""

from __future__ import annotations

import json
from functools import cache

from django import template
from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

from grokweb import vendor

register = template.Library()


def _render() -> str:
    text = json.dumps({"imports": vendor.import_map()}, separators=(",", ":"))
    return text.replace("<", "\\u003c")  # nothing in it may end the script element


_rendered = cache(_render)


@register.simple_tag
def import_map() -> SafeString:
    return mark_safe(_render() if settings.DEBUG else _rendered())  # noqa: S308 - our own file names, escaped
