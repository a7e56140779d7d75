"""Shows reports, decisions and moderation rules in the admin."""

from __future__ import annotations

import copy
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Case, IntegerField, OrderBy, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from chat.accounts.models import User
from chat.conversations.models import Message
from chat.conversations.origins import source_words
from chat.core import audit, decisions
from chat.core.admin import AuditedAdmin, ReadOnlyAdmin
from chat.core.errors import BadInput, ChatError
from chat.core.extensions import BadOptions
from chat.moderation import breadth, deciding, rule_kinds, rules
from chat.moderation.hooks import reported_images
from chat.moderation.models import Decision, Report, Rule

SHORT = 80
FOUND = 5  # matches that a trial shows
ASKING = ("q", "text", "note")  # parameters that search in people's text


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """Edits a rule, without the fields that each kind declares; `form_of_kinds` adds those."""

    kind = forms.ChoiceField(label=gettext_lazy("Kind"))
    trial = forms.CharField(
        label=gettext_lazy("Try it"),
        help_text=gettext_lazy("A text to try the rule on. With a text here, nothing is saved."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
    )

    class Meta:
        model = Rule
        fields = ("name", "kind", "applies", "words", "active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kind = self.fields["kind"]
        assert isinstance(kind, forms.ChoiceField)
        kind.choices = [(name, each.label) for name, each in rules.kinds().items()]
        for name in rules.kinds():
            for field in _names(name):
                if self.instance.kind == name and field in self.instance.options:
                    self.initial[f"{name}-{field}"] = self.instance.options[field]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if "kind" not in data:
            return data
        kind = data["kind"]
        options = self._options(kind)
        if options is None or "applies" not in data:
            return data
        try:
            rule_kinds.check_rule(kind, options)
        except BadInput as error:
            raise ValidationError({_first(kind): error.words}) from None
        try:
            rule_kinds.check_applies(kind, options, data["applies"])
        except BadInput as error:
            raise ValidationError({"applies": error.words}) from None
        try:
            if self._refuses_more(data):
                breadth.check_breadth(kind, options, data["applies"])
            tried = _trial_words(kind, options, data["trial"]) if data.get("trial") else ""
        except BadInput as error:
            raise ValidationError({_first(kind): error.words}) from None
        if tried:
            raise ValidationError({"trial": tried})
        self.instance.options = options
        return data

    def _options(self, kind: str) -> dict[str, Any] | None:
        """Returns the options of the chosen kind; None where its fields have errors, shown beside them."""
        given = {name: self.data.get(f"{kind}-{name}") for name in _names(kind)}
        try:
            return rules.kind_for(kind).options(given, self.instance.options)
        except BadOptions as error:
            for name, words in error.errors.items():
                self.add_error(f"{kind}-{name}" if name in given else None, words)
            return None

    def _refuses_more(self, data: dict[str, Any]) -> bool:
        """Returns whether saving makes the rule refuse more than before. Trying one out does not."""
        options = {f"{data['kind']}-{name}" for name in _names(data["kind"])}
        matters = {"kind", "applies", "active", *options} & set(self.changed_data)
        return bool(matters and data.get("active") and data.get("applies") and not data.get("trial"))


def form_of_kinds() -> type[RuleForm]:
    """Returns the form with the fields of every kind, each named `<kind>-<field>`; one kind's are used."""
    fields: dict[str, forms.Field] = {}
    for kind, each in rules.kinds().items():
        for name, declared in each.fields.items():
            field = copy.deepcopy(declared)
            field.required = False  # the chosen kind validates its own
            fields[f"{kind}-{name}"] = field
    return type("RuleForm", (RuleForm,), fields)


def _names(kind: str) -> list[str]:
    return list(rules.kind_for(kind).fields)


def _first(kind: str) -> str:
    """Returns the field beside which an error of the complete rule is shown."""
    names = _names(kind)
    return f"{kind}-{names[0]}" if names else "kind"


def _trial_words(kind: str, options: dict[str, Any], text: str) -> str:
    found = rule_kinds.findings_of(kind, options, text)
    words = [_("The rule matches this text.") if found else _("The rule does not match this text.")]
    if found:
        pieces = [text[each.start : each.end] for each in found[:FOUND]]
        shown = [f"“{Truncator(piece).chars(SHORT)}”" for piece in pieces]
        words.append(_("It finds: %(pieces)s.") % {"pieces": ", ".join(shown)})
    return " ".join([*words, _("Nothing was saved; empty this field to save.")])


@admin.register(Rule)
class RuleAdmin(AuditedAdmin):
    form = RuleForm
    audited_fields = ("kind", "options", "applies", "active")
    list_display = ("name", "shown_kind", "summary", "applies", "active", "created_at")
    list_filter = ("active", "applies")
    search_fields = ("name",)

    @admin.display(description=gettext_lazy("kind"), ordering="kind")
    def shown_kind(self, rule: Rule) -> str:
        kind = rules.kinds().get(rule.kind)
        return str(kind.label) if kind else rule.kind

    @admin.display(description=gettext_lazy("options"))
    def summary(self, rule: Rule) -> str:
        return rule_kinds.summary_of(rule)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, form=form_of_kinds(), **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Returns one fieldset for each kind, under its label; a script shows the chosen one alone."""
        parts = [
            (
                _("Only for the kind “%(kind)s”") % {"kind": kind.label},
                {
                    "fields": [f"{name}-{field}" for field in kind.fields],
                    "classes": ["rule-kind", f"rule-kind-{name}"],  # static/js/pages/rule_form.js reads them
                },
            )
            for name, kind in rules.kinds().items()
            if kind.fields
        ]
        return [
            (None, {"fields": ["name", "kind"]}),
            *parts,
            (None, {"fields": ["applies", "words", "active", "trial"]}),
        ]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Also finds rules by what the list says of their options, which each kind words itself."""
        found, doubles = super().get_search_results(request, queryset, search_term)
        low = search_term.casefold()
        if low:
            worded = [rule.pk for rule in queryset if low in self.summary(rule).casefold()]
            found = found | queryset.filter(pk__in=worded)
        return found, doubles


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    list_display = ("at", "action", "by", "report", "note")
    list_filter = ("action",)
    search_fields = ("by__email", "note")
    list_select_related = ("by", "report")


class DecisionInline(admin.TabularInline):  # type: ignore[type-arg]  # not generic at run time
    model = Decision
    fields = readonly_fields = ("at", "action", "by", "note")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "status", "reason", "beginning", "origin", "author")
    list_filter = ("status", "reason")
    search_fields = ("reporter__email", "author__email", "text", "note")
    list_select_related = ("author",)
    fields = ("status", "reason", "note", "origin", "text", "reporter", "author", "created_at")
    readonly_fields = ("origin",)
    inlines = (DecisionInline,)

    @admin.display(description=gettext_lazy("text reported"))
    def beginning(self, report: Report) -> str:
        """Returns the first words of open reports, among which staff choose. Decided ones are read on their
        own page, where reading is audited.
        """
        if report.status != Report.Status.OPEN:
            return ""
        return report.text if len(report.text) <= SHORT else report.text[: SHORT - 1] + "…"

    @admin.display(description=gettext_lazy("origin"))
    def origin(self, report: Report) -> str:
        """Returns where a text comes from that the model here did not write."""
        return source_words(report.source)

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """Lists open reports first."""
        closed = Case(When(status=Report.Status.OPEN, then=Value(0)), default=1, output_field=IntegerField())
        return [OrderBy(closed), "-created_at"]

    def get_urls(self) -> list[URLPattern]:
        decide = self.admin_site.admin_view(require_POST(self.decide_view))
        return [path("<uuid:pk>/decide/", decide, name="moderation_report_decide"), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Records the search: it also finds decided reports, whose text is read on record only."""
        asked = {name: value for name, value in request.GET.items() if name.startswith(ASKING)}
        if asked and self.has_view_or_change_permission(request):
            search = asked.pop("q", "")
            more = {"filters": urlencode(asked)} if asked else {}
            audit.record(request.user, "search reports", "reports", search=search, **more)
        return super().changelist_view(request, extra_context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        report = self.get_object(request, object_id)
        more: dict[str, Any] = {}
        if report is not None and self.has_view_permission(request, report):
            more = self._about(request, report)
            author = audit.on_model(report.author) if report.author else None
            audit.record(request.user, "read report", audit.on_model(report), author=author)
        return super().change_view(request, object_id, form_url, {**more, **(extra_context or {})})

    def _about(self, request: HttpRequest, report: Report) -> dict[str, Any]:
        """Links only where they lead somewhere: moderators decide without opening private conversations."""
        assert isinstance(request.user, User)
        message = Message.objects.filter(pk=report.message_id).first() if report.message_id else None
        links = {}
        # A shared page may leave images out: staff who may see them there find them on the share's page.
        own = message if report.share_id is None else None
        if message and request.user.has_perm("conversations.view_conversation"):
            page = reverse("admin:conversations_conversation_change", args=[message.conversation_id])
            links["message_url"] = f"{page}?message={message.pk}#m-{message.pk}"
        if report.share_id and request.user.has_perm("sharing.view_share"):
            links["share_url"] = reverse("admin:sharing_share_change", args=[report.share_id])
        return {
            **links,
            "may_decide": request.user.has_perm(deciding.DECIDE),
            "can_hide": message is not None,
            "images": [each for found in reported_images(own.pk) for each in found] if own else [],
            "can_take_down": report.share_id is not None,
            "others": self._others(report),
            "seen": decisions.position(),
        }

    def _others(self, report: Report) -> str:
        if not report.message_id:
            return ""
        number = Report.objects.filter(message_id=report.message_id).exclude(pk=report.pk).count()
        words = ngettext(
            "There is %d other report of this message.", "There are %d other reports of this message.", number
        )
        return words % number if number else ""

    def decide_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        report = self.get_object(request, str(pk))
        if report is None or not self.has_view_permission(request, report):
            raise Http404
        assert isinstance(request.user, User)
        # Each of the three buttons sends its own name.
        action = next((name for name in deciding.ACTIONS if name in request.POST), "")
        note, owner_reason = (request.POST.get(name, "") for name in ("decision_note", "owner_reason"))
        try:
            deciding.decide(
                report=report,
                by=request.user,
                action=action,
                note=note,
                owner_reason=owner_reason,
                seen=decisions.seen_of(request.POST),
            )
        except ChatError as error:
            messages.error(request, error.words)
        else:
            messages.success(request, _("Decided: %s.") % Report.Status(action).label)
        return redirect("admin:moderation_report_change", report.pk)
