"""A question with an image from a tab to a model server that sees images, and to one that does not."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat.conversations.models import Message
from chat.model_cards.models import ModelCard
from inference.engines.openai import OpenAIEngine
from inference.servers.address import ServedModel
from tests.chat.files.stored_images import BYTES, image
from tests.chat.turns.exchange import eventually, saved, send
from tests.inference.servers.fake_server import MODEL, Call, FakeServer
from tests.inference.servers.seeing import image_in, sees

pytestmark = pytest.mark.django_db(transaction=True)


def names_a_cat(call: Call) -> None:
    call.ok("A ", "cat.") if image_in(call) else call.ok("Nothing.")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(names_a_cat, probe=sees) as started:
        yield started


@pytest.fixture
def engine(server: FakeServer) -> OpenAIEngine:
    return OpenAIEngine(ServedModel((server.base,), MODEL), key="secret", slots=4, context=4096)


async def test_a_question_with_an_image_reaches_a_server_that_sees(
    tabs: Any, broker: Any, cast: Any, server: FakeServer, engine: OpenAIEngine
) -> None:
    broker.start_engine(engine, slots=4)
    await eventually(lambda: engine.capabilities.images)
    await ModelCard.objects.aupdate(capabilities={"images": True})
    cat = await sync_to_async(image)(cast.alice)
    tab = await tabs("alice")
    await tab.say(**send("What is it?", files=[str(cat.pk)]))
    ack = await tab.until("ack")
    assert (await tab.reply())[0] == "A cat."
    assert (await saved(ack)).text == "A cat."
    address = image_in(server.calls[0])  # a title is asked for later
    assert base64.b64decode(address.removeprefix("data:image/png;base64,")) == BYTES


async def test_a_model_that_does_not_see_refuses_it_and_names_those_that_do(
    tabs: Any, broker: Any, cast: Any, server: FakeServer, engine: OpenAIEngine
) -> None:
    broker.start_engine(engine, slots=4)
    await ModelCard.objects.acreate(
        slug="eagle", name="Eagle", context_tokens=4096, capabilities={"images": True}
    )
    cat = await sync_to_async(image)(cast.alice)
    tab = await tabs("alice")
    answer = await sync_to_async(lambda: cast.client("alice").get("/api/models/").json())()
    by_slug = {each["slug"]: each["images"] for each in answer["models"]}
    assert by_slug == {"scripted": False, "eagle": True}  # what the page refuses by, before the upload
    await tab.say(**send("What is it?", files=[str(cat.pk)]))
    words = (await tab.until("error"))["words"]
    assert words == "Scripted cannot see images. These models can: Eagle."
    assert not await Message.objects.aexists()
    assert server.calls == []
