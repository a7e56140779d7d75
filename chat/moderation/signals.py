"""News from moderation for the apps to the right."""

from __future__ import annotations

from django.dispatch import Signal

# kwargs: message. After commit. Turns sends the message again to open pages; hidden ones travel without text.
message_hidden = Signal()

# kwargs: message. After commit. A decision was taken back and the text may be read again.
message_shown = Signal()

# kwargs: share_id, reason (for the share's owner). Inside the transaction of the decision: if the share
# cannot be closed, nothing is decided. A receiver returns whether it was open until now.
share_taken_down = Signal()
