"""Gives the menu of a conversation the formats that can be exported."""

from __future__ import annotations

from django import template

from chat.transfer.formats import writers
from chat.transfer.formats.base import Format

register = template.Library()


@register.simple_tag
def export_formats() -> dict[str, Format]:
    return writers()
