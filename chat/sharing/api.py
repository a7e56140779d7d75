"""Serves /api/conversations/<id>/share/, where owners create links, change their options and close them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from chat.conversations.access import conversation_for
from chat.core.api import ApiRequest, json_view
from chat.core.errors import BadInput
from chat.core.load_shedding import request_cost
from chat.core.throttling import throttle
from chat.sharing import copying, links
from chat.sharing.access import share_of
from chat.sharing.policies import DEFAULT

SHARES_AN_HOUR = 60  # links made or changed by one person


@request_cost(5)
@json_view("POST")
def shares(request: ApiRequest, pk: UUID) -> HttpResponse:
    conversation = conversation_for(request.user, pk)
    days, policy = request.data.get("expires_days"), request.data.get("policy", DEFAULT)
    if days is not None and type(days) is not int:  # True is an int, too
        raise BadInput(_("The days must be a whole number, or null for a link without end."))
    if not isinstance(policy, str):
        raise BadInput(_("Please choose who may open the link."))
    options, thoughts, images = _options(request), _flag(request, "thoughts"), _flag(request, "images")
    throttle("share", str(request.user.pk), SHARES_AN_HOUR, 3600)
    share = copying.create_share(
        conversation=conversation,
        owner=request.user,
        expires_days=days,
        policy=policy,
        options=options,
        thoughts=thoughts,
        images=images,
    )
    return JsonResponse({"share": links.share_json(share)}, status=201)


def _flag(request: ApiRequest, name: str) -> bool:
    value = request.data.get(name, False)
    if not isinstance(value, bool):
        raise BadInput(_("`%(name)s` is neither true nor false.") % {"name": name})
    return value


def _options(request: ApiRequest) -> dict[str, Any]:
    options = request.data.get("options", {})
    if not isinstance(options, dict):
        raise BadInput(_("Options of a link must be a JSON object."))
    return options


@request_cost(5)
@json_view("DELETE", "PATCH")
def share(request: ApiRequest, pk: UUID, token: str) -> HttpResponse:
    """Turns a link off, changes the options of its policy, or deletes thoughts or images from its copy."""
    found = share_of(conversation_for(request.user, pk), token)
    if request.method == "DELETE":
        links.revoke(share=found)
    elif "thoughts" in request.data:
        if request.data["thoughts"] is not False:
            raise BadInput(_("Thoughts cannot be added to a link. Please make a new one."))
        copying.leave_out_thoughts(share=found)
    elif "images" in request.data:
        if request.data["images"] is not False:
            raise BadInput(_("Images cannot be added to a link. Please make a new one."))
        copying.leave_out_images(share=found)
    else:
        throttle("share", str(request.user.pk), SHARES_AN_HOUR, 3600)
        links.change_options(share=found, options=_options(request))
    return HttpResponse(status=204)
