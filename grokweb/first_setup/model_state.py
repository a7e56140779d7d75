"""Says what becomes of a model that was chosen: fetched, starting, answering, or why not."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from chat.core.lines import ShownLine, shown_line
from chat.model_cards.selection import configured_slug
from chat.staff.engine import FETCH_STATES
from chat.turns import redis_client, served_models
from chat.turns.end_messages import message_for_end
from chat.turns.served_models import FetchState
from inference.base.model_list import state
from inference.base.model_list.entries import Unreadable, read
from inference.base.model_list.state import Step
from inference.contract import Reason


@dataclass(frozen=True, slots=True)
class ModelState:
    """`kind`: "answers", "fetching", "starting" or "problem". `detail` is a line of a worker or of `up`."""

    slug: str
    kind: str
    words: str
    percent: int = 0
    detail: str = ""

    @property
    def shown_detail(self) -> ShownLine:
        return shown_line(self.detail)


def default_state() -> ModelState:
    """Returns the state of the configured model, also before `manage.py up` has noticed a change."""
    try:
        chosen = read(settings.DATA_DIR).default
    except Unreadable:
        chosen = ""
    return state_of(chosen or configured_slug())


def state_of(slug: str) -> ModelState:
    try:
        workers = served_models.workers(slug)
        fetch = served_models.fetches().get(slug)
    except redis_client.UNAVAILABLE:
        return ModelState(slug, "problem", _("Redis does not answer, so nothing is known about the workers."))
    if any(not worker.problem for worker in workers):
        return ModelState(slug, "answers", _("It answers."))
    if problem := served_models.problem_of(workers):
        return ModelState(slug, "problem", message_for_end(Reason.FAILED, problem))
    if fetch is not None and fetch.state is FetchState.FAILED:
        return ModelState(slug, "problem", str(FETCH_STATES[fetch.state]), detail=fetch.error)
    if fetch is not None and fetch.is_active:
        return ModelState(slug, "fetching", str(FETCH_STATES[fetch.state]), percent=fetch.percent)
    return _as_up_says(slug)


def _as_up_says(slug: str) -> ModelState:
    service = state.published(settings.RUN_DIR)
    if service is None:
        return ModelState(
            slug, "problem", _("`manage.py up` does not run here: it starts the model's worker.")
        )
    worker = service.models.get(slug)
    if worker is None:
        return ModelState(slug, "starting", _("Its worker starts in a moment."))
    if worker.step is Step.REFUSED:
        return ModelState(slug, "problem", _("It cannot be served."), detail=worker.problem)
    if worker.step is Step.RESTARTING:
        return ModelState(slug, "problem", _("Its worker ended and starts again."), detail=worker.problem)
    return ModelState(slug, "starting", _("Its worker is starting."))
