"""Announcements from moderation to the apps on the right, sent after commit."""

from __future__ import annotations

from django.dispatch import Signal

# kwargs: message. Turns sends the message again to open pages; hidden ones travel without text.
message_hidden = Signal()

# kwargs: message. A decision was taken back and the text may be read again.
message_shown = Signal()
