"""Builds the staff's engine page: workers as they announce themselves, and the last hour's replies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from django.conf import settings
from django.db.models.functions import Now
from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.core.lines import ShownLine, shown_line
from chat.model_cards.models import ModelCard
from chat.model_cards.selection import Rule, choose_for_new_chats
from chat.turns import served_models
from chat.turns.models import Generation
from chat.turns.served_models import Fetch, FetchState
from inference.base.lines import english
from inference.base.model_list import state
from inference.wire.metrics import Times

REFUSED = state.Step.REFUSED
HOUR = timedelta(hours=1)
MOST = 5000  # newest replies that the last hour's times are taken from: the page asks every few seconds


@dataclass(frozen=True, slots=True)
class WorkerLine:
    name: str
    back_end: str
    is_stopping: bool
    facts: list[tuple[str, str]]  # what, and how much


@dataclass(frozen=True, slots=True)
class TimesLine:
    what: Promise
    median: str
    p95: str


@dataclass(frozen=True, slots=True)
class ModelPart:
    """A model's part of the page."""

    name: str
    slug: str
    context: str
    waiting: int
    estimate: str
    workers: list[WorkerLine]
    replies: int
    times: list[TimesLine]
    calls_tools: bool


@dataclass(frozen=True, slots=True)
class NewChats:
    """Returns which model new chats get, and why."""

    slug: str
    name: str
    rule: Rule
    why: Promise


@dataclass(frozen=True, slots=True)
class FetchLine:
    """A model that a worker fetches by name, or whose fetch failed."""

    name: str
    slug: str
    state: str
    percent: int
    facts: list[tuple[str, str]]  # what, and how much
    error: ShownLine


FETCH_STATES = {
    FetchState.PLANNING: gettext_lazy("The hub is asked what the model needs."),
    FetchState.WAITING: gettext_lazy("Another process is fetching it."),
    FetchState.FETCHING: gettext_lazy("It is being fetched."),
    FetchState.CHECKING: gettext_lazy("Its checksums are compared with those of the hub."),
    FetchState.DONE: gettext_lazy("It is complete."),
    FetchState.FAILED: gettext_lazy("It could not be fetched."),
}


def fetches() -> list[FetchLine]:
    """Returns the models that are being fetched, for staff. Raises redis_client.UNAVAILABLE."""
    return [
        FetchLine(
            progress.name,
            slug,
            str(FETCH_STATES[progress.state]),
            progress.percent,
            _fetch_facts(progress),
            shown_line(progress.error),
        )
        for slug, progress in served_models.fetches().items()
    ]


def _fetch_facts(progress: Fetch) -> list[tuple[str, str]]:
    facts = []
    if progress.total:
        done = _("%(done)s of %(total)s") % {
            "done": formats.number_format(progress.done / 1e9, 2),
            "total": formats.number_format(progress.total / 1e9, 2),
        }
        facts.append((_("Gigabytes"), done))
    if progress.rate:
        facts.append((_("Megabytes a second"), number(progress.rate / 1e6, 1)))
    if progress.seconds_left is not None:
        facts.append((_("Time left"), duration(ceil(progress.seconds_left))))
    if progress.licence:
        facts.append((_("Licence"), progress.licence))
    return facts


WHY = {
    Rule.STAFF: gettext_lazy("Staff chose it as the default."),
    Rule.CONFIGURED: gettext_lazy(
        "It is the configured model, and a worker of it was seen within 10 minutes."
    ),
    Rule.STARTING: gettext_lazy("It is the configured model, and its worker is starting here."),
    Rule.SEEN: gettext_lazy("A worker of it was seen within 10 minutes, and none of the configured model."),
    Rule.NONE_SEEN: gettext_lazy(
        "No model was seen within 10 minutes: this is the one seen last, else the configured one. "
        "It is not running."
    ),
}


def new_chats() -> NewChats | None:
    choice = choose_for_new_chats()
    if choice is None:
        return None
    return NewChats(choice.card.slug, choice.card.shown_name, choice.rule, WHY[choice.rule])


