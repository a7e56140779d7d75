"""The event × state table of docs/live-path.md, walked at random.

Real Redis with the real scripts, the real writer of the model worker, the real rows and services. Only time,
the engine and Celery's delivery are moved by hand: kills, sleeps, lost and doubled messages, data loss.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
import redis
from django.db import connection
from django.db.models.functions import Now
from django.test import override_settings
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chat.accounts.models import User
from chat.conversations.models import Conversation, Message
from chat.core.errors import QueueFull
from chat.model_cards.models import ModelCard
from chat.quotas.models import UsageCounter, UsageEntry
from chat.tools.base import Call, Tool
from chat.tools.registry import TOOLS
from chat.turns import (
    between_steps,
    call_decisions,
    call_frames,
    call_reconcile,
    call_results,
    call_tickets,
    carrying_out,
    reconcile,
    submission,
)
from chat.turns.call_tickets import CALL_TASK, NEXT_STEP_TASK
from chat.turns.models import LIVE, OPEN_CALLS, CallStatus, Generation, Status, ToolCall
from chat.turns.question import Question
from chat.turns.settlement import finish
from chat.turns.starting import send
from chat.turns.stopping import request_stop
from inference.contract import FINISH_TASK, RETURNED_TASK, Kind, Reason, Resume
from tests.chat.turns import simulation
from tests.chat.turns.simulation import Broker, Died, Worker

PEOPLE = ("alice", "bob")
DRAIN_ROUNDS = 200


class Jot(Tool):
    needs_approval = False

    def run(self, call: Call) -> str:
        raise AssertionError("the walk itself decides what becomes of a call")


class Echo(Jot):
    read_only = True


class Note(Jot):
    needs_approval = True


MACHINE_TOOLS = ("echo", "jot", "note")
DONE = call_results.Outcome(CallStatus.DONE, result="2")


class LivePath(RuleBasedStateMachine):
    resume = Resume.EXACT

    def __init__(self) -> None:
        super().__init__()
        self.redis = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
        self.raw = redis.Redis.from_url(os.environ["REDIS_URL"])
        self.redis.flushdb()
        Conversation.objects.all().delete()
        UsageEntry.objects.all().delete()
        UsageCounter.objects.all().delete()
        ModelCard.objects.filter(slug="scripted").update(capabilities={"resume": self.resume, "tools": True})
        self.people = [User.objects.get(email=f"{name}@example.org") for name in PEOPLE]
        self.broker = Broker()
        self.workers: list[Worker] = []
        self.dead: set[str] = set()
        self.silent: set[str] = set()  # a lease of theirs ran out
        self.kept: dict[bytes, tuple[bytes, int]] = {}
        self.redis_down = False
        self.asked = 0
        self.ends: dict[UUID, tuple[str, str]] = {}
        self.tool_runs: list[ToolCall] = []  # claimed, by a process that still works on them
        self.lost_runs: set[UUID] = set()  # whose process was killed or slept beyond the lease
        self.effects: Counter[UUID] = Counter()  # how often a tool that changes something began
        self.patches = [
            mock.patch.object(submission, "ticket"),  # delivered by the rule `ticket`, as often as it likes
            mock.patch.object(
                submission,
                "publish_finish",
                lambda pk, attempt: self.broker.publish(FINISH_TASK, [str(pk), attempt]),
            ),
            mock.patch.object(submission, "submit", self._submit(submission.submit)),
            mock.patch.object(call_tickets, "send", self._publish_calls),
            mock.patch.object(
                call_tickets, "send_next_step", lambda pk: self.broker.publish(NEXT_STEP_TASK, [str(pk)])
            ),
            mock.patch.object(call_frames, "publish"),
            mock.patch.object(call_reconcile, "TICKET_SECONDS", -60),
            mock.patch.object(TOOLS, "_loaded", {}),
            mock.patch.dict(TOOLS.table, {name: f"{__name__}.{name.title()}" for name in MACHINE_TOOLS}),
            override_settings(TOOLS=list(MACHINE_TOOLS)),
            override_settings(RECONCILE_AGE_SECONDS=-60, REDIS_REST_SECONDS=0.001, DAILY_TOKENS=10**9),
        ]
        for patch in self.patches:
            patch.__enter__()  # type: ignore[attr-defined]

    def _submit(self, real: Any) -> Any:
        def submit(*args: Any, **kwargs: Any) -> Any:
            if self.redis_down:
                raise redis.ConnectionError("down")
            return real(*args, **kwargs)

        return submit

    @initialize()
    def a_busy_service(self) -> None:
        """Faults need something to hit: two workers in the middle of three replies."""
        self.workers += [self._new_worker(), self._new_worker()]
        for who in (0, 1, 0):
            self.ask(who, "9")
        self.go_on(steps=2, renew=True, save=True)

    def _new_worker(self) -> Worker:
        return Worker(self.broker, self.resume)

    # --- people -------------------------------------------------------------------------------------------

    @rule(
        who=st.sampled_from([0, 1]),
        what=st.sampled_from(["0", "1", "5", "9", "12", "poison", "0 echo", "3 echo", "2 jot", "1 note"]),
    )
    def ask(self, who: int, what: str) -> None:
        self.asked += 1
        with contextlib.suppress(QueueFull):  # the bound on one person's live replies
            send(
                user=self.people[who],
                conversation_id=None,
                parent_id=None,
                question=Question(what),
                client_id=f"c{self.asked}",
            )

    @rule(pick=st.integers(0, 20))
    def stop(self, pick: int) -> None:
        live = list(Generation.objects.live().order_by("created_at", "pk"))
        if live:
            request_stop(live[pick % len(live)])

    @rule(pick=st.integers(0, 20), allow=st.booleans())
    def decide(self, pick: int, allow: bool) -> None:
        waiting = list(ToolCall.objects.filter(status=CallStatus.WAITING).select_related("step__user"))
        if not waiting:
            return
        call = waiting[pick % len(waiting)]
        call_decisions.decide(user=call.step.user, call_id=call.pk, allow=allow)

    # --- the undisturbed way ------------------------------------------------------------------------------

    @rule(steps=st.integers(1, 3), renew=st.booleans(), save=st.booleans())
    def go_on(self, steps: int, renew: bool, save: bool) -> None:
        """Tickets reach every worker, engines make tokens, writers write."""
        if save:
            self.kept = simulation.snapshot(self.raw)  # what a restart of Redis would come back with
        for worker in self._awake():
            while worker.claim():
                pass
            self._work(worker, steps, renew)

    @rule(pick=st.integers(0, 3), steps=st.integers(0, 2))
    def one_worker_goes_on(self, pick: int, steps: int) -> None:
        """Without a claim before: also engines that are ahead of their log."""
        awake = self._awake()
        if awake:
            self._work(awake[pick % len(awake)], steps, renew=False)

    @rule(pick=st.integers(0, 20), fate=st.sampled_from(["deliver", "deliver", "repeat", "lose"]))
    def message(self, pick: int, fate: str) -> None:
        if not self.broker.messages:
            return
        place = pick % len(self.broker.messages)
        task, args = self.broker.messages[place]
        if fate != "repeat":
            del self.broker.messages[place]
        if fate != "lose":
            self._deliver(task, args)

    @rule()
    def reconcile(self) -> None:
        reconcile.sweep()
        try:
            call_reconcile.reconcile_calls()
            reconcile.reconcile()
        except redis.ConnectionError:
            assert self.redis_down

    def _deliver(self, task: str, args: list[Any]) -> None:
        if task == FINISH_TASK:
            finish(UUID(args[0]), args[1])
        elif task == RETURNED_TASK:
            reconcile.worker_returned(args[0], [UUID(pk) for pk in args[1]])
        elif task == NEXT_STEP_TASK:
            with contextlib.suppress(redis.ConnectionError):
                between_steps.advance(UUID(args[0]))
        elif task == CALL_TASK:
            self._begin_call(UUID(args[0]))

    def _publish_calls(self, calls: Sequence[UUID]) -> None:
        for pk in calls:
            self.broker.publish(CALL_TASK, [str(pk)])

    def _begin_call(self, pk: UUID) -> None:
        call = carrying_out._claim(pk)
        if call is not None:
            self.tool_runs.append(call)
            self.effects[pk] += call.name != "echo"

    @rule(pick=st.integers(0, 20), fate=st.sampled_from(["end", "end", "end twice", "killed", "asleep"]))
    def tool(self, pick: int, fate: str) -> None:
        """A tool returns, its process dies, or it sleeps until its lease has run out."""
        if not self.tool_runs:
            return
        call = self.tool_runs[pick % len(self.tool_runs)]
        if fate.startswith("end"):
            self.tool_runs.remove(call)
            for _ in range(2 if fate == "end twice" else 1):
                call_results.store_result(call.pk, call.attempt, DONE)
            return
        if fate == "killed":
            self.tool_runs.remove(call)
        self.lost_runs.add(call.pk)

    @rule()
    def leases_of_calls_run_out(self) -> None:
        expired = {"lease_until": Now() - timedelta(seconds=1)}
        ToolCall.objects.filter(pk__in=self.lost_runs, status=CallStatus.RUNNING).update(**expired)

    def _work(self, worker: Worker, steps: int, renew: bool) -> None:
        try:
            for _ in range(steps):
                worker.step()
        except Died:
            self._kill(worker)
            return
        worker.tick(renew=renew)

    # --- faults -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.workers)
    @rule(pick=st.integers(0, 3), fault=st.sampled_from(["kill", "sleep", "hand over", "engine ahead"]))
    def worker_fault(self, pick: int, fault: str) -> None:
        worker = self.workers[pick % len(self.workers)]
        if fault == "kill":
            self._kill(worker)
        elif fault == "sleep":
            worker.awake = not worker.awake
        elif worker.awake and fault == "hand over":
            worker.hand_over()
        elif worker.awake:
            self._step_without_writing(worker)

    def _step_without_writing(self, worker: Worker) -> None:
        try:
            worker.step()
        except Died:
            self._kill(worker)

    def _kill(self, worker: Worker) -> None:
        self.workers.remove(worker)
        self.dead.add(worker.name)

    @precondition(lambda self: len(self.workers) < 3)
    @rule()
    def start_worker(self) -> None:
        self.workers.append(self._new_worker())

    @rule()
    def leases_run_out(self) -> None:
        self.silent |= simulation.expire_leases(self.redis, self._awake())

    def _awake(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.awake]

    @rule(fault=st.sampled_from(["older data", "older data", "no data", "refuses", "accepts"]))
    def redis_fault(self, fault: str) -> None:
        if fault == "older data":
            simulation.restore(self.raw, self.kept)
        elif fault == "no data":
            self.redis.flushdb()
        else:
            self.redis_down = fault == "refuses"

    # --- what must always hold ----------------------------------------------------------------------------

    @invariant()
    def settled_rows_never_change(self) -> None:
        """Terminal once: what a row and its message said when it ended, they say for ever."""
        for row in Generation.objects.exclude(status__in=LIVE).select_related("message"):
            end = row.message.text[: self._end_of(row)]
            now = (row.status, end)
            assert self.ends.setdefault(row.pk, now) == now

    def _end_of(self, row: Generation) -> int | None:
        """Returns where the text of a step ends in that of its reply; None: at its end."""
        after = Generation.objects.filter(message=row.message_id, step=row.step + 1).first()
        return after.parameters.prefix_characters if after is not None else None

    @invariant()
    def a_live_reply_has_one_live_step(self) -> None:
        live = Generation.objects.live().values_list("message", flat=True)
        assert sorted(live) == sorted(Message.objects.filter(status="live").values_list("pk", flat=True))

    @invariant()
    def nothing_is_changed_twice(self) -> None:
        assert not [pk for pk, times in self.effects.items() if times > 1]

    def teardown(self) -> None:
        try:
            self._drain()
            self._check()
        finally:
            for patch in reversed(self.patches):
                patch.__exit__(None, None, None)  # type: ignore[attr-defined]
            self.redis.close()
            self.raw.close()

    def _drain(self) -> None:
        """The faults are over: rule 12 says that everything ends by itself now."""
        self.redis_down = False
        if not self.workers:
            self.workers.append(self._new_worker())
        for worker in self.workers:
            worker.awake = True
        for _ in range(DRAIN_ROUNDS):
            open_calls = ToolCall.objects.filter(status__in=OPEN_CALLS)
            live = Generation.objects.live()
            if not (live.exists() or open_calls.exists() or simulation.leftovers(self.redis)):
                return
            self.leases_run_out()
            self.leases_of_calls_run_out()
            while self.tool_runs:
                self.tool(0, "end")
            for call in open_calls.filter(status=CallStatus.WAITING).select_related("step__user"):
                call_decisions.decide(user=call.step.user, call_id=call.pk, allow=True)
            self.reconcile()
            for worker in list(self.workers):
                worker.beat()
                while worker.claim():
                    pass
                self._work(worker, steps=2, renew=True)
            if not self.workers:
                self.workers.append(self._new_worker())
            messages, self.broker.messages = self.broker.messages, []
            for message in messages:
                self._deliver(*message)
        stranded = list(Generation.objects.live().values_list("pk", "status", "attempt", "strikes"))
        held = [worker.describe() for worker in self.workers]
        raise AssertionError(f"stranded: {stranded}\n{simulation.leftovers(self.redis)}\n{held}")

    def _check(self) -> None:
        self.settled_rows_never_change()
        for row in Generation.objects.select_related("message__parent"):
            self._check_reply(row)
        for counter in UsageCounter.objects.all():
            entries = UsageEntry.objects.filter(user=counter.user_id, day=counter.day)
            assert counter.reserved == 0
            assert counter.used == sum(e.prompt_tokens + e.completion_tokens for e in entries)
        assert not UsageEntry.objects.filter(settled_at=None).exists()
        # A reply that ended between two steps has reserved nothing for the next one.
        assert UsageEntry.objects.count() == Generation.objects.filter(reserved__gt=0).count()
        for call in ToolCall.objects.all():
            self._check_call(call)
        assert not Message.objects.filter(status="live").exists()

    def _check_reply(self, row: Generation) -> None:
        assert row.message.parent is not None
        asked = row.message.parent.text
        called = list(row.calls.all())
        made = row.completion_tokens - row.parts.filter(kind=Kind.CALL).count()
        text = row.message.text[row.parameters.prefix_characters : self._end_of(row)]
        assert text == simulation.expected_text(row.seed, made, run=row.run), (
            "text differs from the undisturbed run"
        )
        assert row.run == 0 or self.resume is not Resume.EXACT
        thought = "".join(part.text for part in row.parts.all() if part.kind == Kind.THOUGHT)
        assert thought == simulation.expected_text(row.seed, made, Kind.THOUGHT, row.run)
        if called:
            assert (row.status, row.reason) == (Status.COMPLETE, Reason.CALLS)
            assert Generation.objects.filter(message=row.message_id, step=row.step + 1).exists()
            assert made == int(asked.partition(" ")[0])
            return
        assert row.message.status == row.status
        if row.status == Status.COMPLETE:
            assert made == (2 if row.step else int(asked))
        elif row.status == Status.STOPPED:
            assert row.stop_requested_at is not None
        else:
            # Two unexplained deaths; random kills may be them, for a good prompt too. A worker that sleeps
            # beyond its leases is as good as dead until it wakes.
            assert (row.status, row.error) == (Status.FAILED, "poison")
            assert row.strikes == 2
            assert len(self.dead | self.silent) >= 2
            charged = UsageEntry.objects.get(pk=row.pk)
            assert (charged.prompt_tokens, charged.completion_tokens) == (0, 0)
        if asked == "poison":
            assert row.status in (Status.FAILED, Status.STOPPED)

    def _check_call(self, call: ToolCall) -> None:
        if call.status == CallStatus.UNKNOWN:
            assert call.name != "echo"
            assert call.pk in self.lost_runs
        elif call.status == CallStatus.FAILED:
            assert (call.name, call.error, call.attempt) == ("echo", "lost", 2)
        elif call.status == CallStatus.REFUSED:
            assert call.error in ("denied", "ended")
            assert not self.effects[call.pk]
        else:
            assert (call.status, call.error) == (CallStatus.DONE, "")


class ResumeByPrefix(LivePath):
    resume = Resume.PREFIX


class RestartOnly(LivePath):
    resume = Resume.RESTART


@pytest.fixture
def _two_people(transactional_db: None, cast: Any) -> None:
    """Alice and bob exist."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_two_people")
@pytest.mark.parametrize(("machine", "walks"), [(LivePath, 60), (ResumeByPrefix, 20), (RestartOnly, 20)])
def test_no_walk_through_the_faults_loses_or_repeats_anything(machine: type[LivePath], walks: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=int(
                os.environ.get("WALKS", walks // 4 if connection.vendor == "postgresql" else walks)
            ),
            stateful_step_count=40,
            # Shrinking takes minutes with a database; SHRINK=1 when hunting.
            phases=[phase for phase in Phase if phase is not Phase.shrink or "SHRINK" in os.environ],
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize="WALKS" not in os.environ,
        ),
    )
