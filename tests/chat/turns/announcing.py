"""Announces models as workers do, and reads what people and staff see of that."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import redis
from django.utils import timezone

from chat.model_cards.models import ModelCard
from chat.turns import tasks
from inference.wire import queue

ADMIN = "/admin/model_cards/modelcard"


def announce(client: redis.Redis, slug: str, *, runs: bool = True, is_demo: int = 0, host: str = "") -> None:
    """Announces a model as a worker elsewhere does, and runs reconcile."""
    queue.announce_model(client, slug, host=host, name=slug.title(), context=1024, is_demo=is_demo, about="")
    if runs:
        queue.beat(client, slug, f"{slug}@gpu", slots=1, busy=0, back_end="", fingerprint="", metrics={})
    tasks.reconcile()


def goes(client: redis.Redis, slug: str) -> None:
    queue.leave(client, slug, f"{slug}@gpu")
    tasks.reconcile()


def seen(slug: str, minutes: float) -> None:
    ModelCard.objects.filter(slug=slug).update(last_seen_at=timezone.now() - timedelta(minutes=minutes))


def new_chat(cast: Any, who: str = "alice") -> str:
    answer = cast.client(who).post("/api/conversations/", {}, content_type="application/json")
    assert answer.status_code == 201, answer.content
    return str(answer.json()["conversation"]["model"])


def rule(cast: Any) -> tuple[str, str]:
    """Returns the model and the rule that chose it, as the engine page shows them."""
    page = cast.client("staff").get("/admin/engine/").content.decode()
    line = page.partition('data-new-chats="')[2]
    return line.partition('"')[0], line.partition('data-rule="')[2].partition('"')[0]


def change(cast: Any, which: str, **fields: str) -> Any:
    return cast.client("staff").post(
        f"{ADMIN}/{which}/change/", {"successor": "", "price": "1", **fields}, follow=True
    )


def models(cast: Any, who: str = "alice") -> list[str]:
    return [each["slug"] for each in cast.client(who).get("/api/models/").json()["models"]]
