"""The print view of a conversation, and the part of the settings page about a person's data."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.text import get_text_list
from django.views.decorators.http import require_safe

from chat.accounts.models import User
from chat.conversations.access import conversation_for
from chat.conversations.models import Message, MessageStatus, Role
from chat.conversations.origins import origin_of, origin_words
from chat.conversations.views import private
from chat.core.context import SITE_NAME
from chat.core.errors import NotFound
from chat.core.load_shedding import request_cost
from chat.core.sizes import mb
from chat.core.throttling import throttle
from chat.files import attaching, file_storage
from chat.files.responses import on_page
from chat.sharing.paging import pages_of
from chat.sharing.render import prompt_html
from chat.sharing.render_jobs import html_of
from chat.transfer import calls
from chat.transfer.export import branch, check_stays
from chat.transfer.formats import readers
from chat.turns.shown_thoughts import thought_texts_of

PRINTED = 2000  # messages: the newest ones of a longer conversation
PRINTED_AN_HOUR = 120
PART_CHARS = 200_000  # of one page; longer conversations are printed in parts
PART_MESSAGES = 500


@request_cost(20)
@require_safe
@login_required
@private
async def printed(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Renders on the server: only formulas and colours need a script. The browser makes the PDF.

    The view is asynchronous, so that it ends when its reader leaves.
    """
    part = await sync_to_async(_part)(request, pk)
    replies = [each["text"] for each in part["messages"] if each["markdown"]]
    html = await html_of(replies, request)
    return await sync_to_async(_printed)(request, part, html)


def _part(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """Returns the messages of the requested part and the data around them on the page."""
    viewer = cast(User, request.user)
    conversation = conversation_for(viewer, pk)
    check_stays(conversation)
    throttle("print", str(viewer.pk), PRINTED_AN_HOUR, 3600)
    messages = branch(conversation, viewer, PRINTED + 1)
    parts = list(pages_of(map(_plain, messages[-PRINTED:]), chars=PART_CHARS, count=PART_MESSAGES)) or [[]]
    given = request.GET.get("part", "1")
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 7 else 0
    if not 1 <= number <= len(parts):
        raise NotFound
    _add_files(parts[number - 1], messages)
    _name_tools(parts[number - 1], messages)
    with_thoughts = request.GET.get("thoughts") == "1"
    if with_thoughts:
        _add_thoughts(parts[number - 1], messages)
    return {
        "conversation": conversation,
        "more_query": "&thoughts=1" if with_thoughts else "",
        "messages": parts[number - 1],
        "cut": len(messages) > PRINTED,
        "count": PRINTED,
        "number": number,
        "page_count": len(parts),
        "previous": number - 1,
        "next": number + 1 if number < len(parts) else 0,
    }


def _plain(message: Message) -> dict[str, Any]:
    is_open = message.hidden_at is None and message.status != MessageStatus.LIVE
    return {
        "id": message.pk,
        "role": message.role,
        "origin": origin_words(origin_of(message)),
        "hidden": message.hidden_at is not None,
        "live": message.status == MessageStatus.LIVE,
        "text": message.text if is_open else "",
        "markdown": is_open and message.role == Role.ASSISTANT,
    }


def _add_files(part: list[dict[str, Any]], messages: list[Message]) -> None:
    """Adds images and the names of other files before the first part of a message."""
    here = {each["id"] for each in part if each.get("part", 1) == 1}
    carried = attaching.of_messages([message for message in messages if message.pk in here])
    for each in part:
        found = carried.get(each["id"], []) if each["id"] in here and not each["hidden"] else []
        shown = [file for file in found if file_storage.is_shown(file)]
        each["files"] = [file.name for file in found if file not in shown]
        each["images"] = [on_page(file, reverse("file_image", args=[file.pk])) for file in shown]


def _name_tools(part: list[dict[str, Any]], messages: list[Message]) -> None:
    """Adds the names of the tools that an answer used before its first part."""
    here = {each["id"] for each in part if each.get("part", 1) == 1}
    called = calls.calls_of([message for message in messages if message.pk in here])
    for each in part:
        each["tools"] = calls.used_tools(called.get(each["id"], [])) if each["id"] in here else []


def _add_thoughts(part: list[dict[str, Any]], messages: list[Message]) -> None:
    """Adds what the model thought before an answer to its first part."""
    here = {each["id"] for each in part if each.get("part", 1) == 1}
    found = thought_texts_of([message for message in messages if message.pk in here])
    for each in part:
        each["thoughts"] = found.get(each["id"], "") if each["id"] in here else ""


def _printed(request: HttpRequest, part: dict[str, Any], html: list[SafeString]) -> HttpResponse:
    made = iter(html)
    for each in part["messages"]:
        each["html"] = next(made) if each["markdown"] else prompt_html(each["text"])
    return render(request, "transfer/print.html", part)


def settings_extra(request: HttpRequest) -> dict[str, Any]:
    """Returns what the import form says: its formats, and how large a file may be."""
    formats = [one for one in readers().values() if one.source != SITE_NAME]
    suffixes = dict.fromkeys(suffix for one in formats for suffix in one.suffixes)
    return {
        "import_sources": get_text_list([str(one.label) for one in formats]),
        "import_suffixes": ",".join([*suffixes, ".zip"]),
        "import_limit_mb": mb(settings.IMPORT_BYTES),
        "import_zip_limit_mb": mb(settings.IMPORT_ZIP_BYTES),
    }
