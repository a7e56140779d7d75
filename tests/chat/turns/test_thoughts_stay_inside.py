"""A word of a thought is on its answer's page for its owner, and leaves it only where the owner chose so."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chat.conversations.models import Conversation, Message
from chat.moderation.models import Rule
from chat.sharing import copying
from chat.sharing.models import SharePage
from chat.turns.models import Part
from chat.turns.prompts import prompt_of
from tests.chat.turns.exchange import asked, eventually

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "quetzalcoatlus"


@pytest.fixture
async def answer(tabs: Any, broker: Any) -> Message:
    """An answer whose question names no canary: the thought alone has it."""
    broker.start_worker()
    ack = await asked(await tabs("alice"), "think:2:echo:hm CANARY Four")
    made = await Message.objects.select_related("conversation", "parent").aget(pk=ack["message_id"])
    await Part.objects.filter(generation__message=made).aupdate(text=f"hm {CANARY}")
    return made


async def got(cast: Any, path: str, who: str = "alice") -> bytes:
    def read() -> bytes:
        response = cast.client(who).get(path)
        assert response.status_code == 200, path
        return response.content if not response.streaming else b"".join(response.streaming_content)

    content: bytes = await sync_to_async(read)()
    return content


async def test_the_owners_page_has_the_thought(answer: Message, cast: Any) -> None:
    path = f"/api/conversations/{answer.conversation_id}/messages/"
    assert CANARY in (await got(cast, path)).decode()


@pytest.mark.parametrize("form", ["json", "markdown"])
async def test_an_export_has_no_thought(answer: Message, cast: Any, form: str) -> None:
    path = f"/api/conversations/{answer.conversation_id}/export/?format={form}"
    content = (await got(cast, path)).decode()
    assert "Four" in content
    assert CANARY not in content


async def test_the_printed_page_has_no_thought(answer: Message, cast: Any) -> None:
    assert CANARY not in (await got(cast, f"/c/{answer.conversation_id}/print/")).decode()


async def test_the_archive_of_an_account_has_no_thought(answer: Message, cast: Any) -> None:
    archive = zipfile.ZipFile(io.BytesIO(await got(cast, "/api/export/")))
    assert all(CANARY.encode() not in archive.read(name) for name in archive.namelist())


async def test_a_shared_page_and_its_continuation_have_no_thought(answer: Message, cast: Any) -> None:
    share = await sync_to_async(copying.create_share)(conversation=answer.conversation, owner=cast.alice)
    page = (await got(cast, share.get_absolute_url(), "anonymous")).decode()
    assert "Four" in page
    assert CANARY not in page


async def test_no_search_finds_a_thought(answer: Message, cast: Any) -> None:
    assert json.loads(await got(cast, f"/api/search/?q={CANARY}"))["results"] == []


async def test_no_later_prompt_has_a_thought(answer: Message) -> None:
    @sync_to_async
    def later() -> str:
        question = Message.objects.create(
            conversation=answer.conversation, parent=answer, role="user", text="And?"
        )
        return json.dumps([prompt_of(question), prompt_of(answer.parent, answer.text)])  # type: ignore[arg-type]

    assert CANARY not in await later()


async def test_no_title_has_a_thought(answer: Message) -> None:
    title = await eventually(lambda: Conversation.objects.get(pk=answer.conversation_id).title)
    assert CANARY not in title


# --- Where the owner chose it -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "markdown"])
async def test_an_export_with_thoughts_has_them(answer: Message, cast: Any, form: str) -> None:
    path = f"/api/conversations/{answer.conversation_id}/export/?format={form}&thoughts=1"
    content = (await got(cast, path)).decode()
    assert content.count(CANARY) == 1
    if form == "json":
        written = json.loads(content)["messages"][1]
        assert (written["text"], written["thoughts"][0]["text"]) == (answer.text, f"hm {CANARY}")
    else:
        assert f"> hm {CANARY}\n\n{answer.text}" in content


async def test_a_printed_page_with_thoughts_has_them(answer: Message, cast: Any) -> None:
    page = (await got(cast, f"/c/{answer.conversation_id}/print/?thoughts=1")).decode()
    assert page.count(CANARY) == 1


@pytest.mark.parametrize("path", ["export/?format=json&thoughts=1", "export/?format=markdown&thoughts=1"])
async def test_an_export_with_thoughts_has_none_of_a_hidden_answer(
    answer: Message, cast: Any, path: str
) -> None:
    await Message.objects.filter(pk=answer.pk).aupdate(hidden_at=timezone.now())
    content = (await got(cast, f"/api/conversations/{answer.conversation_id}/{path}")).decode()
    assert CANARY not in content


@sync_to_async
def shared(cast: Any, answer: Message, who: str = "alice") -> Any:
    path = f"/api/conversations/{answer.conversation_id}/share/"
    return cast.client(who).post(path, {"thoughts": True}, content_type="application/json")


@sync_to_async
def changed(cast: Any, answer: Message, token: str, body: Any, who: str = "alice") -> int:
    path = f"/api/conversations/{answer.conversation_id}/share/{token}/"
    response = cast.client(who).patch(path, body, content_type="application/json")
    return int(response.status_code)


async def test_a_link_with_thoughts_shows_them_closed_until_they_are_left_out(
    answer: Message, cast: Any
) -> None:
    share = (await shared(cast, answer)).json()["share"]
    assert share["thoughts"] is True
    path = f"/s/{share['token']}/"
    page = (await got(cast, path, "anonymous")).decode()
    assert '<details class="thoughts"><summary>Thoughts</summary>' in page
    assert page.count(CANARY) == 1
    listed = json.loads(await got(cast, f"/api/conversations/{answer.conversation_id}/"))["shares"]
    assert [each["thoughts"] for each in listed] == [True]

    assert await changed(cast, answer, share["token"], {"thoughts": True}) == 400
    assert await changed(cast, answer, share["token"], {"thoughts": False}, "bob") == 404
    assert CANARY in (await got(cast, path, "anonymous")).decode()
    assert await changed(cast, answer, share["token"], {"thoughts": False}) == 204
    page = (await got(cast, path, "anonymous")).decode()
    assert "Four" in page
    assert CANARY not in page
    assert not await SharePage.objects.filter(messages__icontains=CANARY).aexists()


async def test_a_hidden_answer_takes_its_shared_thoughts_along(answer: Message, cast: Any) -> None:
    share = (await shared(cast, answer)).json()["share"]
    await Message.objects.filter(pk=answer.pk).aupdate(hidden_at=timezone.now())
    assert CANARY not in (await got(cast, f"/s/{share['token']}/", "anonymous")).decode()


async def test_a_rule_for_answers_holds_for_thoughts_that_are_shared(answer: Message, cast: Any) -> None:
    await Rule.objects.acreate(name="canary", options={"pattern": CANARY}, applies="reply")
    assert (await shared(cast, answer)).status_code == 422
    created = await sync_to_async(copying.create_share)(conversation=answer.conversation, owner=cast.alice)
    assert created.with_thoughts is False
