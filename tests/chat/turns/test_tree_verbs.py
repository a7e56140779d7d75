"""Editing, regenerating, continuing and deleting, as the tabs of a person get them on their sockets."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat.conversations.models import Message
from chat.moderation.models import Rule
from chat.turns.models import Generation
from tests.chat.turns.exchange import asked, cut, saved, send

pytestmark = [pytest.mark.django_db(transaction=True)]


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


async def test_an_answer_is_regenerated_with_other_options(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    first = await asked(tab, "hello")
    params = {"temperature": 1.2, "top_p": 0.5, "model": "scripted"}
    await tab.say(type="regenerate", message_id=first["message_id"], client_id="again", params=params)
    again = await tab.until("ack")
    await tab.reply()
    generation = await Generation.objects.aget(pk=again["generation_id"])
    assert (generation.parameters.temperature, generation.parameters.top_p) == (1.2, 0.5)
    assert again["messages"][0]["siblings"] == [first["message_id"], again["message_id"]]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"temperature": 3}, "bad_input"),
        ({"temperature": True}, "bad_input"),
        ({"temperature": "hot"}, "bad_input"),
        ({"temperature": float("nan")}, "bad_frame"),  # not JSON
        ({"top_p": 0}, "bad_input"),
        ({"model": "no-such-model"}, "bad_input"),
        ({"model": 7}, "bad_input"),
        ({"seeds": 1}, "bad_input"),
        (["temperature"], "bad_input"),
    ],
)
async def test_options_out_of_bounds_are_refused_and_store_nothing(
    tabs: Any, broker: Any, params: Any, code: str
) -> None:
    tab = await tabs("alice")
    await tab.say(**send("hello", params=params))
    assert (await tab.until_error())["code"] == code
    assert await Message.objects.acount() == 0


async def test_a_cut_answer_continues_where_it_ended(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    first, begun = await cut(tab)
    await tab.say(type="continue", message_id=first["message_id"], client_id="on")
    ack = await tab.until("ack")
    assert ack["messages"][0]["text"] == begun.text
    text, done = await tab.reply()
    whole = " ".join(f"w{i}" for i in range(1, len(begun.text.split()) + 21))
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


async def test_a_continued_answer_survives_the_death_of_a_worker(tabs: Any, broker: Any) -> None:
    """The row alone gives the same request again: question, words that were there, wishes."""
    tab = await tabs("alice")
    broker.start_worker()
    first, begun = await cut(tab)
    await tab.say(type="continue", message_id=first["message_id"], client_id="on")
    ack = await tab.until("ack")

    def request() -> Any:
        from chat.turns.requests import request_for

        row = Generation.objects.select_related("message__parent", "user").get(pk=ack["generation_id"])
        return request_for(row)

    messages = (await sync_to_async(request)()).messages
    assert [message["role"] for message in messages] == ["user", "assistant"]
    assert messages[-1]["content"] == begun.text
    await tab.reply()


async def test_a_question_sent_the_moment_an_answer_ends_need_not_wait(
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


async def test_other_tabs_get_the_deletion_of_a_branch(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    ack = await asked(tab, "hello")
    client = await sync_to_async(cast.client)("alice")
    answer = await sync_to_async(client.delete)(f"/api/messages/{ack['message_id']}/")
    assert answer.status_code == 204
    frame = await tab.until("removed")
    assert frame["message_id"] == ack["message_id"]
    assert frame["conversation"] == ack["conversation"]["id"]


async def test_the_continuation_of_an_imported_answer_keeps_its_origin(tabs: Any, broker: Any) -> None:
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


async def test_an_imported_answer_that_is_forbidden_by_now_is_not_continued(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    ack, answer = await cut(tab)
    await Message.objects.filter(pk=answer.pk).aupdate(source="ChatGPT", text="forbidden ")
    await Rule.objects.acreate(
        name="b", options={"pattern": "forbidden"}, applies="reply", words="Not here, please."
    )
    await tab.say(type="continue", message_id=ack["message_id"], client_id="more")
    error = await tab.until_error()
    assert (error["code"], error["words"]) == ("refused", "Not here, please.")
    assert await Generation.objects.acount() == 1
