"""Edit, ask again otherwise, go on, delete: what the tabs of a person see on their sockets."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat.conversations.models import Message
from chat.moderation.models import Rule
from chat.turns.models import Generation
from tests.chat.turns.test_socket import eventually, send

pytestmark = [pytest.mark.django_db(transaction=True)]


async def saved(ack: dict[str, Any], status: str = "complete") -> Message:
    found: Message = await eventually(
        lambda: Message.objects.filter(pk=ack["message_id"], status=status).first()
    )
    return found


async def asked(tab: Any, text: str, **more: Any) -> dict[str, Any]:
    """A question with its answer, whole and saved."""
    await tab.say(**send(text, **more))
    ack = await tab.until("ack")
    await tab.reply()
    await saved(ack)
    return ack


async def cut(tab: Any) -> tuple[dict[str, Any], Message]:
    """An answer that was stopped in the middle."""
    await tab.say(**send("slow:30:20"))
    ack = await tab.until("ack")
    await tab.until("token")
    await tab.say(type="stop", message_id=ack["message_id"])
    await tab.until("done")
    return ack, await saved(ack, "stopped")


async def test_an_edited_question_stands_beside_the_first(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    first = await asked(tab, "hello")
    edit = await asked(
        tab, "good day", conversation=first["conversation"]["id"], parent=None, client_id="edit"
    )
    question = edit["messages"][0]
    assert question["siblings"] == [first["messages"][0]["id"], question["id"]]
    assert (await saved(edit)).text == "good day"


async def test_an_answer_is_asked_for_again_with_other_wishes(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    first = await asked(tab, "hello")
    params = {"temperature": 1.2, "top_p": 0.5, "model": "scripted"}
    await tab.say(type="regenerate", message_id=first["message_id"], client_id="again", params=params)
    again = await tab.until("ack")
    await tab.reply()
    generation = await Generation.objects.aget(pk=again["generation_id"])
    assert (generation.parameters["temperature"], generation.parameters["top_p"]) == (1.2, 0.5)
    assert again["messages"][0]["siblings"] == [first["message_id"], again["message_id"]]


@pytest.mark.parametrize(
    "params",
    [
        {"temperature": 3},
        {"temperature": True},
        {"temperature": "hot"},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"model": "no-such-model"},
        {"model": 7},
        {"seeds": 1},
        ["temperature"],
    ],
)
async def test_wishes_that_make_no_sense_store_nothing(tabs: Any, broker: Any, params: Any) -> None:
    tab = await tabs("alice")
    await tab.say(**send("hello", params=params))
    assert (await tab.until_error())["code"] in {"bad_input", "bad_frame"}
    assert await Message.objects.acount() == 0


async def test_a_cut_answer_goes_on_where_it_ended(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    first, begun = await cut(tab)
    await tab.say(type="continue", message_id=first["message_id"], client_id="on")
    ack = await tab.until("ack")
    assert ack["messages"][0]["text"] == begun.text
    text, done = await tab.reply()
    whole = " ".join(f"w{i}" for i in range(1, 31))
    assert begun.text + text == whole
    assert done["length"] == len(text)
    assert (await saved(ack)).text == whole
    assert (await Message.objects.aget(pk=begun.pk)).text == begun.text


async def test_a_continued_answer_is_resumed_live_and_from_its_row(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab, other = await tabs("alice"), await tabs("alice")
    first, begun = await cut(tab)
    await tab.say(type="continue", message_id=first["message_id"], client_id="on")
    ack = await tab.until("ack")
    await other.say(type="resume", message_id=ack["message_id"], after=0)
    assert (await other.reply())[0] == (await tab.reply())[0]
    message = await saved(ack)
    await other.say(type="resume", message_id=ack["message_id"], after=0)
    told = await other.until("message")
    done = await other.until("done")
    assert told["message"]["text"] == message.text
    assert done["length"] == len(message.text) - len(begun.text)


async def test_what_was_begun_survives_the_death_of_a_worker(tabs: Any, broker: Any) -> None:
    """The row alone gives the same request again: question, words that were there, wishes."""
    tab = await tabs("alice")
    broker.start_worker()
    first, begun = await cut(tab)
    await tab.say(type="continue", message_id=first["message_id"], client_id="on")
    ack = await tab.until("ack")

    def request() -> Any:
        from chat.turns.services import request_for

        row = Generation.objects.select_related("message__parent", "user").get(pk=ack["generation_id"])
        return request_for(row)

    messages = (await sync_to_async(request)()).messages
    assert [message["role"] for message in messages] == ["user", "assistant"]
    assert messages[-1]["content"] == begun.text
    await tab.reply()


async def test_who_asks_the_moment_an_answer_ends_need_not_wait(
    tabs: Any, broker: Any, monkeypatch: Any
) -> None:
    """The chat worker has not come to settle it: the page has heard of the end all the same."""
    monkeypatch.setattr(broker, "_finish", lambda pk, attempt: None)
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("hello"))
    ack = await tab.until("ack")
    await tab.reply()
    await tab.say(**send("next", ack["conversation"]["id"], ack["message_id"]))
    await tab.until("ack")
    assert (await Message.objects.aget(pk=ack["message_id"])).text == "hello"


async def test_other_tabs_hear_that_a_branch_is_gone(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    ack = await asked(tab, "hello")
    client = await sync_to_async(cast.client)("alice")
    answer = await sync_to_async(client.delete)(f"/api/messages/{ack['message_id']}/")
    assert answer.status_code == 204
    frame = await tab.until("removed")
    assert frame["message_id"] == ack["message_id"]
    assert frame["conversation"] == ack["conversation"]["id"]


async def test_what_goes_on_from_an_imported_answer_keeps_its_mark(tabs: Any, broker: Any) -> None:
    """Else a forged answer would become the model's own with one more word."""
    broker.start_worker()
    tab = await tabs("alice")
    ack, answer = await cut(tab)
    await Message.objects.filter(pk=answer.pk).aupdate(source="ChatGPT", source_model="gpt-4o", text="Pay ")
    await Generation.objects.filter(message=answer.pk).adelete()
    for client_id in ("more", "yet more"):
        await tab.say(type="continue", message_id=ack["message_id"], client_id=client_id)
        ack = await tab.until("ack")
        assert ack["messages"][-1]["origin"] == {"source": "ChatGPT", "model": "gpt-4o", "continued": True}
        await tab.until("done")
        assert (await saved(ack)).source == "ChatGPT"


async def test_what_is_forbidden_by_now_is_not_gone_on_from(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    ack, answer = await cut(tab)
    await Message.objects.filter(pk=answer.pk).aupdate(source="ChatGPT", text="forbidden ")
    await Rule.objects.acreate(name="b", pattern="forbidden", applies="reply", words="Not here, please.")
    await tab.say(type="continue", message_id=ack["message_id"], client_id="more")
    error = await tab.until_error()
    assert (error["code"], error["words"]) == ("refused", "Not here, please.")
    assert await Generation.objects.acount() == 1
