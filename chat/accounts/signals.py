"""Defines the signals that accounts sends to later apps, after the commit."""

from __future__ import annotations

from django.dispatch import Signal

# kwargs: user. Turns stops that person's live replies and closes their sockets.
user_suspended = Signal()

# kwargs: user. Some of their sessions ended; turns closes the sockets of those.
sessions_ended = Signal()
