"""The chat page: `/` for a new conversation, `/c/<id>/` for one that exists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from chat.accounts.models import User
from chat.conversations import model_cards, services, sidebar
from chat.conversations.access import conversation_for
from chat.conversations.models import Conversation, ModelCard

# Apps to the right add what they know ("usage"), from their AppConfig.ready. Asked before anything
# else is read: "news" then tells a page of all that came after it was made.
PAGE_EXTRAS: list[Callable[[HttpRequest], dict[str, Any]]] = []

# Nothing of a private page is kept by the browser or a proxy: after logging out, Back shows nothing.
private = cache_control(private=True, no_store=True)


@require_safe
@login_required
@private
def home(request: HttpRequest) -> HttpResponse:
    return _chat_page(request, None)


@require_safe
@login_required
@private
def conversation(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _chat_page(request, conversation_for(request.user, pk))


def _chat_page(request: HttpRequest, shown: Conversation | None) -> HttpResponse:
    viewer = cast(User, request.user)
    extras = [extra(request) for extra in PAGE_EXTRAS]
    offered = model_cards.models_for(viewer)
    card = shown.model if shown else _default_model(offered)
    page: dict[str, Any] = {
        "user": {"id": str(viewer.pk), "name": viewer.get_short_name()},
        "model": model_cards.conversation_model_json(card) if card else None,
        "models": [model_cards.model_json(each) for each in offered],
        "conversation": services.conversation_json(shown) if shown else None,
        "messages": [],
        "more": False,
        "later": False,
        "shares": [],
        "usage": None,
        "max_chars": 4 * card.context_tokens if card else 0,
        "is_staff": viewer.is_staff,
        **sidebar.first_page(viewer),
    }
    if shown:
        page |= services.transcript(viewer, shown)
        for about in services.CONVERSATION_EXTRAS:
            page |= about(shown)
    for extra in extras:
        page |= extra
    return render(request, "chat/chat.html", {"page": page})


def _default_model(offered: list[ModelCard]) -> ModelCard | None:
    """The page opens without a model, too: old conversations stay readable."""
    return next((card for card in offered if not card.is_hidden), None)
