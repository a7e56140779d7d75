"""Brings messages up to date whose replies have ended, before somebody shares, rates or prints them."""

from __future__ import annotations

from collections.abc import Sequence

from chat.conversations import hooks
from chat.conversations.models import Message, MessageStatus


def settle_ended(messages: Sequence[Message]) -> None:
    """Settles those of these live messages whose reply has ended, and reads them again.

    A page learns the end from the log, a moment before the row does; the person who acts in that moment need
    not wait. Must not be called inside a transaction, since Redis is asked (rule 14).
    """
    live = [message for message in messages if message.status == MessageStatus.LIVE]
    if not live:
        return
    hooks.settle_ended_replies.call_robust(live)
    now = Message.objects.only("status", "text").in_bulk([message.pk for message in live])
    for message in live:
        if fresh := now.get(message.pk):
            message.status, message.text = fresh.status, fresh.text


def is_any_live(messages: Sequence[Message]) -> bool:
    """Settles those that have ended, then returns whether a reply of one of them is still being written."""
    settle_ended(messages)
    return any(message.status == MessageStatus.LIVE for message in messages)
