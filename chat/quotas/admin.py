"""Quota policies, and what was used."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from chat.core.admin import AuditedAdmin, ReadOnlyAdmin
from chat.quotas.models import QuotaPolicy, UsageCounter


@admin.register(QuotaPolicy)
class QuotaPolicyAdmin(AuditedAdmin):
    audited_fields = ("user", "group", "tokens_per_day", "weight", "running_limit")
    list_display = ("__str__", "user", "group", "tokens_per_day", "weight", "running_limit")
    search_fields = ("user__email", "group__name")
    raw_id_fields = ("user",)

    def audited_name(self, obj: QuotaPolicy) -> dict[str, Any]:
        return {}  # its fields say whose it is


@admin.register(UsageCounter)
class UsageCounterAdmin(ReadOnlyAdmin):
    list_display = ("day", "user", "used", "reserved")
    search_fields = ("user__email",)
    date_hierarchy = "day"
    ordering = ("-day", "-used")
    list_select_related = ("user",)
