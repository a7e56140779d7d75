"""News for the apps to the right, sent after commit. The first two have `sender=Conversation`.

`conversation_deleted(conversation)`: turns stops its replies, sharing closes its links.
`conversation_changed(conversation, deleted)`: turns tells the owner's open pages.
`folders_changed(owner)`, with `sender=Folder`: turns tells the owner's open pages.
"""

from django.dispatch import Signal

conversation_deleted = Signal()
conversation_changed = Signal()
folders_changed = Signal()
