"""News from accounts for the apps to the right."""

from __future__ import annotations

from django.dispatch import Signal

# kwargs: user. Sent after commit; chat.turns stops that person's live replies and closes their sockets.
user_suspended = Signal()

# kwargs: user. May this person be deleted? A receiver that needs them to stay raises a ChatError.
check_user_deletable = Signal()

# kwargs: user. Some of their sessions ended. Sent after commit; chat.turns looks at their sockets.
sessions_ended = Signal()
