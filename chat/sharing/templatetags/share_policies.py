"""Gives the share dialog the policies that can be chosen, each with the form of its options."""

from __future__ import annotations

from typing import Any

from django import template

from chat.core.extensions import form_of
from chat.sharing.policies import DEFAULT, policies

register = template.Library()

PREFIX = "options"  # prefix of the names of the forms' inputs; static/js removes it


@register.simple_tag
def share_policies() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "label": policy.label,
            "is_default": name == DEFAULT,
            "form": form_of(policy.fields, prefix=PREFIX, auto_id=f"share-{name}-%s")
            if policy.fields
            else None,
        }
        for name, policy in policies().items()
    ]
