"""Reads a branch of a conversation in pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chat.accounts.models import User
from chat.conversations.branches import current_leaf, open_branch
from chat.conversations.models import Conversation, Message
from chat.conversations.serializers import load_siblings, message_json
from chat.conversations.tree import ids_between, path_to

PAGE = 50  # messages


def transcript(
    viewer: User,
    conversation: Conversation,
    *,
    before: Message | None = None,
    after: Message | None = None,
    around: Message | None = None,
) -> dict[str, Any]:
    """Returns one page of the branch this person has open: its end, or messages before, after or around one.

    `more` says whether there are messages above, `later` whether there are some below. `around` opens the
    branch of its message.
    """
    if around is not None:
        return _around(viewer, conversation, around)
    if after is not None:
        later = _ids_below(viewer, conversation, after) or []
        return _page(later[:PAGE], more=True, later=len(later) > PAGE)
    end = current_leaf(viewer, conversation) if before is None else before.parent
    messages = path_to(end, PAGE + 1) if end else []
    load_siblings(messages[-PAGE:])
    return {
        "messages": [message_json(m) for m in messages[-PAGE:]],
        "more": len(messages) > PAGE,
        "later": before is not None,
        **(_beside(messages[-1]) if before is None and messages else {}),
    }


def _beside(end: Message) -> dict[str, Any]:
    """Returns the answer in the other column, if another model was asked beside the one whose answer ends the
    branch: the newest one that nothing follows."""
    column = end.extras.get("column")
    if not column:
        return {}
    others = Message.objects.filter(parent=end.parent_id, children=None).exclude(pk=end.pk)
    found = list(others.order_by("-created_at", "-pk"))
    load_siblings(found)
    beside = next((each for each in found if each.extras.get("column") not in (None, column)), None)
    return {"beside": message_json(beside)} if beside else {}


def _around(viewer: User, conversation: Conversation, message: Message) -> dict[str, Any]:
    later = _ids_below(viewer, conversation, message)
    if later is None:
        open_branch(viewer, message)
        later = _ids_below(viewer, conversation, message) or []
    above = path_to(message, PAGE // 2 + 1)
    ids = [each.pk for each in above[-PAGE // 2 :]] + later[: PAGE // 2]
    return _page(ids, more=len(above) > PAGE // 2, later=len(later) > PAGE // 2)


def _ids_below(viewer: User, conversation: Conversation, message: Message) -> list[UUID] | None:
    """Returns the ids below a message on the branch this person has open; None if it is not on it."""
    leaf = current_leaf(viewer, conversation)
    return None if leaf is None else ids_between(message, leaf)


def _page(ids: list[UUID], *, more: bool, later: bool) -> dict[str, Any]:
    found = Message.objects.in_bulk(ids)
    messages = [found[pk] for pk in ids if pk in found]
    load_siblings(messages)
    beside = {} if later or not messages else _beside(messages[-1])
    return {"messages": [message_json(m) for m in messages], "more": more, "later": later, **beside}
