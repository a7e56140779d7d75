"""`{% modules "chat.js" %}` writes the script elements that run modules of static/js/pages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache

from django import template
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from grokweb import bundle, vendor

register = template.Library()


def _render() -> str:
    text = json.dumps({"imports": vendor.import_map()}, separators=(",", ":"))
    return text.replace("<", "\\u003c")  # so that no content can end the script element


_rendered = cache(_render)


@register.simple_tag
def import_map() -> SafeString:
    return mark_safe(_render() if settings.DEBUG else _rendered())  # noqa: S308 - our own file names, escaped


@register.simple_tag(takes_context=True)
def modules(context: template.Context, *names: str) -> SafeString:
    """Returns the bundles of these modules, or the modules with the import map. Use it once a page."""
    nonce = str(context.get("CSP_NONCE", ""))
    files = [bundle.files_of(name) for name in names]
    if not all(files):
        map_ = format_html('<script type="importmap" nonce="{}">{}</script>', nonce, import_map())
        return map_ + _scripts((staticfiles_storage.url(f"js/pages/{name}") for name in names), nonce)
    # Loaded together instead of one level of imports after another.
    shared = dict.fromkeys(file for first, *others in files for file in others)
    preloads = format_html_join("", '<link rel="modulepreload" href="{}">', ((file,) for file in shared))
    return preloads + _scripts((first for first, *_ in files), nonce)


def _scripts(addresses: Iterable[str | None], nonce: str) -> SafeString:
    script = '<script type="module" nonce="{}" src="{}"></script>'
    return format_html_join("", script, ((nonce, address) for address in addresses))
