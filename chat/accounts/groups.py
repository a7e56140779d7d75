"""Collects what apps to the right say about groups."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.models import Group

# What deleting a group means for its members, a sentence each, shown before it is confirmed. Apps add theirs
# from their AppConfig.ready.
DELETION_NOTES: list[Callable[[Group], list[str]]] = []
