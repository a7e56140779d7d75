"""The group "moderators" may see reports, rules, decisions and shared pages; no private conversations."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission

MODERATORS = "moderators"
PERMISSIONS = {
    "moderation": (
        "view_report",
        "change_report",
        "view_decision",
        "view_rule",
        "add_rule",
        "change_rule",
        "delete_rule",
    ),
    "feedback": ("view_feedback",),
    "sharing": ("view_share",),
}


def make_moderators(using: str = "default", **kwargs: Any) -> None:
    """Creates the group once: later changes by administrators stay."""
    group, made = Group.objects.using(using).get_or_create(name=MODERATORS)
    if not made:
        return
    for app, names in PERMISSIONS.items():
        rights = Permission.objects.using(using).filter(content_type__app_label=app, codename__in=names)
        group.permissions.add(*rights)
