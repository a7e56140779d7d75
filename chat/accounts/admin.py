"""Configures the admin pages of people. Only administrators may change staff."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, BaseUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from chat.accounts import administrators, services
from chat.accounts.hooks import group_deletion_notes
from chat.accounts.lookalikes import is_misleading
from chat.accounts.models import User
from chat.core import audit, decisions
from chat.core.admin import AuditedAdmin
from chat.core.decisions import Stale
from chat.core.errors import BadInput, ChatError, NotAllowed

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")

admin.site.unregister(Group)
admin.site.unregister(EmailAddress)  # the page of the person shows the addresses
admin.site.unregister(Authenticator)
admin.site.unregister(UserSession)  # people see their own on their settings page


@admin.register(Group)
class AuditedGroupAdmin(AuditedAdmin, GroupAdmin):
    """Shows Django's page of groups, with audit. Before a group is deleted it shows the consequences for its
    members.
    """

    delete_confirmation_template = "admin/delete_with_effects.html"

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        group = self.get_object(request, object_id)
        lines = [line for notes in group_deletion_notes(group) for line in notes] if group else []
        return super().delete_view(request, object_id, {"effects": lines, **(extra_context or {})})

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """Names the groups and counts other rows: those that join people to a group have no name to show."""
        _listed, counts, missing, protected = super().get_deleted_objects(objs, request)
        joined = User.groups.through._meta.verbose_name_plural
        counts = {_("members who leave it") if name == joined else name: counts[name] for name in counts}
        return [str(group) for group in objs], counts, missing, protected


@admin.register(Authenticator)
class SecondFactorAdmin(AuditedAdmin):
    """Lets staff view and delete the second factor of people who lost theirs. The secret itself is never
    shown.
    """

    list_display = fields = ("user", "type", "created_at", "last_used_at")
    search_fields = ("user__email",)

    def audited_name(self, obj: Authenticator) -> dict[str, Any]:
        return {"name": str(obj), "person": audit.on_model(obj.user)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Authenticator | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Authenticator | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or _outranks(request, obj.user))


class AddUserForm(BaseUserCreationForm):  # type: ignore[type-arg]  # not generic at run time
    class Meta:
        model = User
        fields = ("email", "display_name")

    def clean_email(self) -> str:
        return _sound_email(self.cleaned_data["email"])

    def clean_display_name(self) -> str:
        return _sound_name(self.cleaned_data["display_name"])


class ChangeUserForm(UserChangeForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = "__all__"  # from which the admin page chooses
        field_classes: dict[str, Any] = {}

    def clean_email(self) -> str:
        return _sound_email(self.cleaned_data["email"], self.instance)

    def clean_display_name(self) -> str:
        stored = User.objects.get(pk=self.instance.pk)  # cleaning changes the form's own instance
        return _sound_name(self.cleaned_data["display_name"], stored)

    def clean(self) -> dict[str, Any]:
        """Checks the form inside the transaction of the change, so that it waits for a colleague's change
        under way.
        """
        data = super().clean() or self.cleaned_data
        if not all(data.get(name, True) for name in ("is_active", "is_staff", "is_superuser")):
            _check_another_remains(self.instance)
        return data


class PasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]
    def clean(self) -> Any:
        data = super().clean()
        if not self.cleaned_data["set_usable_password"]:
            try:
                _check_another_remains(self.user)
            except ValidationError as error:
                self.add_error("usable_password", error)
        return data


class SuspendForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("The person reads it."),
        max_length=services.REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
    )
    until = forms.DateTimeField(
        label=gettext_lazy("Until (UTC)"),
        help_text=gettext_lazy("Empty: until staff lift it."),
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )


class SuspendedFilter(admin.SimpleListFilter):
    title = gettext_lazy("suspended")
    parameter_name = "suspended"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("Yes")), ("no", gettext_lazy("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        still = Q(suspended_until=None) | Q(suspended_until__gt=timezone.now())
        suspended = Q(suspended_at__isnull=False) & still
        if self.value() == "yes":
            return queryset.filter(suspended)
        return queryset.exclude(suspended) if self.value() == "no" else queryset


@admin.register(User)
class PersonAdmin(AuditedAdmin, UserAdmin):  # type: ignore[type-arg]
    audited_fields = ("is_active", "is_staff", "is_superuser")
    form, add_form, change_password_form = ChangeUserForm, AddUserForm, PasswordForm
    add_form_template = None
    list_display = ("email", "shown_name", "is_staff", "suspended", "date_joined", "last_login")
    list_filter = (SuspendedFilter, "is_staff", "is_superuser", "is_active", "groups")
    search_fields = ("email", "display_name")
    ordering = ("email",)
    readonly_fields = ("suspended_at", "suspended_until", "suspension_reason", "date_joined", "last_login")
    fieldsets = (
        (None, {"fields": ("email", "password", "display_name", "language")}),
        (gettext_lazy("Suspension"), {"fields": ("suspended_at", "suspended_until", "suspension_reason")}),
        (gettext_lazy("Rights"), {"fields": ("is_active", *RIGHTS)}),
        (gettext_lazy("Dates"), {"fields": ("date_joined", "last_login")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "display_name", "password1", "password2")}),)

    def audited_name(self, obj: User) -> dict[str, Any]:
        return {}

    @admin.display(ordering="display_name", description=gettext_lazy("display name"))
    def shown_name(self, person: User) -> str:
        """Adds a warning to a name that is older than the rules for names."""
        if not is_misleading(person.display_name):
            return person.display_name
        return f"⚠ {ascii(person.display_name)[1:-1]} ({_('misleading letters')})"

    @admin.display(boolean=True, description=gettext_lazy("suspended"))
    def suspended(self, person: User) -> bool:
        return person.is_suspended

    # --- Who may do what ----------------------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or _outranks(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if not super().has_delete_permission(request, obj) or obj is None:
            return super().has_delete_permission(request, obj)
        try:
            services.check_deletable(obj, _staff(request))
        except ChatError:
            return False
        return True

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = tuple(super().get_readonly_fields(request, obj))
        return fields if _staff(request).is_superuser else (*fields, *RIGHTS)

    # --- Changes go through the services ------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change or "email" in form.changed_data:
            services.change_email(user=obj, email=obj.email)

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        services.delete_user(user=obj, by=_staff(request))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Writes only Django's own list of recent actions; services.delete_user writes the audit row."""
        return admin.ModelAdmin.log_deletions(self, request, queryset)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """Returns counts only: Django's page would print the titles of all conversations."""
        counts = {
            str(_("conversations")): sum(person.conversations.count() for person in objs),
            str(_("shared links")): sum(person.shares.count() for person in objs),
        }
        return [str(person) for person in objs], counts, set(), []

    @method_decorator(sensitive_post_parameters())
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Runs in a transaction, like every other change: its form may have to wait for a colleague's
        change.
        """
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)

    # --- Suspension ---------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<uuid:pk>/suspend/", wrap(self.suspend_view), name="accounts_user_suspend"),
            path("<uuid:pk>/lift/", wrap(require_POST(self.lift_view)), name="accounts_user_lift"),
            *super().get_urls(),
        ]

    def suspend_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        seen = decisions.seen_of(request.POST) if request.method == "POST" else decisions.position()
        person = self._person(request, pk)
        form = SuspendForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                services.suspend(user=person, by=_staff(request), seen=seen, **form.cleaned_data)
            except Stale as error:
                messages.error(request, error.words)
                return redirect(self._page(person))
            except ChatError as error:
                form.add_error(None, error.words)
            else:
                messages.success(request, _("%s is suspended.") % person.email)
                return redirect(self._page(person))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Suspend %s") % person.email,
            "opts": self.opts,
            "original": person,
            "form": form,
            "seen": seen,
            "shares_stay_open": settings.SHARES_OF_SUSPENDED,
        }
        return TemplateResponse(request, "admin/accounts/user/suspend.html", context)

    def lift_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        person = self._person(request, pk)
        try:
            seen = decisions.seen_of(request.POST)
            services.lift_suspension(user=person, by=_staff(request), seen=seen)
        except ChatError as error:
            messages.error(request, error.words)
        else:
            messages.success(request, _("%s is no longer suspended.") % person.email)
        return redirect(self._page(person))

    def _person(self, request: HttpRequest, pk: Any) -> User:
        person: User | None = self.get_object(request, str(pk))
        if person is None:
            raise Http404
        if not self.has_change_permission(request, person):
            raise PermissionDenied
        return person

    def _page(self, person: User) -> str:
        return reverse("admin:accounts_user_change", args=[person.pk])


def _staff(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # admin_view admits only staff
    return request.user


def _outranks(request: HttpRequest, person: Any) -> bool:
    """Returns whether the viewer may change `person`: staff may be changed only by administrators and
    themselves.
    """
    by = _staff(request)
    return by.is_superuser or person.pk == by.pk or not (person.is_staff or person.is_superuser)


def _check_another_remains(person: User) -> None:
    try:
        administrators.check_another_remains(person)
    except NotAllowed as error:
        raise ValidationError(error.words) from None


def _sound_email(email: str, person: User | None = None) -> str:
    try:
        return services.checked_email(email, person)
    except BadInput as error:
        raise ValidationError(error.words) from None


def _sound_name(name: str, person: User | None = None) -> str:
    try:
        return services.checked_name(name, person)
    except ChatError as error:
        raise ValidationError(error.words) from None
