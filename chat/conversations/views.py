"""Serves the chat page: `/` for a new conversation, `/c/<id>/` for one that exists."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from chat.accounts.models import User
from chat.conversations import hooks, sidebar
from chat.conversations.access import conversation_for
from chat.conversations.models import Conversation
from chat.conversations.serializers import conversation_details, conversation_json
from chat.conversations.transcripts import transcript
from chat.core.sizes import message_chars
from chat.model_cards.access import conversation_model_json, models_for
from chat.model_cards.models import ModelCard
from chat.model_cards.serializers import model_json

# Neither the browser nor a proxy stores a private page: after logging out, Back shows nothing.
private = cache_control(private=True, no_store=True)


@gzip_page  # its CSRF tokens are masked, and Django pads each answer with random bytes (BREACH)
@require_safe
@login_required
@private
def home(request: HttpRequest) -> HttpResponse:
    """Shows the page of a new conversation."""
    return _chat_page(request, None)


@gzip_page
@require_safe
@login_required
@private
def conversation(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Shows the page of a conversation that this person may open."""
    return _chat_page(request, conversation_for(request.user, pk))


def _chat_page(request: HttpRequest, shown: Conversation | None) -> HttpResponse:
    viewer = cast(User, request.user)
    details = hooks.page_details(request)
    offered = models_for(viewer)
    card = shown.model if shown else _default_model(offered)
    page: dict[str, Any] = {
        "user": {"id": str(viewer.pk), "name": viewer.get_short_name()},
        "model": conversation_model_json(card, viewer) if card else None,
        "models": [model_json(each) for each in offered],
        "conversation": conversation_json(shown) if shown else None,
        "messages": [],
        "more": False,
        "later": False,
        "shares": [],
        "usage": None,
        "max_chars": message_chars(card.context) if card else 0,
        "is_staff": viewer.is_staff,
        "speech": settings.SPEECH,
        **sidebar.first_page(viewer),
    }
    if shown:
        page |= transcript(viewer, shown) | conversation_details(shown)
    for added in details:
        page |= added
    return render(request, "chat/chat.html", {"page": page})


def _default_model(offered: list[ModelCard]) -> ModelCard | None:
    """Returns the model of new chats, or None: the page opens without one, too."""
    return next((card for card in offered if not card.is_hidden), None)
