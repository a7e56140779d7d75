"""Admin pages of feedback: ratings, reasons and notes, no text of the conversation. That is on a page of its
own, which is audited."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.core import audit
from chat.core.admin import ReadOnlyAdmin
from chat.feedback import services
from chat.feedback.models import Feedback


@admin.register(Feedback)
class FeedbackAdmin(ReadOnlyAdmin):
    change_list_template = "admin/feedback/feedback/change_list.html"
    list_display = ("created_at", "value", "reason", "model", "has_note")
    list_filter = ("value", "reason", "model")
    list_select_related = ("model",)
    date_hierarchy = "created_at"
    fields = ("value", "reason", "shown_note", "model", "created_at", "conversation")
    readonly_fields = ("shown_note", "conversation")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feedback]:
        """Leaves out feedback on imported answers, and in deleted conversations, which wait for the purge."""
        found = super().get_queryset(request).select_related("message", "model")
        return found.filter(message__conversation__deleted_at=None, message__source="")

    @admin.display(description=gettext_lazy("note"), boolean=True)
    def has_note(self, row: Feedback) -> bool:
        return bool(row.note)

    @admin.display(description=gettext_lazy("note"))
    def shown_note(self, row: Feedback) -> str:
        """Is no field, so that lists cannot be filtered by it: the note's own page is audited."""
        return row.note

    @admin.display(description=gettext_lazy("conversation"))
    def conversation(self, row: Feedback) -> str:
        page = reverse("admin:conversations_conversation_change", args=[row.message.conversation_id])
        words = _("Open the private conversation (this goes on record)")
        return format_html('<a href="{}?message={}#m-{}">{}</a>', page, row.message_id, row.message_id, words)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leaves out the link to the conversation for staff who may not open it."""
        if request.user.has_perm("conversations.view_conversation"):
            return self.fields
        return [name for name in self.fields if name != "conversation"]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        found = self.get_object(request, object_id)
        if found is not None and found.note and self.has_view_permission(request, found):
            audit.record(request.user, "read feedback", audit.on_model(found))
        return super().change_view(request, object_id, form_url, extra_context)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {"counts": services.counts()} if self.has_view_or_change_permission(request) else {}
        return super().changelist_view(request, {**more, **(extra_context or {})})
