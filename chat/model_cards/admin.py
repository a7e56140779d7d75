"""The admin page of models: staff choose the default and what is hidden or retired."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from chat.core.admin import AuditedAdmin
from chat.model_cards.forms import CHOSEN, DEFAULT_NAMES, TEXT_NAMES, WRITTEN, ModelCardForm
from chat.model_cards.models import ModelCard
from chat.model_cards.services import make_default


@admin.register(ModelCard)
class ModelCardAdmin(AuditedAdmin):
    form = ModelCardForm
    audited_fields = (
        *("is_default", "is_hidden", "is_retired", "successor_id", "is_limited"),
        *("texts", "defaults", "context_limit"),
    )
    filter_horizontal = ("groups",)
    list_display = (
        "shown_name",
        "slug",
        "is_default",
        "is_hidden",
        "is_retired",
        "is_limited",
        "price",
        "last_seen_at",
        "is_demo",
    )
    list_display_links = ("shown_name",)
    search_fields = ("name", "slug")
    readonly_fields = (
        "name",
        "slug",
        "about",
        "context_tokens",
        "sampling",
        "capabilities",
        "shown_licence",
        "is_demo",
        "is_withdrawn",
        "last_seen_at",
    )
    fieldsets = (
        (None, {"fields": ("name", "slug", *CHOSEN, "groups")}),
        (
            _("Name and description on pages"),
            {
                "fields": TEXT_NAMES,
                "description": _(
                    "Empty: the site's language, else another one that is filled in, else what the worker "
                    "announces."
                ),
            },
        ),
        (
            _("Where people and conversations choose nothing"),
            {
                "fields": ("context_limit", *DEFAULT_NAMES),
                "description": _("Empty: as the model announces it, else as usual."),
            },
        ),
        (
            _("As its workers announce it"),
            {
                "fields": (
                    *("about", "context_tokens", "sampling", "capabilities", "shown_licence", "is_demo"),
                    *("is_withdrawn", "last_seen_at"),
                )
            },
        ),
    )

    @admin.display(description=_("name"), ordering="name")
    def shown_name(self, card: ModelCard) -> str:
        return card.shown_name

    @admin.display(description=_("licence"))
    def shown_licence(self, card: ModelCard) -> str:
        """Shows the licence of a model that was fetched by name, with its address if it has one."""
        name, link = card.licence.get("name", ""), card.licence.get("link", "")
        if not link:
            return name or "–"
        return format_html('<a href="{}" rel="noreferrer">{}</a>', link, name)

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
        obj.save(update_fields=WRITTEN)
        if obj.is_default:
            make_default(obj)
