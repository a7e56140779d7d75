"""A worker fetches its model, or withdraws an earlier failure, before it makes its engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import redis

from inference import settings
from inference.hub import fetching as hub_fetching
from inference.hub.planning import Memory
from inference.hub.progress import Progress, State
from inference.wire.fetching import announce_fetch, fetches
from inference.worker import celery_app, fetching


@pytest.mark.parametrize(("configured", "dtype"), [("auto", ""), ("int8", "int8")])
def test_memory_is_asked_for_the_configured_numbers(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch, configured: str, dtype: str
) -> None:
    asked: list[Memory] = []

    def fetched(_name: str, *, memory: Memory, **_: Any) -> None:
        asked.append(memory)

    monkeypatch.setattr(settings, "MODEL", "hf:acme/tiny")
    monkeypatch.setattr(settings, "DTYPE", configured)
    monkeypatch.setattr(hub_fetching, "fetch", fetched)
    fetching.fetch_configured_model()
    assert [memory.dtype for memory in asked] == [dtype]


def announce(client: redis.Redis, slug: str, state: State) -> None:
    progress = Progress("hf:acme/tiny", state, error="no such model" if state is State.FAILED else "")
    announce_fetch(client, slug, progress.to_fields(), seconds=60)


def test_a_failed_fetch_is_withdrawn_when_its_model_is_here(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MODEL", "hf:acme/tiny")
    monkeypatch.setattr(fetching, "fetched_folder", lambda _name: Path("models/acme--tiny"))
    announce(redis_client, "tiny", State.FAILED)
    announce(redis_client, "other", State.FAILED)
    fetching.fetch_configured_model()
    assert set(fetches(redis_client)) == {"other"}


def test_a_failed_fetch_is_withdrawn_when_its_model_comes_from_elsewhere(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MODEL", "scripted")
    monkeypatch.setenv("GROKWEB_TEST_ENGINES", "1")
    announce(redis_client, "scripted", State.FAILED)
    celery_app.make_engine()
    assert fetches(redis_client) == {}


def test_a_fetch_of_another_worker_stays_announced(redis_client: redis.Redis) -> None:
    announce(redis_client, "tiny", State.FETCHING)
    fetching.withdraw_failed_fetch("tiny")
    assert set(fetches(redis_client)) == {"tiny"}
