"""Defines this package's error, shown to operators as one line."""

from __future__ import annotations


class BackupError(Exception):
    """Says what to do. Nothing was changed, unless the message says otherwise."""
