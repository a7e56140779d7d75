"""Two pages that ask before they delete: all conversations, or the person with all they have here."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from chat.accounts.models import User
from chat.conversations import sidebar
from chat.conversations.models import Conversation
from chat.core.errors import BadInput, NotAllowed
from chat.core.gate import costs
from chat.leaving import services


class LeaveForm(forms.Form):
    password = forms.CharField(
        label=gettext_lazy("Your password"),
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


@costs(10)
@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def delete_conversations(request: HttpRequest) -> HttpResponse:
    person = cast(User, request.user)
    if request.method == "POST":
        count = sidebar.delete_all(person)
        words = ngettext("%(count)d conversation is deleted.", "%(count)d conversations are deleted.", count)
        messages.success(request, words % {"count": count})
        return redirect(f"{reverse('settings')}#data")
    count = Conversation.objects.visible_to(person).count()
    return render(request, "leaving/conversations.html", {"count": count})


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def leave(request: HttpRequest) -> HttpResponse:
    person = cast(User, request.user)
    form = LeaveForm(request.POST or None)
    context: dict[str, Any] = {"form": form, "kept": ""}
    try:
        services.check_may_leave(person)
        if request.method == "POST" and form.is_valid():
            services.leave(user=person, password=form.cleaned_data["password"])
            logout(request)
            return render(request, "leaving/gone.html")
    except BadInput as error:
        form.add_error("password", error.words)
    except NotAllowed as error:
        context["kept"] = error.words
    status = 400 if form.errors else 403 if context["kept"] and request.method == "POST" else 200
    return render(request, "leaving/leave.html", context, status=status)
