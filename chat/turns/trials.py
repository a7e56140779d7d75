"""Asks a model one short question for staff, through the fair queue, without a conversation or a row.

Redis alone knows a trial (trial_marks.py), for TRIAL_SECONDS: each staff member has one at a time, and
`reconcile.sweep` leaves its entry in the queue, which has no row, while it lasts.
"""

from __future__ import annotations

from uuid import uuid4

from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.core import audit
from chat.core.errors import ChatError
from chat.core.text import estimate_tokens
from chat.model_cards.capabilities import capabilities_of
from chat.model_cards.limits import answer_tokens
from chat.model_cards.models import ModelCard
from chat.quotas import services as quotas
from chat.turns import redis_client, reply_state, served_models, submission, trial_marks
from chat.turns.end_messages import message_for_end
from chat.turns.requests import opaque
from chat.turns.trial_marks import Trial
from inference.contract import ErrorCode, GenerationRequest, Reason, Sampling
from inference.wire.log import Log

TRIAL_SECONDS = 120  # after that its place in the queue is given up
MOST_TOKENS = 200
SEED = 1  # the same question gets the same answer


class TrialRuns(ChatError):
    code, http_status = "trial_runs", 409

    def __init__(self) -> None:
        super().__init__(_("Your last trial still runs. Wait for its end, at most two minutes."))


class CannotTry(ChatError):
    """No worker of the model can answer now."""

    code, http_status = "cannot_try", 409


def begin(*, by: User, card: ModelCard) -> Trial:
    """Asks the model. Raises TrialRuns, CannotTry and redis_client.UNAVAILABLE."""
    workers = served_models.workers(card.slug)
    if problem := served_models.problem_of(workers) or ("" if workers else ErrorCode.NO_WORKER):
        raise CannotTry(message_for_end(Reason.FAILED, problem))
    trial = Trial(uuid4(), card.slug)
    if not trial_marks.put(by.pk, trial, seconds=TRIAL_SECONDS):
        raise TrialRuns
    try:
        submission.submit(_request(trial, by, card))
    except redis_client.UNAVAILABLE:
        _forget(by, trial)
        raise
    audit.record(by, "try", audit.on_model(card))
    return trial


def running(by: User) -> tuple[Trial, Log] | None:
    """Returns somebody's trial with what the model has written so far; None if none runs. One that has ended
    is returned once."""
    trial = trial_marks.trial_of(by.pk)
    if trial is None:
        return None
    log = reply_state.read_log(trial.id)
    if log.end is not None:
        _forget(by, trial)
    return trial, log


def _forget(by: User, trial: Trial) -> None:
    submission.settled(trial.id)
    trial_marks.remove(by.pk, trial)


def question() -> str:
    return _("Say hello in one short sentence.")


def _request(trial: Trial, by: User, card: ModelCard) -> GenerationRequest:
    """Returns a request with the model's own settings, which thinks as little as it can."""
    terms = quotas.terms_for(by)
    tokens = min(MOST_TOKENS, answer_tokens(card).longest)
    asked = question()
    efforts = capabilities_of(card).efforts
    return GenerationRequest(
        generation_id=str(trial.id),
        attempt=1,
        model=card.slug,
        messages=({"role": "user", "content": asked},),
        max_new_tokens=tokens,
        seed=SEED,
        sampling=Sampling(**card.usual_sampling),  # type: ignore[arg-type]
        user_key=opaque("user", by.pk),
        cache_key=opaque("conversation", trial.id),
        weight=terms.weight,
        running_limit=terms.running_limit,
        estimate=estimate_tokens(asked) + tokens,
        effort=efforts[0] if efforts else "",
        context_limit=card.context_limit or 0,
    )
