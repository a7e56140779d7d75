"""Two confirmation pages: delete all conversations, or the account with everything in it."""

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

from chat.account_deletion import services
from chat.accounts.models import User
from chat.conversations.bulk import delete_all
from chat.core.errors import BadInput, NotAllowed
from chat.core.load_shedding import request_cost


class DeleteAccountForm(forms.Form):
    password = forms.CharField(
        label=gettext_lazy("Your password"),
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


@request_cost(10)
@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def delete_conversations(request: HttpRequest) -> HttpResponse:
    person = cast(User, request.user)
    if request.method == "POST":
        count = delete_all(person)
        words = ngettext("%(count)d conversation is deleted.", "%(count)d conversations are deleted.", count)
        messages.success(request, words % {"count": count})
        return redirect(f"{reverse('settings')}#data")
    count = services.count_conversations(person)
    return render(request, "account_deletion/conversations.html", {"count": count})


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def delete_account(request: HttpRequest) -> HttpResponse:
    person = cast(User, request.user)
    form = DeleteAccountForm(request.POST or None)
    context: dict[str, Any] = {"form": form, "refusal": ""}
    try:
        services.check_can_delete(person)
        if request.method == "POST" and form.is_valid():
            services.request_deletion(user=person, password=form.cleaned_data["password"])
            logout(request)
            return render(request, "account_deletion/gone.html")
    except BadInput as error:
        form.add_error("password", error.words)
    except NotAllowed as error:
        context["refusal"] = error.words
    status = 400 if form.errors else 403 if context["refusal"] and request.method == "POST" else 200
    return render(request, "account_deletion/delete_account.html", context, status=status)
