"""Models that nobody runs leave the menus; the configured one and the staff's default stay."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest
import redis

from chat.turns import tasks
from inference.base.model_list import state
from inference.wire import queue, scripts
from tests.chat.conversations.building import talk
from tests.chat.turns.announcing import announce, change, goes, models, seen

pytestmark = [pytest.mark.django_db(transaction=True)]


def test_a_model_that_nobody_runs_leaves_the_menus_with_its_announcement(
    cast: Any, site: Any, redis_client: redis.Redis
) -> None:
    announce(redis_client, "grok-1")
    announce(redis_client, "tiny")
    assert 86_400 < redis_client.ttl(scripts.key("model", "tiny")) <= queue.ANNOUNCED_SECONDS
    goes(redis_client, "tiny")
    begun = talk(cast.alice, "Soup?", "Yes.")
    begun.model_id = "tiny"
    begun.save()
    seen("tiny", 47 * 60)
    redis_client.delete(scripts.key("model", "tiny"))  # as when it expires
    tasks.reconcile()
    assert models(cast) == ["grok-1", "scripted", "tiny"]
    seen("tiny", 49 * 60)
    tasks.reconcile()
    assert models(cast) == models(cast, "staff") == ["grok-1", "scripted"]
    assert redis_client.smembers(scripts.key("models")) == {"grok-1"}
    detail = cast.client("alice").get(f"/api/conversations/{begun.pk}/").json()
    assert (detail["model"]["slug"], detail["model"]["retired"]) == ("tiny", False)
    announce(redis_client, "tiny")
    assert models(cast) == ["grok-1", "scripted", "tiny"]


def test_the_configured_model_and_the_staffs_default_are_never_withdrawn(
    cast: Any, site: Any, redis_client: redis.Redis, tmp_path: Path
) -> None:
    announce(redis_client, "grok-1")
    announce(redis_client, "tiny")
    change(cast, "tiny", is_default="on")
    site.RUN_DIR = tmp_path
    started = state.WorkerState(state.Step.STARTED)
    state.publish(tmp_path, state.ServiceState("scripted", {"scripted": started, "grok-1": started}))
    for slug in ("tiny", "grok-1", "scripted"):
        goes(redis_client, slug)
        seen(slug, 100 * 60)
        redis_client.delete(scripts.key("model", slug))
    tasks.reconcile()
    assert models(cast) == ["tiny", "grok-1", "scripted"]


def test_a_model_that_was_removed_here_leaves_the_menus_when_its_worker_has_gone(
    cast: Any, site: Any, redis_client: redis.Redis, tmp_path: Path
) -> None:
    announce(redis_client, "scripted")
    announce(redis_client, "elsewhere", host="another-host")
    announce(redis_client, "tiny", host=platform.node())
    site.RUN_DIR = tmp_path
    started = state.WorkerState(state.Step.STARTED)
    state.publish(tmp_path, state.ServiceState("scripted", {"scripted": started}))  # `models remove tiny`
    tasks.reconcile()
    assert models(cast) == ["scripted", "elsewhere", "tiny"]
    goes(redis_client, "elsewhere")
    goes(redis_client, "tiny")
    assert models(cast) == ["scripted", "elsewhere"]
    assert 'data-model="tiny"' not in cast.client("staff").get("/admin/engine/").content.decode()
    announce(redis_client, "tiny", host=platform.node())  # `models add` again
    assert models(cast) == ["scripted", "elsewhere", "tiny"]


def test_announcements_of_older_workers_end_too(redis_client: redis.Redis) -> None:
    key = scripts.key("model", "grok-0")
    redis_client.hset(key, mapping={"name": "Grok-0"})
    redis_client.sadd(scripts.key("models"), "grok-0")
    assert "grok-0" in queue.announced_models(redis_client)
    assert 0 < redis_client.ttl(key) <= queue.ANNOUNCED_SECONDS
