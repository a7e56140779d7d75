"""`{% module "chat.js" %}`: what a page needs to run a module of static/js."""

from __future__ import annotations

import json
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
    return text.replace("<", "\\u003c")  # nothing in it may end the script element


_rendered = cache(_render)


@register.simple_tag
def import_map() -> SafeString:
    return mark_safe(_render() if settings.DEBUG else _rendered())  # noqa: S308 - our own file names, escaped


@register.simple_tag(takes_context=True)
def module(context: template.Context, name: str) -> SafeString:
    """The bundle of this module; where there is none, the module itself and the import map of all."""
    nonce = str(context.get("CSP_NONCE", ""))
    files = bundle.files_of(name)
    if not files:
        map_ = format_html('<script type="importmap" nonce="{}">{}</script>', nonce, import_map())
        return map_ + _script(staticfiles_storage.url(f"js/{name}"), nonce)
    # Fetched together instead of one level of imports after the other.
    preloads = format_html_join("", '<link rel="modulepreload" href="{}">', ((file,) for file in files[1:]))
    return preloads + _script(files[0], nonce)


def _script(address: str | None, nonce: str) -> SafeString:
    return format_html('<script type="module" nonce="{}" src="{}"></script>', nonce, address)
