"""Announcements from turns to the apps on the right, sent after commit."""

from __future__ import annotations

from django.dispatch import Signal

# kwargs: generation_id. A step was settled; it may be followed by another one.
reply_settled = Signal()
