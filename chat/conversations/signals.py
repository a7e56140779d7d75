"""News for the apps to the right, sent after commit. The first four have `sender=Conversation`.

`conversation_deleted(conversation)`: turns stops its replies, sharing closes its links.
`conversation_changed(conversation, deleted)`: turns tells the owner's open pages.
`all_deleted(owner)`: every conversation of a person; turns and sharing do the same for all at once.
`branch_deleted(conversation, pk)`: a message is gone with all below it; turns tells the owner's pages.
`folders_changed(owner)`, with `sender=Folder`: turns tells the owner's open pages.

A question to the right, sent at once and outside of transactions, with `sender=Message`:
`ends_wanted(messages)`: of these live replies, turns settles those whose end is in their log.
"""

from django.dispatch import Signal

conversation_deleted = Signal()
conversation_changed = Signal()
all_deleted = Signal()
branch_deleted = Signal()
folders_changed = Signal()
ends_wanted = Signal()
