"""What all admin pages share: changes are audited, and rows that only the service writes are read-only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy

from chat.core import audit
from chat.core.models import StaffAction
from chat.core.site import PageAdmin
from chat.core.stale_forms import StaleFormGuard

PERSON = re.compile(r"user:([0-9a-f-]{36})")  # as audit.on_model writes it


class AuditedAdmin(StaleFormGuard, PageAdmin):
    """Every addition, change and deletion becomes a StaffAction, in the transaction of the deed itself."""

    audited_fields: ClassVar[tuple[str, ...]] = ()  # whose new values are worth keeping in the audit

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        self._audit(request, "add", obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        self._audit(request, "change", obj, changed=self._changed(message))
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            self._audit(request, "delete", obj)
        return super().log_deletions(request, queryset)

    def _audit(self, request: HttpRequest, verb: str, obj: Any, **detail: Any) -> None:
        values = {name: _told(getattr(obj, name)) for name in self.audited_fields}
        audit.record(request.user, verb, audit.on_model(obj), **self.audited_name(obj), **values, **detail)

    def audited_name(self, obj: Any) -> dict[str, Any]:
        """What an entry says of the object beside its number: nothing that names a person."""
        return {"name": str(obj)}

    @staticmethod
    def _changed(message: Any) -> Any:
        """Django's change message is a list of {"changed": {"fields": […]}} or a plain string."""
        if not isinstance(message, list):
            return str(message)
        return [name for part in message for name in part.get("changed", {}).get("fields", [])]


def _told(value: Any) -> Any:
    return audit.on_model(value) if isinstance(value, get_user_model()) else value


def _numbers(row: StaffAction) -> list[str]:
    return list(dict.fromkeys(PERSON.findall(f"{row.target} {row.detail}")))


def _people(rows: Iterable[StaffAction]) -> dict[str, str]:
    """Addresses by number, of all that these entries are about: one query."""
    numbers = {pk for row in rows for pk in _numbers(row)}
    return {str(pk): str(person) for pk, person in get_user_model().objects.in_bulk(list(numbers)).items()}


class ReadOnlyAdmin(PageAdmin):
    """Rows that staff look at and only services write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any | None = None) -> bool:
        return False


@admin.register(StaffAction)
class StaffActionAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor_email", "verb", "target", "people", "detail")
    search_fields = ("actor_email", "verb", "target")  # no filter beside it: the details need the width
    date_hierarchy = "at"
    fields = ("at", "actor", "actor_email", "verb", "target", "people", "detail", "previous", "seal")
    readonly_fields = ("people",)

    @admin.display(description=gettext_lazy("about"))
    def people(self, row: StaffAction) -> str:
        """Whose numbers the entry has. Those of people who are gone say nothing."""
        known = getattr(row, "known", None)
        if known is None:
            known = _people([row])
        return ", ".join(known[pk] for pk in _numbers(row) if pk in known)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        shown = super().get_changelist_instance(request)
        known = _people(shown.result_list)
        for row in shown.result_list:
            row.known = known
        return shown

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With the state of the chain, checked whole each time, and its newest seal to be noted elsewhere."""
        newest: Iterable[str] = StaffAction.objects.order_by("-pk").values_list("seal", flat=True)[:1]
        chain = {"chain_broken_at": audit.verify(), "newest_seal": next(iter(newest), audit.GENESIS)}
        return super().changelist_view(request, {**chain, **(extra_context or {})})
