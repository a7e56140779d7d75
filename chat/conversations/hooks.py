"""Calls from conversations to later apps (chat/core/hooks.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest

from chat.conversations.models import Conversation, Message
from chat.core.hooks import Hook

# Settles those of these live replies whose end is in their log. Never called inside a transaction.
settle_ended_replies: Hook[[Sequence[Message]], None] = Hook("conversations.settle_ended_replies")

# Returns fields to add to the JSON of an open conversation ("shares").
conversation_details: Hook[[Conversation], dict[str, Any]] = Hook("conversations.conversation_details")

# Adds to the `extras` of all of these messages, with as few queries as for one.
message_details: Hook[[list[Message]], None] = Hook("conversations.message_details")

# Returns fields to add to the data of the chat page ("usage"). Called before anything else is read: the event
# number that turns adds then lets the page detect all that happened after it was made.
page_details: Hook[[HttpRequest], dict[str, Any]] = Hook("conversations.page_details")
