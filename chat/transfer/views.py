"""The print view of a conversation, and what the settings page says of one's data."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from chat.accounts.models import User
from chat.conversations.access import conversation_for
from chat.conversations.models import Message, MessageStatus, Role
from chat.conversations.views import private
from chat.core.gate import costs
from chat.core.limits import take
from chat.files import services as files
from chat.sharing.render import prompt_html, replies_html
from chat.transfer.export import branch, check_stays

PRINTED = 2000  # messages: the newest ones of a longer conversation
PRINTED_AN_HOUR = 120
MARKDOWN_IN_ALL = 1_000_000  # characters made of markdown for one page; what comes after is shown as typed


@costs(20)
@require_safe
@login_required
@private
def printed(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Made on the server: only formulas and colours need a script. The browser makes the PDF."""
    viewer = cast(User, request.user)
    conversation = conversation_for(viewer, pk)
    check_stays(conversation)
    take("print", str(viewer.pk), PRINTED_AN_HOUR, 3600)
    messages = branch(conversation, viewer, PRINTED + 1)
    context = {
        "conversation": conversation,
        "messages": _shown(messages[-PRINTED:]),
        "cut": len(messages) > PRINTED,
        "count": PRINTED,
    }
    return render(request, "transfer/print.html", context)


def _shown(messages: list[Message]) -> list[dict[str, Any]]:
    left = MARKDOWN_IN_ALL
    as_markdown: dict[UUID, str] = {}
    for message in messages:
        if _is_open(message) and message.role == Role.ASSISTANT and len(message.text) <= left:
            as_markdown[message.pk] = message.text
            left -= len(message.text)
    carried = files.of_messages(messages)
    html = dict(zip(as_markdown, replies_html([*as_markdown.values()]), strict=True))
    return [
        {
            "role": message.role,
            "hidden": message.hidden_at is not None,
            "live": message.status == MessageStatus.LIVE,
            "files": [file.name for file in carried.get(message.pk, [])],
            "html": (html.get(message.pk) or prompt_html(message.text)) if _is_open(message) else "",
        }
        for message in messages
    ]


def _is_open(message: Message) -> bool:
    return message.hidden_at is None and message.status != MessageStatus.LIVE


def settings_extra(request: HttpRequest) -> dict[str, Any]:
    """What a file may have at most."""
    return {"import_limit_mb": settings.IMPORT_BYTES >> 20}
