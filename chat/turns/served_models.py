"""Reads the state of models in Redis: their workers, whether one can answer, the queue and its pace.

Calls raise redis.RedisError.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from chat.model_cards.capabilities import parse_announced_capabilities
from chat.turns import redis_client
from inference.base.model_list import state
from inference.contract import CONTRACT_VERSION
from inference.hub import progress as hub_progress
from inference.wire import fetching, scripts
from inference.wire import queue as fair_queue

Worker = fair_queue.Worker
Fetch = hub_progress.Progress
FetchState = hub_progress.State
FETCHING = "fetching"  # the problem of a model that a worker is fetching by name


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The state of one model in Redis: its workers, its queue and its pace."""

    slug: str
    name: str
    context: int  # tokens
    longest: int  # context of the network, which the worker's memory or GROKWEB_CONTEXT may shorten
    workers: list[Worker]
    waiting: int
    pace_ms: float | None
    problem: str  # as shown_problem returns it
    calls_tools: bool  # as its workers announce

    @property
    def slots(self) -> int:
        return sum(worker.slots for worker in self.workers)

    @property
    def estimate(self) -> float | None:
        """Returns seconds until a reply that is asked for now would be done; None if unknown."""
        if not self.slots or self.pace_ms is None:
            return None
        return (self.waiting + 1) / self.slots * self.pace_ms / 1000


def served_models() -> list[ServedModel]:
    return [_served(slug, card) for slug, card in sorted(announced_models().items())]


def _served(slug: str, card: dict[str, str]) -> ServedModel:
    living = workers(slug)
    return ServedModel(
        slug,
        card.get("name", slug),
        int(card.get("context", 0)),
        int(card.get("longest", 0)),
        living,
        len(fair_queue.waiting(redis_client.client(), slug)),
        fair_queue.pace_ms(redis_client.client(), slug),
        shown_problem(slug, living),
        bool(parse_announced_capabilities(card.get("capabilities", "{}")).get("tools")),
    )


def announced_models() -> dict[str, dict[str, str]]:
    return fair_queue.announced_models(redis_client.client())


def states() -> dict[str, tuple[bool, str]]:
    """Returns of each announced model whether a worker of it lives, and its problem as shown_problem does."""
    living = {slug: workers(slug) for slug in announced_models()}
    return {slug: (bool(found), shown_problem(slug, found)) for slug, found in living.items()}


def withdraw_if_removed(slug: str, host: str) -> bool:
    """Ends the announcement of a model whose workers ran on `host`, if the `manage.py up` there has it no
    more and its workers have left. Returns whether it did."""
    if not _is_given_up(slug, host) or workers(slug) or is_fetched(slug):
        return False
    fair_queue.withdraw_model(redis_client.client(), slug)
    return True


def workers(model: str) -> list[Worker]:
    return fair_queue.workers(redis_client.client(), model)


def is_served(model: str, contract: int = 1) -> bool:
    """Returns whether a worker of this model is alive, knows this version of the contract, and its engine
    can answer."""
    return any(not worker.problem and worker.contract >= contract for worker in workers(model))


def note_seen(model: str) -> None:
    """Notes which worker of this model is alive, of those that can answer the one of the newest version: no
    wait for it ends for GROKWEB_QUEUE_TIMEOUT from now on."""
    newest = max((worker.contract for worker in workers(model) if not worker.problem), default=1)
    life = max(1, int(settings.QUEUE_TIMEOUT * 1000))
    for key in (scripts.key("seen", model), _seen_key(model, min(newest, CONTRACT_VERSION))):
        redis_client.client().set(key, 1, px=life)


def was_seen(model: str, contract: int = 1) -> bool:
    """Returns whether a worker of this model that knows this version of the contract was alive within
    GROKWEB_QUEUE_TIMEOUT, or is fetching it, as far as Redis knows."""
    if is_served(model, contract) or is_fetched(model):
        return True
    if contract == 1:
        return bool(redis_client.client().exists(scripts.key("seen", model)))
    versions = range(contract, CONTRACT_VERSION + 1)
    return any(redis_client.client().exists(_seen_key(model, version)) for version in versions)


def _seen_key(model: str, contract: int) -> str:
    return scripts.key("seen", model, f"{contract}")


def fetches() -> dict[str, Fetch]:
    """Returns the models that workers are fetching by name, and those whose fetch failed lately. Withdraws
    failures of models that the `manage.py up` of their host has no more."""
    found = {}
    for slug, fields in fetching.fetches(redis_client.client()).items():
        progress = Fetch.from_fields(fields)
        if progress is None:
            continue
        if progress.state is FetchState.FAILED and _is_given_up(slug, fields.get("host", "")):
            fetching.withdraw_fetch(redis_client.client(), slug)
        else:
            found[slug] = progress
    return found


def _is_given_up(slug: str, host: str) -> bool:
    """Returns whether `up` runs on that host, which is this one, and serves no model of this slug: its table
    was removed or got another slug."""
    service = state.published(settings.RUN_DIR)
    return service is not None and host == platform.node() and slug not in service.models


def is_fetched(model: str) -> bool:
    """Returns whether a worker is fetching this model now."""
    progress = Fetch.from_fields(fetching.fetch_of(redis_client.client(), model))
    return progress is not None and progress.is_active


def problem_of(workers: Sequence[Worker]) -> str:
    """Returns the ErrorCode that says why none of a model's workers can answer; "" if one can, or none is."""
    problems = [worker.problem for worker in workers]
    return problems[0] if problems and all(problems) else ""


def shown_problem(model: str, workers: Sequence[Worker]) -> str:
    """Returns what pages show of a model that cannot answer: an ErrorCode, or FETCHING; "" for neither."""
    return problem_of(workers) or (FETCHING if not workers and is_fetched(model) else "")


def queue_positions(model: str) -> tuple[dict[str, int], float | None, int]:
    """Returns the position (from 1) of every waiting reply, mean milliseconds a reply, and slots of the
    living workers."""
    order = fair_queue.waiting(redis_client.client(), model)
    slots = sum(worker.slots for worker in workers(model))
    return (
        {pk: n for n, pk in enumerate(order, start=1)},
        fair_queue.pace_ms(redis_client.client(), model),
        slots,
    )
