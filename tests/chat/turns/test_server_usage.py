"""Tokens that a model's server counts, or that are estimated because it does not."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat.quotas.models import UsageEntry
from chat.turns.models import Generation
from inference.wire import metrics
from tests.chat.turns.exchange import asked, details, saved, send

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def tab(tabs: Any, broker: Any) -> Any:
    broker.start_worker()
    return await tabs("alice")


async def usage(cast: Any) -> dict[str, int]:
    answer = await sync_to_async(cast.client("alice").get)("/api/usage/")
    return dict(answer.json())


async def test_a_reply_is_charged_by_the_servers_count(tab: Any, cast: Any) -> None:
    await tab.say(**send("usage:40:90:think:1:echo:So three words"))
    ack = await tab.until("ack")
    done = await tab.until("done")
    assert done["usage"] == {"prompt_tokens": 40, "completion_tokens": 90}
    assert done["seq"] == 3
    await saved(ack)
    row = await Generation.objects.aget(pk=ack["generation_id"])
    assert (row.completion_tokens, row.logged_tokens, row.is_usage_estimated) == (90, 3, False)
    entry = await UsageEntry.objects.aget(pk=ack["generation_id"])
    assert (entry.prompt_tokens, entry.completion_tokens, entry.is_estimated) == (40, 90, False)
    assert (await usage(cast))["used"] == 130
    told = await details(cast, ack["message_id"])
    assert (told["completion_tokens"], told["tokens_estimated"]) == (90, False)


async def test_a_page_that_resumes_gets_the_numbers_of_the_log(tab: Any) -> None:
    await tab.say(**send("usage:40:90:think:1:echo:So three words"))
    ack = await tab.until("ack")
    done = await tab.until("done")
    await saved(ack)
    await tab.say(type="resume", message_id=ack["message_id"], after=0)
    message = (await tab.until("message"))["message"]
    assert message["generation"]["seq"] == 3
    assert (message["text"], [part["text"] for part in message["parts"]]) == ("three words", ["So "])
    assert await tab.until("done") == done


async def test_an_estimate_is_marked_wherever_it_is_counted(tab: Any, cast: Any, redis_client: Any) -> None:
    ack = await asked(tab, "usage:?:echo:four words of answer")
    row = await Generation.objects.aget(pk=ack["generation_id"])
    assert (row.completion_tokens, row.logged_tokens, row.is_usage_estimated) == (4, None, True)
    assert (await UsageEntry.objects.aget(pk=ack["generation_id"])).is_estimated
    counted = await usage(cast)
    assert counted["estimated"] == counted["used"] == row.prompt_tokens + 4
    assert (await details(cast, ack["message_id"]))["tokens_estimated"]
    assert metrics.replies(redis_client, "scripted").estimated_tokens == counted["used"]
    page = await sync_to_async(cast.client("alice").get)("/settings/")
    assert f"Of these, {counted['estimated']} are an estimate" in page.content.decode()
