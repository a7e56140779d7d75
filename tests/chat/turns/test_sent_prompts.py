"""The owner of an answer sees the prompt that was really sent, as far as it may be shown."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chat.conversations.models import Conversation, Message
from chat.personas.models import CustomInstructions, Persona
from chat.turns.models import Generation
from tests.chat.conversations.building import talk
from tests.chat.turns.calling import Page, call, ended
from tests.chat.turns.exchange import asked, cut, saved

pytestmark = [pytest.mark.django_db(transaction=True)]


@sync_to_async
def sent(cast: Any, message_id: Any, who: str = "alice") -> Any:
    answer = cast.client(who).get(f"/api/messages/{message_id}/prompt/")
    return answer.json()["prompt"] if answer.status_code == 200 else answer.status_code


def texts(prompt: Any) -> list[tuple[str, str]]:
    return [(each["role"], each["text"] if each["shown"] else "not shown") for each in prompt["messages"]]


async def two_turns(tab: Any) -> dict[str, Any]:
    """Asks two questions; returns the ack of the second."""
    first = await asked(tab, "one")
    return await asked(tab, "two", conversation=first["conversation"]["id"], parent=first["message_id"])


async def test_the_prompt_is_shown_word_for_word(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    await CustomInstructions.objects.acreate(user=cast.alice, style="Be brief.")
    ack = await two_turns(await tabs("alice"))
    told = await sent(cast, ack["message_id"])
    assert (told["exact"], told["left_out"]) == (True, 0)
    system, *talk = texts(told)
    assert (system[0], system[1].endswith("Be brief.")) == ("system", True)
    assert talk == [("user", "one"), ("assistant", "one"), ("user", "two")]


async def test_an_edit_on_another_branch_changes_nothing(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    ack = await two_turns(tab)
    await asked(tab, "another", conversation=ack["conversation"]["id"], parent=None)
    assert texts(await sent(cast, ack["message_id"]))[0] == ("user", "one")


async def test_words_of_the_sites_persona_are_not_shown(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    await CustomInstructions.objects.acreate(user=cast.alice, style="Be brief.")
    site = await Persona.objects.acreate(owner=None, name="Tutor", prompt="The secret of the staff.")
    ack = await asked(await tabs("alice"), "one", params={"persona": str(site.pk)})
    told = await sent(cast, ack["message_id"])
    first, second, *rest = texts(told)
    assert (first, told["exact"]) == (("system", "not shown"), True)
    assert "Be brief." in second[1]
    assert "secret" not in str(told)
    assert rest == [("user", "one")]


@pytest.mark.parametrize(
    "prompt", ["The secret", "Y", "", None], ids=["shorter", "other", "empty", "deleted"]
)
async def test_words_of_the_sites_persona_stay_hidden_after_staff_change_it(
    tabs: Any, broker: Any, cast: Any, prompt: str | None
) -> None:
    broker.start_worker()
    await CustomInstructions.objects.acreate(user=cast.alice, style="Be brief.")
    site = await Persona.objects.acreate(owner=None, name="Tutor", prompt="The secret of the staff.")
    ack = await asked(await tabs("alice"), "one", params={"persona": str(site.pk)})
    before = await sent(cast, ack["message_id"])
    if prompt is None:
        await site.adelete()
    else:
        await Persona.objects.filter(pk=site.pk).aupdate(prompt=prompt)
    assert await sent(cast, ack["message_id"]) == before
    assert "of the staff" not in str(before)


async def test_an_own_persona_of_the_same_name_does_not_show_the_sites_words(
    tabs: Any, broker: Any, cast: Any
) -> None:
    broker.start_worker()
    site = await Persona.objects.acreate(owner=None, name="Tutor", prompt="You know the secret.")
    tab = await tabs("alice")
    ack = await asked(tab, "one", params={"persona": str(site.pk)})
    await Persona.objects.acreate(owner=cast.alice, name="Tutor", prompt="Y")
    hidden = [("system", "not shown"), ("user", "one")]
    assert texts(await sent(cast, ack["message_id"])) == hidden
    await Message.objects.filter(pk=ack["message_id"]).aupdate(status="stopped")
    await tab.say(type="continue", message_id=ack["message_id"], client_id="on")
    copy = await tab.until("ack")
    await tab.until("done")
    await saved(copy)
    assert texts(await sent(cast, copy["message_id"]))[:2] == hidden


async def test_a_row_that_does_not_say_whose_persona_it_had_shows_no_system_text(
    tabs: Any, broker: Any, cast: Any
) -> None:
    broker.start_worker()
    await CustomInstructions.objects.acreate(user=cast.alice, style="Be brief.")
    own = await Persona.objects.acreate(owner=cast.alice, name="Tutor", prompt="Ask back.")
    tab = await tabs("alice")
    with_persona = await asked(tab, "one", params={"persona": str(own.pk)})
    without = await asked(tab, "one")
    for ack in (with_persona, without):
        step = await Generation.objects.aget(pk=UUID(ack["generation_id"]))
        step.parameters = msgspec.structs.replace(step.parameters, site_characters=None)
        await step.asave(update_fields=["parameters"])
    assert texts(await sent(cast, with_persona["message_id"])) == [("system", "not shown"), ("user", "one")]
    system, question = texts(await sent(cast, without["message_id"]))
    assert (system[1].endswith("Be brief."), question) == (True, ("user", "one"))


async def test_words_of_ones_own_persona_are_shown(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    own = await Persona.objects.acreate(owner=cast.alice, name="Tutor", prompt="Ask back.")
    ack = await asked(await tabs("alice"), "one", params={"persona": str(own.pk)})
    assert texts(await sent(cast, ack["message_id"])) == [("system", "Ask back."), ("user", "one")]


async def test_a_question_hidden_since_is_not_shown_and_the_page_learns_it(
    tabs: Any, broker: Any, cast: Any
) -> None:
    broker.start_worker()
    ack = await two_turns(await tabs("alice"))
    await Message.objects.filter(text="one", role="user").aupdate(hidden_at=timezone.now())
    told = await sent(cast, ack["message_id"])
    assert told["exact"] is False
    assert texts(told) == [("user", "…"), ("assistant", "one"), ("user", "two")]


async def test_a_continued_answer_begins_with_its_text(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    ack, answer = await cut(tab)
    await tab.say(type="continue", message_id=ack["message_id"], client_id="c2")
    again = await tab.until("ack")
    await tab.until("done")
    await saved(again)
    told = await sent(cast, again["message_id"])
    assert (told["exact"], texts(told)[-1]) == (True, ("assistant", answer.text))


@pytest.mark.usefixtures("called_tools")
async def test_thoughts_of_earlier_steps_are_shown_if_they_were_sent(
    tabs: Any, broker: Any, cast: Any
) -> None:
    broker.start_worker()
    page = Page(await tabs("alice"), f"think:1:echo:hm look {call()}")
    message, _calls = await ended(page, await page.ask())
    told = await sent(cast, message.pk)
    _question, looked, result = told["messages"]
    assert (told["exact"], looked["thought"], result.get("thought")) == (True, "hm ", None)
    assert looked["text"].startswith("look\n\necho(")
    step = await Generation.objects.aget(message=message, step=1)
    step.prompt = msgspec.structs.replace(step.prompt, thoughts=0)  # as of a server that reads no thoughts
    await step.asave(update_fields=["prompt"])
    told = await sent(cast, message.pk)
    assert (told["exact"], any("thought" in each for each in told["messages"])) == (True, False)


@pytest.mark.usefixtures("called_tools")
async def test_a_prompt_is_not_exact_if_the_worker_did_not_report_whether_thoughts_were_sent(
    tabs: Any, broker: Any, cast: Any
) -> None:
    broker.start_worker()
    page = Page(await tabs("alice"), f"think:1:echo:hm look {call()}")
    message, _calls = await ended(page, await page.ask())
    step = await Generation.objects.aget(message=message, step=1)
    fields = msgspec.to_builtins(step.prompt)
    assert fields.pop("thoughts") == 1
    step.prompt = msgspec.convert(fields, type(step.prompt))  # as of an older worker
    await step.asave(update_fields=["prompt"])
    told = await sent(cast, message.pk)
    assert (told["exact"], any("thought" in each for each in told["messages"])) == (False, False)


@pytest.mark.usefixtures("called_tools")
async def test_a_hidden_answer_shows_nothing_of_its_steps(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    page = Page(await tabs("alice"), f"think:1:echo:hm look {call()}")
    message, _calls = await ended(page, await page.ask())
    await Message.objects.filter(pk=message.pk).aupdate(hidden_at=timezone.now())
    told = await sent(cast, message.pk)
    assert (told["exact"], texts(told)) == (False, [("user", page.reply.content)])


@pytest.mark.parametrize(("who", "status"), [("bob", 404), ("staff", 404), ("anonymous", 401)])
async def test_nobody_else_sees_it(tabs: Any, broker: Any, cast: Any, who: str, status: int) -> None:
    broker.start_worker()
    ack = await asked(await tabs("alice"), "one")
    assert await sent(cast, ack["message_id"], who) == status
    question = await Message.objects.values_list("parent_id", flat=True).aget(pk=ack["message_id"])
    assert await sent(cast, question) == 400


async def test_prompts_of_imports_and_of_older_versions_are_unknown(
    tabs: Any, broker: Any, cast: Any
) -> None:
    conversation: Conversation = await sync_to_async(talk)(cast.alice, "asked", "answered")
    assert await sent(cast, (await conversation.messages.aget(role="assistant")).pk) is None
    broker.start_worker()
    ack = await asked(await tabs("alice"), "one")
    step = await Generation.objects.aget(pk=UUID(ack["generation_id"]))
    step.prompt = type(step.prompt)()
    await step.asave(update_fields=["prompt"])
    assert await sent(cast, ack["message_id"]) is None
