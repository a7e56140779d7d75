"""Announcements from files to the apps on the right, sent after commit."""

from __future__ import annotations

from django.dispatch import Signal

# kwargs: message. Staff hid or showed an image that it has; the decision was on another message. Turns sends
# the message again to open pages.
images_changed = Signal()
