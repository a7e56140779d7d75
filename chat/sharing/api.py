"""/api/conversations/<id>/share/: an owner makes links and turns them off."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from chat.conversations.access import conversation_for
from chat.core.api import ApiRequest, json_view
from chat.core.errors import BadInput
from chat.core.gate import costs
from chat.core.limits import take
from chat.sharing import services
from chat.sharing.access import share_of


@costs(5)
@json_view("POST")
def shares(request: ApiRequest, pk: UUID) -> HttpResponse:
    conversation = conversation_for(request.user, pk)
    days, policy = request.data.get("expires_days"), request.data.get("policy", "anyone")
    if days is not None and type(days) is not int:  # True is an int, too
        raise BadInput(_("The days must be a whole number, or null for a link without end."))
    if not isinstance(policy, str):
        raise BadInput(_("Please choose who may open the link."))
    take("share", str(request.user.pk), 60, 3600)
    share = services.create_share(
        conversation=conversation, owner=request.user, expires_days=days, policy=policy
    )
    return JsonResponse({"share": services.share_json(share)}, status=201)


@json_view("DELETE")
def share(request: ApiRequest, pk: UUID, token: str) -> HttpResponse:
    services.revoke(share=share_of(conversation_for(request.user, pk), token))
    return HttpResponse(status=204)
