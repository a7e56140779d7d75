"""News for the apps to the right. All are sent after commit, with `sender=Conversation`.

`conversation_deleted(conversation)`: turns stops its replies, sharing closes its links.
`conversation_changed(conversation, deleted)`: turns tells the owner's open pages.
`branch_deleted(conversation, pk)`: a message is gone with all below it; turns tells the owner's pages.
"""

from django.dispatch import Signal

conversation_deleted = Signal()
conversation_changed = Signal()
branch_deleted = Signal()
