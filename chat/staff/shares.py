"""Admin pages of shared links and take-downs.

A title is shown only where its reading is audited: the text of a closed link is as private as its
conversation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from chat.accounts.models import User
from chat.conversations.origins import origin_words
from chat.core import audit, decisions
from chat.core.admin import ReadOnlyAdmin
from chat.core.errors import ChatError
from chat.files.file_storage import has_pixels
from chat.moderation import deciding
from chat.sharing import takedowns
from chat.sharing.access import may_staff_read
from chat.sharing.models import Share, SharePage, TakeDown
from chat.sharing.policies import policies, policy_label
from chat.sharing.reading import origins_in, with_images


class PolicyFilter(admin.SimpleListFilter):
    """Lists the policies by their labels; a policy that is gone, but in use, by its name."""

    title = gettext_lazy("who may open it")
    parameter_name = "policy"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        used = Share.objects.order_by("policy").values_list("policy", flat=True).distinct()
        return [(name, policy_label(name)) for name in dict.fromkeys([*policies(), *used])]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Share]) -> QuerySet[Share]:
        return queryset.filter(policy=self.value()) if self.value() else queryset


@admin.register(Share)
class ShareAdmin(ReadOnlyAdmin):
    list_display = ("id", "owner", "shown_policy", "created_at", "expires_at", "revoked_at", "taken_down_at")
    list_filter = (PolicyFilter,)
    search_fields = ("owner__email", "=token")
    list_select_related = ("owner",)
    fields = (
        "shown_title",
        "owner",
        "shown_policy",
        "created_at",
        "expires_at",
        "revoked_at",
        "taken_down_at",
    )
    readonly_fields = ("shown_title", "shown_policy")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Share]:
        return super().get_queryset(request).select_related("owner", "conversation")

    @admin.display(description=gettext_lazy("who may open it"), ordering="policy")
    def shown_policy(self, share: Share) -> str:
        return policy_label(share.policy)

    @admin.display(description=gettext_lazy("title"))
    def shown_title(self, share: Share) -> str:
        """Shows a title that is not a field, so that lists cannot be filtered or ordered by it. `get_object`
        sets `may_read`.
        """
        return share.title if getattr(share, "may_read", False) else ""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        share = super().get_object(request, object_id, from_field)
        if share is not None:
            assert isinstance(request.user, User)
            share.may_read = may_staff_read(request.user, share)
        return share

    def get_urls(self) -> list[URLPattern]:
        take_down = self.admin_site.admin_view(require_POST(self.take_down_view))
        return [path("<uuid:pk>/take-down/", take_down, name="sharing_share_take_down"), *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        found = self.get_object(request, object_id)
        more: dict[str, Any] = {}
        if found is not None and self.has_view_permission(request, found):
            shown = Paginator(found.pages.all(), 1).get_page(request.GET.get("p", 1))
            audit.record(
                request.user,
                "read share",
                audit.on_model(found),
                owner=audit.on_model(found.owner),
                page=shown.number,
            )
            bound = TakeDown.objects.filter(share=found, lifted_at=None).first()
            more = {
                "may_take_down": found.taken_down_at is None and request.user.has_perm(deciding.DECIDE),
                "may_read": found.may_read,
                "seen": decisions.position(),
                "page_obj": shown,
                "messages_shared": _copies(found, shown.object_list),
                "take_down_url": bound and reverse("admin:sharing_takedown_change", args=[bound.pk]),
            }
        return super().change_view(request, object_id, form_url, {**more, **(extra_context or {})})

    def take_down_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        share = self.get_object(request, str(pk))
        if share is None or not self.has_view_permission(request, share):
            raise Http404
        assert isinstance(request.user, User)
        note, owner_reason = (request.POST.get(name, "") for name in ("decision_note", "owner_reason"))
        try:
            deciding.take_share_down(
                share_id=share.pk,
                by=request.user,
                note=note,
                owner_reason=owner_reason,
                seen=decisions.seen_of(request.POST),
            )
        except ChatError as error:
            messages.error(request, error.words)
        else:
            messages.success(request, _("The shared page is taken down."))
        return redirect("admin:sharing_share_change", share.pk)


def _copies(share: Share, pages: Iterable[SharePage]) -> list[dict[str, Any]]:
    """Returns the messages of the pages shown, each with the words for its origin."""
    copied = [message for page in pages for message in _with_images(share, page)]
    origins = origins_in(share, copied)
    return [{**each, "origin": origin_words(origins.get(each["id"]))} for each in copied]


def _with_images(share: Share, page: SharePage) -> list[dict[str, Any]]:
    def address(pk: str) -> str:
        return reverse("staff_shared_image", args=[share.pk, page.number, pk])

    return with_images(page.messages, address, has_pixels)


@admin.register(TakeDown)
class TakeDownAdmin(ReadOnlyAdmin):
    """Shows what may not be shared again, to staff who may see shared pages; it holds no text of people."""

    list_display = ("taken_down_at", "owner", "shown_reason", "lifted_at")
    list_select_related = ("owner",)
    search_fields = ("owner__email",)
    fields = ("taken_down_at", "owner", "shown_reason", "link", "lifted_at")
    readonly_fields = ("shown_reason", "link")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any | None = None) -> bool:
        return bool(request.user.has_perm("sharing.view_share"))

    @admin.display(description=gettext_lazy("reason"), ordering="reason")
    def shown_reason(self, row: TakeDown) -> str:
        return takedowns.shown_reason(row)

    @admin.display(description=gettext_lazy("shared link"))
    def link(self, row: TakeDown) -> str:
        if row.share_id is None:
            return _("Its conversation is deleted.")
        page = reverse("admin:sharing_share_change", args=[row.share_id])
        return format_html('<a href="{}">{}</a>', page, row.share_id)

    def get_urls(self) -> list[URLPattern]:
        lift = self.admin_site.admin_view(require_POST(self.lift_view))
        return [path("<uuid:pk>/lift/", lift, name="sharing_takedown_lift"), *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        found = self.get_object(request, object_id)
        open_for = found is not None and found.lifted_at is None and request.user.has_perm(deciding.DECIDE)
        return super().change_view(
            request, object_id, form_url, {"may_lift": open_for, **(extra_context or {})}
        )

    def lift_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        found = self.get_object(request, str(pk))
        if found is None or not self.has_view_permission(request, found):
            raise Http404
        assert isinstance(request.user, User)
        try:
            takedowns.lift(take_down=found, by=request.user)
        except ChatError as error:
            messages.error(request, error.words)
        else:
            messages.success(request, _("Lifted: the owner can share this conversation again."))
        return redirect("admin:sharing_takedown_change", found.pk)
