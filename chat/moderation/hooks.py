"""Calls from moderation to later apps (chat/core/hooks.py)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chat.core.hooks import Hook

# Closes a shared page, with the reason that its owner reads; returns whether it was open. Called inside the
# transaction of the decision: if the page cannot be closed, nothing is decided.
take_down_share: Hook[[UUID, str], bool] = Hook("moderation.take_down_share")

# Hide the images of a message that was just hidden, or show them again, in its whole conversation; return how
# many files changed. Called inside the transaction of the decision.
hide_images: Hook[[UUID], int] = Hook("moderation.hide_images")
show_images: Hook[[UUID], int] = Hook("moderation.show_images")

# Lists the images of a reported message, as templates/admin/_images.html shows them.
reported_images: Hook[[UUID], list[dict[str, Any]]] = Hook("moderation.reported_images")
