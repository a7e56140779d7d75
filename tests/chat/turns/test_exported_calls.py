"""Calls of tools in exports, imports, shares and the details of an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat.conversations.models import Conversation, Message
from chat.conversations.serializers import message_json
from chat.moderation.models import Rule
from chat.sharing.models import SharePage
from chat.transfer.models import ImportedCall
from chat.turns.models import ToolCall
from tests import tools
from tests.chat.cast import Cast
from tests.chat.transfer.importing import bring, everything, report, whole
from tests.chat.turns.calling import Page, call, ended
from tests.chat.turns.exchange import details

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("called_tools")]
LONG = "long result " * 300


async def asked_with_calls(tabs: Any, broker: Any) -> Message:
    broker.start_worker()
    page = Page(await tabs("alice"), f"echo:look {call(text=LONG)} && {call(fault='fail')}\n{call('jot')}")
    message, _ = await ended(page, await page.ask())
    return message


def exported(cast: Cast, conversation: Any, file_format: str = "json") -> bytes:
    address = f"/api/conversations/{conversation}/export/?format={file_format}"
    return cast.client("alice").get(address).getvalue()


def calls_in(content: bytes) -> list[dict[str, Any]]:
    [found] = [each["calls"] for each in json.loads(content)["messages"] if "calls" in each]
    return list(found)


async def test_an_export_has_the_calls_and_an_import_shows_them_without_running_them(
    tabs: Any, broker: Any, cast: Cast
) -> None:
    message = await asked_with_calls(tabs, broker)
    content = await sync_to_async(exported)(cast, message.conversation_id)
    calls = calls_in(content)
    told = [(each["step"], each["name"], each["status"], each["error"], each["result"]) for each in calls]
    assert told == [
        (0, "echo", "done", "", LONG),
        (0, "echo", "failed", "tool", "the echo is gone"),
        (1, "jot", "done", "", "written down"),
    ]
    assert json.loads(calls[0]["arguments"]) == {"text": LONG}
    packed = await sync_to_async(lambda: whole(everything(cast.client("alice"))))()
    assert calls_in(next(text for name, text in packed.items() if name.startswith("json/"))) == calls
    readable = (await sync_to_async(exported)(cast, message.conversation_id, "markdown")).decode()
    assert readable.count("Tools used: `echo`, `jot`\n\n") == 1
    assert "written down" not in readable.replace(message.text, "")
    printed = await sync_to_async(
        lambda: cast.client("alice").get(f"/c/{message.conversation_id}/print/").content.decode()
    )()
    assert 'Tools used: <bdi dir="ltr">echo</bdi>, <bdi dir="ltr">jot</bdi>' in printed

    before = tools.notes().read_text()
    brought = await sync_to_async(lambda: report(bring(cast.client("alice"), content)))()
    [entry] = brought["imported"]
    assert entry["notes"] == []
    answer = await Message.objects.aget(conversation=entry["id"], role="assistant")
    shown = (await sync_to_async(message_json)(answer))["calls"]
    assert [(each["name"], each["status"], each["cut"]) for each in shown] == [
        ("echo", "done", True),
        ("echo", "failed", False),
        ("jot", "done", False),
    ]
    assert tools.notes().read_text() == before
    assert await ToolCall.objects.acount() == 3
    assert calls_in(await sync_to_async(exported)(cast, entry["id"])) == calls


async def test_details_list_the_calls_and_a_share_has_none(tabs: Any, broker: Any, cast: Cast) -> None:
    message = await asked_with_calls(tabs, broker)
    told = await details(cast, str(message.pk), **{"accept-language": "fr"})
    assert [each["name"] for each in told["tools"]] == ["echo", "echo", "jot"]
    assert told["tools"][0]["ended"] != "done"
    given = json.dumps({"policy": "anyone", "options": {}})
    address = f"/api/conversations/{message.conversation_id}/share/"
    made = await sync_to_async(
        lambda: cast.client("alice").post(address, given, content_type="application/json")
    )()
    assert made.status_code == 201
    stored = [page async for page in SharePage.objects.values_list("messages", flat=True)]
    assert "the echo is gone" not in json.dumps(stored).replace(json.dumps(message.text)[1:-1], "")
    assert '"calls"' not in json.dumps(stored)


OPEN = [("waiting", "refused", "ended"), ("queued", "refused", "ended"), ("running", "unknown", "lost")]


def conversation_with(*calls: Any) -> bytes:
    messages = [
        {"id": "1", "parent": None, "role": "user", "text": "Hi", "status": "complete"},
        {"id": "2", "parent": "1", "role": "assistant", "text": "Yes", "status": "complete", "calls": calls},
    ]
    return json.dumps({"format": "grokweb.conversation", "version": 1, "messages": messages}).encode()


def entry(**more: Any) -> dict[str, Any]:
    whole = {"step": 0, "name": "jot", "arguments": "{}", "status": "done", "error": "", "result": "x"}
    return {**whole, **more}


@pytest.mark.parametrize(("status", "becomes", "error"), OPEN)
def test_a_call_that_was_open_is_imported_as_one_that_has_ended(
    cast: Cast, status: str, becomes: str, error: str
) -> None:
    report(bring(cast.client("alice"), conversation_with(entry(status=status, result=""))))
    made = ImportedCall.objects.get()
    assert (made.status, made.error) == (becomes, error)


@pytest.mark.parametrize(
    "odd",
    [
        "no call",
        entry(step=-1),
        entry(step=True),
        entry(status="gone"),
        entry(error="<script>"),
        entry(name="a\nb"),
        entry(name="n" * 65),
        entry(result="r" * 65_537),
        entry(arguments="a" * 16_385),
    ],
    ids=["text", "step", "boolean", "status", "error", "name", "long name", "result", "arguments"],
)
def test_an_odd_call_is_left_out_and_counted(cast: Cast, odd: Any) -> None:
    brought = report(bring(cast.client("alice"), conversation_with(entry(), odd)))
    assert brought["imported"][0]["notes"] == ["1 step of a tool was left out."]
    assert ImportedCall.objects.count() == 1


def test_a_result_that_a_rule_forbids_is_not_imported(cast: Cast) -> None:
    Rule.objects.create(name="fish", options={"pattern": "fish"}, applies="both", words="No fish.")
    brought = report(bring(cast.client("alice"), conversation_with(entry(result="a fish"))))
    assert [each["reason"] for each in brought["left_out"]] == ["No fish."]
    assert not Conversation.objects.visible_to(cast.alice).exists()