def problems() -> list[ShownLine]:
    """Lists what `manage.py up` here says of models.toml and of models that cannot be served."""
    service = state.published(settings.RUN_DIR)
    if service is None:
        return []
    refused = {slug: worker.problem for slug, worker in service.models.items() if worker.step is REFUSED}
    of_models = (english("[%(slug)s] %(why)s", slug=slug, why=why) for slug, why in refused.items())
    return [shown_line(line) for line in (*service.problems, *of_models)]


def models() -> list[ModelPart]:
    """Raises redis_client.UNAVAILABLE: Redis alone knows."""
    cards = ModelCard.objects.in_bulk()
    return [
        _part(model, cards[model.slug].shown_name if model.slug in cards else model.name)
        for model in served_models.served_models()
    ]


def _part(model: served_models.ServedModel, name: str) -> ModelPart:
    times = last_hour(model.slug)
    return ModelPart(
        name,
        model.slug,
        _context(model),
        model.waiting,
        UNKNOWN if model.estimate is None else duration(ceil(model.estimate)),
        [_worker(worker) for worker in model.workers],
        len(times),
        [
            _line(gettext_lazy("until a worker began"), (each.queued for each in times)),
            _line(gettext_lazy("until the first token"), (each.first_token for each in times)),
            _line(gettext_lazy("for each further token"), (each.per_token for each in times)),
        ],
        model.calls_tools,
    )


def _context(model: served_models.ServedModel) -> str:
    """Says how much the model reads and, if it is less than its network could, which settings decide it."""
    here, longest = number(model.context), number(model.longest)
    if model.context >= model.longest:
        return _("Its context is %(here)s tokens, its longest.") % {"here": here}
    words = _(
        "Its context is %(here)s tokens; its longest would be %(longest)s. "
        "GROKWEB_CONTEXT and the memory for GROKWEB_SLOTS conversations decide."
    )
    return words % {"here": here, "longest": longest}


def _worker(worker: served_models.Worker) -> WorkerLine:
    metrics = worker.metrics
    facts = [
        (_("Busy"), _("%(number)s of %(all)s") % {"number": worker.busy, "all": worker.slots}),
        (_("Tokens a second"), number(metrics.get("tokens_per_second"), 1)),
        (_("Replies in a step"), number(metrics.get("rows_per_step"), 1)),
        (_("Cache in use, tokens"), share(metrics.get("cache_used"), metrics.get("cache_size"))),
    ]
    if "prompt_reused" in metrics:
        read = metrics["prompt_reused"] + metrics.get("prompt_computed", 0)
        facts.append((_("Prompt tokens reused"), share(metrics["prompt_reused"], read)))
    return WorkerLine(worker.name, worker.back_end, worker.slots == 0, facts)


def last_hour(model: str) -> list[Times]:
    rows = Generation.objects.filter(model=model, finished_at__gte=Now() - HOUR).order_by("-finished_at")
    columns = rows.values_list(
        "queued_ms", "first_token_ms", "total_ms", "prompt_tokens", "completion_tokens"
    )
    return [
        Times.of(queued_ms=queued, first_ms=first, total_ms=total, prompt_tokens=prompt, tokens=tokens)
        for queued, first, total, prompt, tokens in columns[:MOST]
    ]


def _line(what: Promise, values: Iterable[float | None]) -> TimesLine:
    known = sorted(value for value in values if value is not None)
    return TimesLine(what, duration(_quantile(known, 0.5)), duration(_quantile(known, 0.95)))


def _quantile(ordered: list[float], part: float) -> float | None:
    """Returns the smallest value that the share `part` of them do not exceed."""
    return ordered[ceil(part * len(ordered)) - 1] if ordered else None


# --- words ------------------------------------------------------------------------------------------------

UNKNOWN = "–"


def number(value: float | None, places: int = 0) -> str:
    return UNKNOWN if value is None else formats.number_format(value, places, force_grouping=True)


def share(part: float | None, whole: float | None) -> str:
    if part is None or whole is None:
        return UNKNOWN
    percent = number(100 * part / whole if whole else 0)
    return _("%(percent)s %% of %(number)s") % {"percent": percent, "number": number(whole)}


def duration(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    if seconds < 1:
        return _("%s ms") % number(seconds * 1000, 1 if seconds < 0.1 else 0)
    return _("%s s") % number(seconds, 1 if seconds < 60 and seconds % 1 else 0)
