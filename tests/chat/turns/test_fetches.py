"""A model that a worker fetches by name: what staff and people see of it, and that waits do not end."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest
import redis

from chat.turns import served_models, tasks
from inference.base.lines import english
from inference.base.model_list import state
from inference.hub.progress import Progress, State
from inference.wire import queue
from inference.wire.fetching import announce_fetch, withdraw_fetch

pytestmark = [pytest.mark.django_db(transaction=True)]

SLUG = "tiny"


def announce(client: redis.Redis, progress: Progress) -> None:
    announce_fetch(client, SLUG, progress.to_fields(), seconds=60)


def engine_page(cast: Any, language: str = "en") -> str:
    answer = cast.client("staff").get("/admin/engine/", headers={"Accept-Language": language})
    return str(answer.content.decode())


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("It is being fetched.", "42 %", "1.10 of 2.60", "Megabytes a second", "30.0", "50 s", "mit")),
        ("fr", ("Il est en cours de téléchargement.", "42 %", "1,10 sur 2,60", "Temps restant")),
    ],
)
def test_staff_see_percentage_bytes_rate_time_and_licence(
    cast: Any, redis_client: redis.Redis, language: str, words: tuple[str, ...]
) -> None:
    fetching = State.FETCHING
    announce(
        redis_client,
        Progress("hf:acme/tiny", fetching, done=1_100_000_000, total=2_600_000_000, rate=30e6, licence="mit"),
    )
    page = engine_page(cast, language)
    assert 'data-fetch="tiny"' in page
    assert "hf:acme/tiny" in page
    assert [word for word in words if word not in page] == []


def test_staff_see_why_a_fetch_failed(cast: Any, redis_client: redis.Redis) -> None:
    announce(redis_client, Progress("hf:acme/tiny", State.FAILED, error="hf:acme/tiny: no <such> model"))
    page = engine_page(cast)
    assert 'It could not be fetched. <span lang="en">hf:acme/tiny: no &lt;such&gt; model</span>' in page
    withdraw_fetch(redis_client, SLUG)
    assert "data-fetch" not in engine_page(cast)
    why = english("%(name)s: another process is fetching it: end that one first", name="hf:acme/tiny")
    announce(redis_client, Progress("hf:acme/tiny", State.FAILED, error=why))
    french = "hf:acme/tiny : un autre processus le télécharge : arrêtez-le d’abord"
    assert f"<span>{french}</span>" in engine_page(cast, "fr")


def test_a_failed_fetch_is_shown_until_up_has_no_such_model(
    cast: Any, redis_client: redis.Redis, settings: Any, tmp_path: Path
) -> None:
    settings.RUN_DIR = tmp_path
    failed = Progress("hf:acme/tiny", State.FAILED, error="no such model").to_fields()

    def shown_slugs() -> list[str]:
        page = engine_page(cast)
        return [slug for slug in ("tiny", "elsewhere") if f'data-fetch="{slug}"' in page]

    announce_fetch(redis_client, "tiny", failed, seconds=60, host=platform.node())
    announce_fetch(redis_client, "elsewhere", failed, seconds=60, host="another-host")
    assert shown_slugs() == ["tiny", "elsewhere"]  # no `up` runs here, so nothing is known
    tried = state.ServiceState("tiny", {"tiny": state.WorkerState(state.Step.REFUSED)})
    state.publish(tmp_path, tried)
    assert shown_slugs() == ["tiny", "elsewhere"]
    state.publish(tmp_path, state.ServiceState("renamed", {"renamed": state.WorkerState(state.Step.STARTED)}))
    assert shown_slugs() == ["elsewhere"]
    state.publish(tmp_path, tried)
    assert shown_slugs() == ["elsewhere"]  # it is withdrawn, not hidden


def test_people_see_that_a_model_is_fetched_and_not_that_one_failed(
    cast: Any, redis_client: redis.Redis, model_card: Any
) -> None:
    queue.announce_model(redis_client, SLUG, name="Tiny", context=1024)
    tasks.reconcile()
    assert shown(cast) == {"running": False, "problem": ""}
    announce(redis_client, Progress("hf:acme/tiny", State.FETCHING))
    assert shown(cast) == {"running": False, "problem": "fetching"}
    announce(redis_client, Progress("hf:acme/tiny", State.FAILED, error="full"))
    assert shown(cast) == {"running": False, "problem": ""}


def test_no_wait_ends_while_a_model_is_fetched(redis_client: redis.Redis) -> None:
    assert not served_models.was_seen(SLUG)
    announce(redis_client, Progress("hf:acme/tiny", State.CHECKING))
    assert served_models.was_seen(SLUG)


def shown(cast: Any) -> dict[str, Any]:
    models = cast.client("alice").get("/api/models/").json()["models"]
    found = next(each for each in models if each["slug"] == SLUG)
    return {name: found[name] for name in ("running", "problem")}
