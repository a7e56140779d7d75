"""The admin page of tools: which ones are on, their options, and what staff decide otherwise."""

from __future__ import annotations

import copy
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.core.admin import AuditedAdmin
from chat.core.extensions import BadOptions
from chat.tools import services
from chat.tools.base import Tool
from chat.tools.models import ToolSettings

OPTION = "option-"  # before the name of a field that the tool declares


class ToolForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """The form of a tool; `form_for` adds the fields that the tool declares."""

    class Meta:
        model = ToolSettings
        fields = ("approval", "is_changing")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tool = services.loaded_tool(self.instance.name)
        if self.tool is not None:
            options = services.options_of(self.tool, self.instance)
            self.initial.update({f"{OPTION}{name}": value for name, value in options.items()})

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if self.tool is None or self.errors:
            return data
        given = {name: data.get(f"{OPTION}{name}") for name in self.tool.fields}
        try:
            self.instance.options = self.tool.options(given, self.instance.options)
        except BadOptions as error:
            for name, words in error.errors.items():
                self.add_error(f"{OPTION}{name}" if name in given else None, words)
        return data


def form_for(tool: Tool | None) -> type[ToolForm]:
    fields = {
        f"{OPTION}{name}": copy.deepcopy(field) for name, field in (tool.fields if tool else {}).items()
    }
    return type("ToolForm", (ToolForm,), fields)


@admin.register(ToolSettings)
class ToolSettingsAdmin(AuditedAdmin):
    audited_fields = ("approval", "is_changing")  # an option may be a key, so the audit has only its name
    list_display = ("label", "name", "is_on", "asks", "repeats")
    list_display_links = ("label",)
    readonly_fields = ("name", "label", "description", "is_on")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = form_for(services.loaded_tool(obj.name)) if obj else ToolForm
        return super().get_form(request, obj, change, form=form, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        tool = services.loaded_tool(obj.name) if obj else None
        options = [f"{OPTION}{name}" for name in tool.fields] if tool else []
        shown = [(None, {"fields": ["label", "name", "is_on", "description", "approval", "is_changing"]})]
        return [*shown, *([(_("Options"), {"fields": options})] if options else [])]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if self.has_view_or_change_permission(request):
            services.store_missing_settings()
        return super().changelist_view(request, extra_context)

    @admin.display(description=gettext_lazy("label"))
    def label(self, stored: ToolSettings) -> str:
        tool = services.loaded_tool(stored.name)
        return str(tool.label) if tool else stored.name

    @admin.display(description=gettext_lazy("what the model reads about it"))
    def description(self, stored: ToolSettings) -> str:
        tool = services.loaded_tool(stored.name)
        return tool.description if tool else ""

    @admin.display(description=gettext_lazy("offered to models"), boolean=True)
    def is_on(self, stored: ToolSettings) -> bool:
        """Returns whether GROKWEB_TOOLS names the tool, and its options are valid."""
        return services.tool_for(stored.name) is not None

    @admin.display(description=gettext_lazy("asks the person"), boolean=True)
    def asks(self, stored: ToolSettings) -> bool | None:
        tool = services.loaded_tool(stored.name)
        return services.needs_approval(tool, stored) if tool else None

    @admin.display(description=gettext_lazy("only reads"), boolean=True)
    def repeats(self, stored: ToolSettings) -> bool | None:
        tool = services.loaded_tool(stored.name)
        return services.read_only(tool, stored) if tool else None
