"""News for the apps to the right. Both are sent after commit, with `sender=Conversation`.

`conversation_deleted(conversation)`: turns stops its replies, sharing closes its links.
`conversation_changed(conversation, deleted)`: turns tells the owner's open pages.
"""

from django.dispatch import Signal

conversation_deleted = Signal()
conversation_changed = Signal()
