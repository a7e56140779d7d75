"""Reconcile pauses after Redis started or lost its data under live replies, and at no other time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import override_settings
from redis import ResponseError

from chat.model_cards.models import ModelCard
from chat.turns import submission
from chat.turns.models import Generation
from chat.turns.question import Question
from chat.turns.starting import send
from chat.turns.tasks import reconcile
from inference.wire import scripts
from inference.wire.queue import Claim, claim
from tests.chat.turns import simulation
from tests.chat.turns.simulation import Broker, Worker

pytestmark = [pytest.mark.django_db(transaction=True)]

LONG, SHORT = 120.0, 0.2  # seconds of rest: longer and shorter than Redis has run in these tests


@pytest.fixture
def service(cast: Any, redis_client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(submission, "ticket", lambda *_: None)
    monkeypatch.setattr(submission, "publish_finish", lambda *_: None)
    with override_settings(RECONCILE_AGE_SECONDS=-60):
        yield Service(cast.alice, redis_client)


class Service:
    """One worker, moved by hand, and passes of reconcile as beat asks for them."""

    def __init__(self, user: Any, redis_client: Any) -> None:
        self.user, self.redis = user, redis_client
        self.worker = Worker(Broker())
        self.asked = 0

    def ask(self) -> Generation:
        """A reply in the hands of the worker, with some tokens in its log."""
        self.asked += 1
        turn = send(
            user=self.user,
            conversation_id=None,
            parent_id=None,
            question=Question("9"),
            client_id=f"c{self.asked}",
        )
        while self.worker.claim():
            pass
        self.worker.step()
        self.worker.tick(renew=True)
        return turn.generation

    def worker_dies(self) -> None:
        """Its leases have run out, too."""
        simulation.expire_leases(self.redis, [])
        self.worker = Worker(Broker())

    def reconcile(self, rest: float) -> None:
        with override_settings(REDIS_REST_SECONDS=rest):
            reconcile()

    def is_struck(self, row: Generation) -> bool:
        row.refresh_from_db()
        return (row.attempt, row.strikes) == (2, 1)

    def wait_for_uptime(self, seconds: int) -> None:
        eventually(
            lambda: self.redis.info("server")["uptime_in_seconds"] >= seconds, "Redis has run long enough"
        )


def eventually(check: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


def test_an_idle_pass_meets_redis_so_that_the_first_death_is_counted_at_once(service: Service) -> None:
    service.reconcile(LONG)
    row = service.ask()
    service.worker_dies()
    service.reconcile(LONG)
    assert service.is_struck(row)


def test_reconcile_pauses_for_replies_that_were_live_when_redis_started(service: Service) -> None:
    seconds = LONG + service.redis.info("server")["uptime_in_seconds"]  # other tests may have used it before
    row = service.ask()
    service.worker_dies()
    service.reconcile(seconds)
    assert not service.is_struck(row)
    rest = service.redis.pttl(scripts.key("rest")) / 1000
    assert 0 < rest <= LONG + 1, "it began with Redis' start"


def test_a_restart_of_redis_causes_one_pause(service: Service) -> None:
    """Another process answers, with the data of the one before it."""
    service.reconcile(SHORT)
    row = service.ask()
    service.worker_dies()
    service.redis.set(scripts.key("marker"), "the run before")
    service.reconcile(SHORT)
    assert not service.is_struck(row)
    eventually(lambda: not service.redis.exists(scripts.key("rest")), "the rest is over")
    service.reconcile(SHORT)
    assert service.is_struck(row)


def test_data_lost_under_a_live_reply_causes_a_pause(service: Service) -> None:
    service.wait_for_uptime(1)
    service.reconcile(SHORT)
    row = service.ask()
    service.redis.flushdb()
    service.reconcile(SHORT)
    row.refresh_from_db()
    assert row.attempt == 1
    service.worker.tick(renew=True)  # it enters again what it holds
    eventually(lambda: not service.redis.exists(scripts.key("rest")), "the rest is over")
    service.reconcile(SHORT)
    row.refresh_from_db()
    assert (row.attempt, row.strikes) == (1, 0)


def test_data_lost_without_live_replies_causes_no_pause(service: Service) -> None:
    service.reconcile(LONG)
    service.redis.flushdb()
    service.reconcile(LONG)
    row = service.ask()
    service.worker_dies()
    service.reconcile(LONG)
    assert service.is_struck(row)


def test_a_redis_met_for_the_first_time_with_every_reply_causes_no_pause(service: Service) -> None:
    """An operator's own Redis runs for days before GrokWeb first connects to it."""
    service.wait_for_uptime(1)
    row = service.ask()
    service.worker_dies()
    service.reconcile(SHORT)
    assert service.is_struck(row)


def refuse_a_write(client: Any) -> None:
    """Makes Redis count a refused write; tests/grokweb/test_redis_persistence.py fills a real disk."""
    with pytest.raises(ResponseError, match="MISCONF"):
        client.eval("return redis.error_reply('MISCONF as on a full disk')", 0)


