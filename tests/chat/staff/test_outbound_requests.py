"""Requests to other machines, from their end to /metrics and the staff's engine page."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.test import Client as Browser

from chat.staff import outbound
from inference.base.outbound import OUTCOMES, PURPOSES, Client, Listed, Policy, Refused
from inference.wire.outbound_counts import OutboundCounts, read
from tests.chat.cast import Cast
from tests.grokweb.service import eventually
from tests.inference.outbound_servers import HOST, Server, answer, says

pytestmark = pytest.mark.django_db


def scrape() -> str:
    text: str = Browser().get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()
    return text


def line(outcome: str, number: int) -> str:
    return f'grokweb_outbound_requests_total{{outcome="{outcome}",purpose="hub"}} {number}.0'


def fetch(server: Server) -> bytes:
    listed = Listed.parse([f"{HOST}:{server.port}"])
    with Client(Policy("hub", listed=listed)).get(server.url) as found:
        return b"".join(found)


def test_requests_are_in_the_metrics_by_purpose_and_outcome_without_hosts(redis_client: redis.Redis) -> None:
    with Server(says(answer(b"weights"))) as server:
        assert [fetch(server), fetch(server)] == [b"weights"] * 2
        with pytest.raises(Refused):
            Client(Policy("hub")).get(server.url)
    eventually(lambda: line("complete", 2) in scrape() and line("refused", 1) in scrape(), "both counts", 10)
    counted = [each for each in scrape().splitlines() if "outbound" in each and HOST in each]
    assert counted == []


def test_counts_that_redis_did_not_take_are_sent_later(redis_client: redis.Redis) -> None:
    nobody = redis.Redis(port=1)
    counts = OutboundCounts(lambda: nobody)
    counts._counts.update({"hub:complete": 2})
    with pytest.raises(redis.RedisError):
        counts.send(nobody)
    counts.send(redis_client)
    counts.send(redis_client)
    assert read(redis_client) == {("hub", "complete"): 2}


def test_staff_see_the_requests_in_their_language(cast: Cast, redis_client: redis.Redis) -> None:
    def page(**headers: Any) -> str:
        html: str = cast.client("staff").get("/admin/engine/", headers=headers).content.decode()
        return html

    assert "Requests to other machines" not in page()
    counts = OutboundCounts(lambda: redis_client)
    counts._counts.update({"engine:complete": 3, "engine:unreachable": 1})
    counts.send(redis_client)
    assert "<dt>Models on another server</dt><dd>3 answered, 1 not reached</dd>" in page()
    french = page(**{"accept-language": "fr"})
    assert "<dt>Modèles sur un autre serveur</dt><dd>3 avec réponse, 1 sans connexion</dd>" in french


def test_every_purpose_and_outcome_has_words() -> None:
    assert set(outbound.PURPOSES) == set(PURPOSES)
    assert set(outbound.OUTCOMES) == set(OUTCOMES)
