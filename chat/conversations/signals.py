"""Announcements to the apps on the right, sent after commit. All but the last have `sender=Conversation`.

`conversation_deleted(conversation)`: turns stops its replies, sharing closes its links.
`conversation_changed(conversation, deleted)`: turns sends it to the owner's open pages.
`all_deleted(owner)`: a person deleted every conversation; turns and sharing do the same for all at once.
`branch_deleted(conversation, pk)`: a message was deleted with all below; turns tells the owner's open pages.
`folders_changed(owner)`, with `sender=Folder`: turns sends the folders to the owner's open pages.
"""

from django.dispatch import Signal

conversation_deleted = Signal()
conversation_changed = Signal()
all_deleted = Signal()
branch_deleted = Signal()
folders_changed = Signal()