@pytest.fixture
def refusals(redis_client: Any) -> Iterator[None]:
    """Redis counts from 0, and the other tests find none."""
    redis_client.config_resetstat()
    yield
    redis_client.config_resetstat()


def test_writes_refused_under_live_replies_cause_a_pause(service: Service, refusals: None) -> None:
    service.reconcile(SHORT)
    row = service.ask()
    refuse_a_write(service.redis)
    service.worker_dies()
    service.reconcile(SHORT)
    assert not service.is_struck(row)
    eventually(lambda: not service.redis.exists(scripts.key("rest")), "the rest is over")
    service.reconcile(SHORT)
    assert service.is_struck(row)


@pytest.mark.parametrize("lost", [False, True])
def test_writes_refused_without_live_replies_cause_no_pause(
    service: Service, refusals: None, lost: bool
) -> None:
    """Also where its data went afterwards, and with them how many refusals were known."""
    service.wait_for_uptime(1)
    service.reconcile(LONG)
    refuse_a_write(service.redis)
    service.reconcile(LONG)
    if lost:
        service.redis.flushdb()
        service.reconcile(LONG)
        service.reconcile(LONG)
    row = service.ask()
    service.worker_dies()
    service.reconcile(LONG)
    assert service.is_struck(row)


def test_a_restarted_redis_that_refused_as_often_as_the_one_before_causes_a_pause(
    service: Service, refusals: None
) -> None:
    """The state of the earlier server is not used for the new one."""
    service.reconcile(SHORT)
    service.redis.set(scripts.key("refused"), "1")
    service.redis.set(scripts.key("marker"), "the run before")
    service.reconcile(SHORT)
    row = service.ask()
    refuse_a_write(service.redis)
    service.worker_dies()
    service.reconcile(LONG)
    assert not service.is_struck(row)


def test_a_wait_ends_only_if_no_worker_was_seen_for_the_whole_time(service: Service) -> None:
    """A reply that waited long in the queue is not failed by a restart of its worker."""
    service.worker.beat()
    service.reconcile(SHORT)
    row = send(
        user=service.user, conversation_id=None, parent_id=None, question=Question("9"), client_id="waits"
    ).generation
    Generation.objects.filter(pk=row.pk).update(created_at=Now() - timedelta(hours=1))
    service.redis.delete(scripts.key("worker", service.worker.name))  # its heartbeat has run out
    service.reconcile(SHORT)
    row.refresh_from_db()
    assert row.status == "queued"
    service.redis.delete(scripts.key("seen", "scripted"))  # as after GROKWEB_QUEUE_TIMEOUT
    service.reconcile(SHORT)
    row.refresh_from_db()
    assert (row.status, row.error) == ("failed", "no_worker")


def announce(service: Service, contract: int) -> None:
    """The worker's heartbeat, as one of that version of the contract sends it."""
    service.worker.beat()
    service.redis.hset(scripts.key("worker", service.worker.name), "contract", contract)


def ask_with_limit(service: Service) -> Generation:
    ModelCard.objects.update(context_limit=400)
    turn = send(
        user=service.user, conversation_id=None, parent_id=None, question=Question("9"), client_id="limited"
    )
    return turn.generation


def test_workers_of_an_older_version_get_a_request_without_the_limit_that_they_do_not_know(
    service: Service,
) -> None:
    announce(service, 4)
    row = ask_with_limit(service)
    claimed = claim(service.redis, "scripted", service.worker.name, suspects=False)
    assert isinstance(claimed, Claim)
    assert claimed.request is not None
    assert (claimed.generation_id, claimed.request.context_limit) == (str(row.pk), 0)


@pytest.mark.parametrize("older", [True, False], ids=["beside an older one", "alone"])
def test_a_worker_that_knows_the_limit_gets_it(service: Service, older: bool) -> None:
    if older:
        announce(service, 4)
        service.worker = Worker(Broker())
    announce(service, 5)
    ask_with_limit(service)
    claimed = claim(service.redis, "scripted", service.worker.name, suspects=False)
    assert isinstance(claimed, Claim)
    assert claimed.request is not None
    assert claimed.request.context_limit == 400


def test_a_wait_for_a_version_that_no_worker_had_for_the_whole_time_ends(service: Service) -> None:
    announce(service, 5)
    service.reconcile(SHORT)
    row = ask_with_limit(service)
    Generation.objects.filter(pk=row.pk).update(created_at=Now() - timedelta(hours=1))
    announce(service, 4)
    service.reconcile(SHORT)
    row.refresh_from_db()
    assert row.status == "queued"  # a newer worker was here lately
    service.redis.delete(scripts.key("seen", "scripted", "5"))  # as after GROKWEB_QUEUE_TIMEOUT
    service.reconcile(SHORT)
    row.refresh_from_db()
    assert (row.status, row.error) == ("failed", "no_worker")
