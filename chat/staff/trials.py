"""The trial of a model on its staff page: begins it, and says how far it is."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext as _

from chat.core.api import ApiRequest, json_view
from chat.core.errors import ChatError, NotAllowed, NotFound
from chat.model_cards.models import ModelCard
from chat.staff.engine import duration, number
from chat.turns import redis_client, trials
from chat.turns.end_messages import message_for_end
from inference.contract import Kind
from inference.wire.log import End, Log
from inference.wire.metrics import Times


@json_view("GET", "POST")
def trial(request: ApiRequest, slug: str) -> dict[str, Any]:
    """POST begins a trial of the model; GET tells its state. For staff who may change models."""
    if not (admin.site.has_permission(request) and request.user.has_perm("model_cards.change_modelcard")):
        raise NotAllowed(_("Only staff who may change models can try one."))
    card = ModelCard.objects.filter(slug=slug).first()
    if card is None:
        raise NotFound
    try:
        if request.method == "POST":
            trials.begin(by=request.user, card=card)
        found = trials.running(request.user)
    except redis_client.UNAVAILABLE:
        raise ChatError(_("Redis does not answer, so nothing is known about the workers.")) from None
    if found is None or found[0].model != slug:
        return {"state": "over", "words": _("There was no answer within two minutes."), "text": ""}
    return state_of(found[1])


def state_of(log: Log) -> dict[str, Any]:
    """Serializes a trial: `state`, one line about it, and what the model wrote."""
    if log.end is None:
        if not log.pieces:
            return {"state": "waiting", "words": _("The question waits for a worker."), "text": ""}
        return {"state": "writing", "words": _("The model answers…"), "text": log.text}
    if words := message_for_end(log.end.reason, log.end.error):
        return {"state": "failed", "words": words, "text": log.text}
    return {"state": "done", "words": _figures(log, log.end), "text": log.text}


def _figures(log: Log, end: End) -> str:
    """Returns time to the first token, pace and tokens, and whether there was nothing but thoughts."""
    times = Times.of(
        queued_ms=end.queued_ms,
        first_ms=end.first_ms,
        total_ms=end.total_ms,
        prompt_tokens=end.prompt_tokens,
        tokens=end.completion_tokens,
    )
    facts = [
        _("First token after %(time)s.") % {"time": duration(times.first_token)},
        _("%(number)s tokens in %(time)s.")
        % {
            "number": number(times.tokens),
            "time": duration(end.total_ms / 1000 if end.total_ms is not None else None),
        },
    ]
    if times.per_token:
        facts.append(_("%(number)s tokens a second.") % {"number": number(1 / times.per_token, 1)})
    if not log.text and any(piece.kind is Kind.THOUGHT for piece in log.pieces):
        facts.append(_("It wrote thoughts alone: its answer was too short for more."))
    return " ".join(facts)
