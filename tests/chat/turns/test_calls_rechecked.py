"""Each moment between two steps finds what forbids a reply to go on: when a call begins, when its result is
stored, and when the next step begins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.db.models.functions import Now

from chat.conversations.models import Conversation, Message
from chat.quotas.models import QuotaPolicy, UsageCounter
from chat.turns.models import CallStatus, Generation, ToolCall
from inference.contract import ErrorCode
from tests import tools
from tests.chat.turns.calling import Page, call
from tests.chat.turns.exchange import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("called_tools")]
# The rows alone change, as if the stop that comes with each of these were lost.
Change = Callable[[Message], Awaitable[Any]]


async def suspend(answer: Message) -> None:
    await type(answer.conversation.owner).objects.aupdate(suspended_at=Now())


async def remove(answer: Message) -> None:
    await Conversation.objects.aupdate(deleted_at=Now())


async def hide_question(answer: Message) -> None:
    assert answer.parent_id is not None
    await Message.objects.filter(pk=answer.parent_id).aupdate(hidden_at=Now())


async def hide_answer(answer: Message) -> None:
    await Message.objects.filter(pk=answer.pk).aupdate(hidden_at=Now())


async def use_up(answer: Message) -> None:
    await QuotaPolicy.objects.acreate(user=answer.conversation.owner, tokens_per_day=1)


FORBIDDING = [suspend, remove, hide_question, hide_answer]
CHANGES = [*FORBIDDING, use_up]


async def until(status: CallStatus) -> None:
    await eventually(lambda: ToolCall.objects.filter(status=status).exists())


async def ended(change: Change) -> ToolCall:
    """Waits for the end of the reply, which has no second step, and returns its call."""
    reply = "failed" if change is use_up else "stopped"
    await eventually(lambda: Generation.objects.filter(step=1, status=reply).exists())
    last = await Generation.objects.aget(step=1)
    assert (last.error, last.completion_tokens) == (ErrorCode.QUOTA if change is use_up else "", 0)
    answer = await Message.objects.aget(role="assistant")
    assert (answer.text, answer.status) == ("look", reply)
    counter = await UsageCounter.objects.aget()
    assert counter.reserved == 0
    return await ToolCall.objects.aget()


async def asked(tabs: Any) -> Message:
    ack = await Page(await tabs("alice"), f"echo:look {call('jot')}").ask()
    found: Message = await Message.objects.select_related("conversation__owner").aget(pk=ack["message_id"])
    return found


@pytest.mark.parametrize("change", CHANGES)
async def test_a_call_is_not_begun(tabs: Any, broker: Any, change: Change) -> None:
    broker.may_call.clear()
    broker.start_worker()
    answer = await asked(tabs)
    await until(CallStatus.QUEUED)
    await change(answer)
    broker.may_call.set()
    made = await ended(change)
    assert (made.status, made.error) == ("refused", "quota" if change is use_up else "ended")
    assert made.started_at is None
    assert not tools.notes().exists()


@pytest.mark.parametrize("change", CHANGES)
async def test_a_result_is_stored_without_its_text_unless_only_the_quota_is_used_up(
    tabs: Any, broker: Any, change: Change
) -> None:
    hold = tools.notes().parent / tools.HOLD
    hold.touch()
    broker.start_worker()
    answer = await asked(tabs)
    await until(CallStatus.RUNNING)
    await change(answer)
    hold.unlink()
    made = await ended(change)
    assert (made.status, made.error) == ("done", "")
    assert made.result == ("written down" if change is use_up else "")
    assert tools.notes().read_text() == "hi there\n"


@pytest.mark.parametrize("change", CHANGES)
async def test_the_next_step_is_not_begun(tabs: Any, broker: Any, change: Change) -> None:
    hold = tools.notes().parent / tools.HOLD
    hold.touch()
    broker.start_worker()
    answer = await asked(tabs)
    await until(CallStatus.RUNNING)
    broker.may_call.clear()
    hold.unlink()
    await until(CallStatus.DONE)
    await change(answer)
    broker.may_call.set()
    made = await ended(change)
    assert (made.status, made.result) == ("done", "written down")
