"""Defines the Celery tasks of the live path, on queue `chat`: each takes well under a second (rule 14).
Calls of tools are on queue `tools`."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from chat.turns import between_steps, call_reconcile, carrying_out, model_titles, settlement
from chat.turns import reconcile as reconciling
from chat.turns.call_tickets import CALL_TASK, NEXT_STEP_TASK
from inference.contract import FINISH_TASK, RETURNED_TASK, TITLE_TASK


@shared_task(name=FINISH_TASK)
def finish_generation(generation_id: str, attempt: int) -> None:
    settlement.finish(UUID(generation_id), attempt)


@shared_task(name=RETURNED_TASK)
def worker_returned(worker: str, generation_ids: list[str]) -> None:
    reconciling.worker_returned(worker, [UUID(pk) for pk in generation_ids])


@shared_task(name=TITLE_TASK)
def title_made(generation_id: str) -> None:
    model_titles.store_title(UUID(generation_id))


@shared_task(name=NEXT_STEP_TASK)
def begin_step(step_id: str) -> None:
    between_steps.advance(UUID(step_id))


@shared_task(name=CALL_TASK)
def run_call(call_id: str) -> None:
    """Runs in queue `tools`, a process of its own."""
    carrying_out.carry_out(UUID(call_id))


@shared_task(name="chat.reconcile")
def reconcile() -> None:
    call_reconcile.reconcile_calls()
    reconciling.sync_models()
    reconciling.note_workers()
    reconciling.sweep()
    reconciling.reconcile()
