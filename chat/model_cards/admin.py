"""The admin page of models: staff choose the default and what is hidden or retired."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from chat.core.admin import AuditedAdmin
from chat.model_cards.access import are_others_offered
from chat.model_cards.models import ModelCard
from chat.model_cards.services import make_default

CHOSEN = ("is_default", "is_hidden", "is_retired", "successor", "is_limited", "price")


class ModelCardForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    class Meta:
        model = ModelCard
        fields = (*CHOSEN, "groups")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        withdrawn = data.get("is_hidden") or data.get("is_retired") or data.get("is_limited")
        if data.get("groups") and not data.get("is_limited"):
            raise ValidationError({"is_limited": _("Tick this if only these groups may use the model.")})
        if data.get("is_default") and (data.get("is_hidden") or data.get("is_retired")):
            raise ValidationError({"is_default": _("A hidden or retired model cannot be the default.")})
        if withdrawn and not are_others_offered(self.instance):
            raise ValidationError(
                _(
                    "This is the only model that everybody can choose. Offer another one before you withdraw "
                    "it."
                )
            )
        if (successor := data.get("successor")) and _leads_to(successor, self.instance):
            raise ValidationError({"successor": _("A model cannot be its own successor.")})
        return data


def _leads_to(successor: ModelCard, card: ModelCard) -> bool:
    """Returns whether the successors of `successor` come back to `card`."""
    met: set[str] = set()
    each: ModelCard | None = successor
    while each is not None and each.slug not in met:
        if each.slug == card.slug:
            return True
        met.add(each.slug)
        each = each.successor
    return False


@admin.register(ModelCard)
class ModelCardAdmin(AuditedAdmin):
    form = ModelCardForm
    audited_fields = ("is_default", "is_hidden", "is_retired", "successor_id", "is_limited")
    filter_horizontal = ("groups",)
    list_display = (
        "name",
        "slug",
        "is_default",
        "is_hidden",
        "is_retired",
        "is_limited",
        "price",
        "last_seen_at",
        "is_demo",
    )
    list_display_links = ("name",)
    search_fields = ("name", "slug")
    fields = (
        "name",
        "slug",
        *CHOSEN,
        "groups",
        "about",
        "context_tokens",
        "sampling",
        "capabilities",
        "is_demo",
        "last_seen_at",
    )
    readonly_fields = (
        "name",
        "slug",
        "about",
        "context_tokens",
        "sampling",
        "capabilities",
        "is_demo",
        "last_seen_at",
    )

    def audited_name(self, obj: ModelCard) -> dict[str, Any]:
        groups = list(obj.groups.order_by("name").values_list("name", flat=True))
        return {"name": obj.name, "price": str(obj.price), "groups": groups}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ModelCard | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ModelCard, form: Any, change: bool) -> None:
        """Writes only the fields that staff decide, since a worker may announce the others at this moment."""
        self.check_form(request, obj)
        obj.save(update_fields=CHOSEN)
        if obj.is_default:
            make_default(obj)
