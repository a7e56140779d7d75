"""Admin pages of conversations and replies; shares.py has those of shared links.

They are in this app because the audit of reading, and the buttons, need apps on both sides. Everything is
read-only; changes go through services.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy

from chat.conversations.models import Conversation, Message
from chat.core import audit
from chat.core.admin import ReadOnlyAdmin
from chat.staff import shares  # noqa: F401 - registers its page
from chat.staff.images import images_of
from chat.turns.models import Generation

MESSAGES_A_PAGE = 100


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    """Private conversations: each view and each search by staff is recorded in the audit log."""

    list_display = ("title", "owner", "model", "created_at", "updated_at")
    list_filter = ("model",)
    search_fields = ("owner__email", "title")
    list_select_related = ("owner", "model")
    fields = ("title", "owner", "model", "created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        """Leaves out conversations that their owners deleted and that wait for the purge."""
        return super().get_queryset(request).filter(deleted_at=None)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if self.has_view_or_change_permission(request):  # titles tell, too
            asked = request.GET.copy()
            search = asked.pop("q", [""])[-1]
            more = {"filters": asked.urlencode()} if asked else {}  # any field can be searched in the address
            audit.record(request.user, "list conversations", "conversations", search=search, **more)
        return super().changelist_view(request, extra_context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Shows only the title: conversations are never changed here."""
        found = self.get_object(request, object_id)
        if found is not None and self.has_view_or_change_permission(request, found):
            audit.record(
                request.user,
                "read conversation title",
                audit.on_model(found),
                owner=audit.on_model(found.owner),
            )
        return super().history_view(request, object_id, extra_context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        found = self.get_object(request, object_id)
        more = {}
        if found is not None and self.has_view_permission(request, found):
            more = self._transcript(request, found)
            audit.record(
                request.user,
                "read conversation",
                audit.on_model(found),
                owner=audit.on_model(found.owner),
                page=more["page_obj"].number,
            )
        return super().change_view(request, object_id, form_url, {**more, **(extra_context or {})})

    def _transcript(self, request: HttpRequest, conversation: Conversation) -> dict[str, Any]:
        """Returns all branches in order of time, one page at a time; ?message=<id> opens the page that has
        it.
        """
        rows = conversation.messages.order_by("created_at", "pk")
        pages = Paginator(rows, MESSAGES_A_PAGE)
        number: Any = request.GET.get("p", 1)
        if message := self._requested(request, conversation):
            number = rows.filter(created_at__lt=message.created_at).count() // MESSAGES_A_PAGE + 1
        shown = pages.get_page(number)
        messages = list(shown)
        images = images_of(messages)
        for each in messages:
            each.extras = {**each.extras, "images": images.get(each.pk, [])}
        return {"page_obj": shown}

    def _requested(self, request: HttpRequest, conversation: Conversation) -> Message | None:
        try:
            return conversation.messages.filter(pk=UUID(request.GET.get("message", ""))).first()
        except ValueError:
            return None


@admin.register(Generation)
class GenerationAdmin(ReadOnlyAdmin):
    """Replies as work: times and tokens, never their text."""

    list_display = (
        "created_at",
        "status",
        "step",
        "model",
        "user",
        "prompt_tokens",
        "completion_tokens",
        "is_usage_estimated",
        "attempt",
        "strikes",
        "reason",
        "error",
        "finished_at",
    )
    list_filter = ("status", "model", "reason", "is_usage_estimated")
    search_fields = ("id", "user__email")
    list_select_related = ("user",)
    date_hierarchy = "created_at"


admin.site.index_title = gettext_lazy("Staff pages")
