"""Configures the admin pages of quota policies and usage."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.core.admin import AuditedAdmin, ReadOnlyAdmin
from chat.quotas import effects
from chat.quotas.models import QuotaPolicy, UsageCounter

POLICY_FIELDS = ("user", "group", "tokens_per_day", "weight", "running_limit")


class QuotaPolicyForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """Asks once more before it blocks a group, or everybody."""

    confirm_blocking = forms.BooleanField(
        label=gettext_lazy("Yes, block them"), required=False, widget=forms.HiddenInput
    )

    class Meta:
        model = QuotaPolicy
        fields = POLICY_FIELDS

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if self.errors or data.get("confirm_blocking"):
            return data
        if words := self._blocks(data):
            self.fields["confirm_blocking"].widget = forms.CheckboxInput()
            raise ValidationError(words + " " + _("Tick “Yes, block them” and save again if you mean it."))
        return data

    def _blocks(self, data: dict[str, Any]) -> str:
        """Says in words whom this policy would block; "" if there is nothing to ask."""
        planned = QuotaPolicy(**{name: data[name] for name in POLICY_FIELDS})
        policies = list(QuotaPolicy.objects.all())
        others = [policy for policy in policies if policy.pk != self.instance.pk]
        found = effects.blocking(policies, [*others, planned])
        if planned.user_id is None:
            begins = effects.Standing(planned).is_blocked and not self._blocked_the_same(data)
            return found.words if begins or found.newly else ""
        return found.words if found.is_for_everybody else ""

    def _blocked_the_same(self, data: dict[str, Any]) -> bool:
        """Returns whether the stored policy already blocks the same people."""
        stored = QuotaPolicy.objects.filter(pk=self.instance.pk, group=data["group"], user=None).first()
        return stored is not None and effects.Standing(stored).is_blocked


@admin.register(QuotaPolicy)
class QuotaPolicyAdmin(AuditedAdmin):
    form = QuotaPolicyForm
    delete_confirmation_template = "admin/delete_with_effects.html"
    audited_fields = POLICY_FIELDS
    list_display = ("__str__", "user", "group", "tokens_per_day", "weight", "running_limit")
    search_fields = ("user__email", "group__name")
    raw_id_fields = ("user",)

    def audited_name(self, obj: QuotaPolicy) -> dict[str, Any]:
        return {}  # its fields name the person or group

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        policy = self.get_object(request, object_id)
        lines = effects.of_deleted_policy(policy) if policy else []
        return super().delete_view(request, object_id, {"effects": lines, **(extra_context or {})})


@admin.register(UsageCounter)
class UsageCounterAdmin(ReadOnlyAdmin):
    list_display = ("day", "user", "used", "estimated", "reserved")
    search_fields = ("user__email",)
    date_hierarchy = "day"
    ordering = ("-day", "-used")
    list_select_related = ("user",)
