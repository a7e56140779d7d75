"""Shows change forms of the admin again, instead of saving them, if a colleague saved meanwhile."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from chat.core import audit, decisions


class StaleFormCheck(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """A check for pages whose changes are audited: the audit log has what a colleague saved meanwhile."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        seen = decisions.seen_of(request.POST) if request.method == "POST" else decisions.position()
        try:
            context = {"seen": seen, **(extra_context or {})}
            return super().changeform_view(request, object_id, form_url, context)
        except decisions.Stale as error:  # nothing was saved
            messages.error(request, error.words)
            return redirect(request.path)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            self.check_form(request, obj)
        super().save_model(request, obj, form, change)

    def check_form(self, request: HttpRequest, obj: Any) -> None:
        """Locks the row, and raises Stale if a colleague changed it after this form was opened."""
        list(type(obj)._default_manager.select_for_update().filter(pk=obj.pk))
        decisions.check_not_stale(
            seen=decisions.seen_of(request.POST),
            targets=[audit.on_model(obj)],
            by=request.user,
            verbs={"change": _("changed what this page shows")},
        )
