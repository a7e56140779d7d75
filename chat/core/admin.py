"""Base classes of admin pages (audited changes, read-only rows) and the pages of the audit itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy

from chat.core import audit
from chat.core.models import StaffAction
from chat.core.site import PageAdmin
from chat.core.stale_forms import StaleFormCheck

PERSON = re.compile(r"user:([0-9a-f-]{36})")  # as audit.on_model writes it


class AuditedAdmin(StaleFormCheck, PageAdmin):
    """Records every addition, change and deletion as a StaffAction, in the same transaction."""

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
        values = {name: _audited(getattr(obj, name)) for name in self.audited_fields}
        audit.record(request.user, verb, audit.on_model(obj), **self.audited_name(obj), **values, **detail)

    def audited_name(self, obj: Any) -> dict[str, Any]:
        """Returns what an entry says of the object beside its number; it must not name a user."""
        return {"name": str(obj)}

    @staticmethod
    def _changed(message: Any) -> Any:
        """Returns the changed fields of a message of Django: [{"changed": {"fields": […]}}] or a string."""
        if not isinstance(message, list):
            return str(message)
        return [name for part in message for name in part.get("changed", {}).get("fields", [])]


def _audited(value: Any) -> Any:
    return audit.on_model(value) if isinstance(value, get_user_model()) else value


def _numbers(row: StaffAction) -> list[str]:
    return list(dict.fromkeys(PERSON.findall(f"{row.target} {row.detail}")))


def _people(rows: Iterable[StaffAction]) -> dict[str, str]:
    """Returns the addresses, by number, of all users that these entries are about, in one query."""
    numbers = {pk for row in rows for pk in _numbers(row)}
    return {str(pk): str(person) for pk, person in get_user_model().objects.in_bulk(list(numbers)).items()}


class ReadOnlyAdmin(PageAdmin):
    """Shows rows that only services write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any | None = None) -> bool:
        return False


@admin.register(StaffAction)
class StaffActionAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor_email", "current_verb", "current_target", "people", "detail")
    search_fields = ("actor_email", "verb", "target")  # no filter beside it: the details need the width
    date_hierarchy = "at"
    fields = (
        "at",
        "actor",
        "actor_email",
        "current_verb",
        "current_target",
        "people",
        "detail",
        "previous",
        "seal",
    )
    readonly_fields = ("current_verb", "current_target", "people")

    @admin.display(description=gettext_lazy("action"), ordering="verb")
    def current_verb(self, row: StaffAction) -> str:
        return audit.current_verb(row.verb)

    @admin.display(description=gettext_lazy("on"), ordering="target")
    def current_target(self, row: StaffAction) -> str:
        return audit.current_target(row.target)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Finds entries by today's names, and those that an older release recorded under other names."""
        found, duplicates = super().get_search_results(request, queryset, search_term)
        for name in audit.older_names(search_term):
            found |= queryset.filter(Q(verb=name) | Q(target__startswith=f"{name}:"))
        return found, duplicates

    @admin.display(description=gettext_lazy("about"))
    def people(self, row: StaffAction) -> str:
        """Returns the addresses of the users whose numbers the entry has; deleted users have none."""
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
        """Adds the state of the chain, verified each time, and its newest seal, to be noted elsewhere."""
        newest: Iterable[str] = StaffAction.objects.order_by("-pk").values_list("seal", flat=True)[:1]
        chain = {"chain_broken_at": audit.verify(), "newest_seal": next(iter(newest), audit.GENESIS)}
        return super().changelist_view(request, {**chain, **(extra_context or {})})
