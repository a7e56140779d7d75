"""Defines the hooks that accounts calls and later apps register functions for (chat/core/hooks.py)."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.http import HttpRequest

from chat.accounts.models import User
from chat.core.hooks import Hook

# Raises a ChatError while this person must not be deleted.
check_user_deletable: Hook[[User], None] = Hook("accounts.check_user_deletable")

# Returns template variables to add to the settings page, such as today's usage.
settings_details: Hook[[HttpRequest], dict[str, Any]] = Hook("accounts.settings_details")

# Returns the address of a page that a person must see first after logging in; "" for the usual one.
login_destination: Hook[[HttpRequest, User], str] = Hook("accounts.login_destination")

# Returns sentences that say what deleting a group means for its members, shown before it is confirmed.
group_deletion_notes: Hook[[Group], list[str]] = Hook("accounts.group_deletion_notes")
