"""The one error of this package, shown to operators as one line."""

from __future__ import annotations


class BackupError(Exception):
    """Nothing was changed, unless the message says otherwise; it says what to do."""
