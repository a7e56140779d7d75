"""Images in messages: which model gets them, how many, and what becomes of them afterwards."""

from __future__ import annotations

import base64
import errno
import os
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from chat.accounts.models import User
from chat.conversations.lifecycle import delete_conversation
from chat.conversations.models import Conversation, Message
from chat.conversations.purge import purge_deleted
from chat.core.errors import BadInput
from chat.files import file_storage, prompt_images
from chat.files.models import File
from chat.model_cards.models import ModelCard
from chat.turns import between_steps, next_step, submission
from chat.turns.models import Generation
from chat.turns.question import Question
from chat.turns.reply_options import ReplyOptions
from chat.turns.requests import request_for
from chat.turns.sent_prompt import sent_prompt
from chat.turns.starting import regenerate, send
from inference.contract import GenerationRequest
from tests.chat.cast import Cast
from tests.chat.files.stored_images import image

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_is_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "submit", lambda request: None)


@pytest.fixture(autouse=True)
def _the_model_sees(cast: Cast) -> None:
    ModelCard.objects.update(capabilities={"images": True})


@pytest.fixture
def blind(cast: Cast) -> ModelCard:
    return ModelCard.objects.create(slug="blind", name="Blind", context_tokens=8192)


def ask(user: User, *files: File, text: str = "What is it?", **where: Any) -> Message:
    turn = send(
        user=user,
        conversation_id=where.get("conversation"),
        parent_id=where.get("parent"),
        question=Question(text, [file.pk for file in files]),
        client_id=uuid4().hex,
        options=where.get("options", ReplyOptions()),
    )
    return turn.messages[0]


def settle(asked: Message) -> Message:
    answer = asked.children.get()
    Generation.objects.filter(message=answer).update(status="complete")
    Message.objects.filter(pk=answer.pk).update(status="complete", text="A cat.")
    return answer


def request_of(asked: Message) -> GenerationRequest:
    return request_for(asked.children.get().steps.get())


def test_a_question_carries_its_image_to_workers_that_know_images(cast: Cast) -> None:
    cat = image(cast.alice)
    request = request_of(ask(cast.alice, cat))
    assert request.messages[0]["content"] == "Image: cat.png\n\nWhat is it?"
    assert request.messages[0]["images"] == [{"id": str(cat.pk), "width": 64, "height": 48}]
    [carried] = request.images
    assert base64.b64decode(carried["data"]) == file_storage.original(cat)
    assert request.required_version == 5
    assert GenerationRequest.from_json(request.to_json()) == request


def test_a_request_that_redis_lost_is_built_again_with_its_images(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[GenerationRequest] = []
    monkeypatch.setattr(submission, "submit", sent.append)
    with django_capture_on_commit_callbacks(execute=True):
        asked = ask(cast.alice, image(cast.alice))
    ModelCard.objects.update(capabilities={})  # its worker was replaced meanwhile
    assert request_of(asked) == sent[0]


def test_an_image_counts_in_the_reservation(cast: Cast) -> None:
    with_image = ask(cast.alice, image(cast.alice)).children.get().steps.get().reserved
    without = ask(cast.bob, text="Image: cat.png\n\nWhat is it?").children.get().steps.get().reserved
    assert with_image - without == 6


def test_the_newest_images_go_to_the_model(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_images, "MOST_IMAGES", 2)
    first = ask(cast.alice, image(cast.alice, "1.png"), image(cast.alice, "2.png"))
    last = image(cast.alice, "3.png")
    parent = settle(first).pk
    asked = ask(cast.alice, last, conversation=first.conversation_id, parent=parent)
    request = request_of(asked)
    kept = [each["id"] for message in request.messages for each in message.get("images", [])]
    second = File.objects.get(name="2.png")
    assert kept == [str(second.pk), str(last.pk)]
    shown = sent_prompt(asked.children.get())
    assert shown is not None
    assert (shown["exact"], shown["images"], shown["images_left_out"]) == (True, 2, 1)


def test_a_model_without_images_refuses_a_new_one_and_names_those_that_see(
    cast: Cast, blind: ModelCard
) -> None:
    ModelCard.objects.exclude(pk=blind.pk).update(name="Eagle")
    with pytest.raises(BadInput, match="Blind cannot see images. These models can: Eagle."):
        ask(cast.alice, image(cast.alice), options=ReplyOptions(model="blind"))
    assert not Conversation.objects.exists()


def test_a_model_without_images_answers_again_without_them(cast: Cast, blind: ModelCard) -> None:
    asked = ask(cast.alice, image(cast.alice))
    answer = settle(asked)
    turn = regenerate(
        user=cast.alice, message_id=answer.pk, client_id=uuid4().hex, options=ReplyOptions(model="blind")
    )
    request = request_for(turn.generation)
    assert request.images == ()
    assert request.messages[0] == {"role": "user", "content": "Image: cat.png\n\nWhat is it?"}
    assert request.required_version < 5
    assert turn.generation.prompt.images_left_out == 1


def test_a_lost_image_does_not_stop_the_reply(cast: Cast) -> None:
    cat = image(cast.alice)
    asked = ask(cast.alice, cat)
    file_storage.storage().delete(cat.stored)
    assert request_of(asked).images == ()


@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_a_store_that_cannot_be_read_does_not_stop_the_reply(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: int
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(type(file_storage.storage()), "open", fail)
    cat = image(cast.alice)
    request = request_of(ask(cast.alice, cat))
    assert request.images == ()
    assert request.messages[0]["content"] == "Image: cat.png\n\nWhat is it?"
    assert f"the bytes of image {cat.pk}" in caplog.text


def test_images_are_read_after_the_commit(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    read: list[File] = []

    def original(file: File) -> bytes:
        read.append(file)
        return b"bytes"

    monkeypatch.setattr(prompt_images, "original", original)
    cat = image(cast.alice)
    with django_capture_on_commit_callbacks() as callbacks:
        ask(cast.alice, cat)
    assert read == []
    for callback in callbacks:
        callback()
    assert read == [cat]


def test_an_image_counts_in_the_reservation_of_a_later_step(cast: Cast) -> None:
    def reserved(asked: Message) -> int:
        first = asked.children.get().steps.get()
        Generation.objects.filter(pk=first.pk).update(status="complete", reason="calls")
        second = next_step.step_id(first.pk, 1)
        copied = {name: getattr(first, name) for name in ("message", "user", "model", "seed", "parameters")}
        Generation.objects.create(id=second, step=1, status="calling", prompt=first.prompt, **copied)
        between_steps.advance(second)
        step = Generation.objects.get(pk=second)
        assert step.status == "queued"
        return step.reserved

    with_image = reserved(ask(cast.alice, image(cast.alice)))
    without = reserved(ask(cast.bob, text="Image: cat.png\n\nWhat is it?"))
    assert with_image - without == 6


def test_an_image_goes_with_its_conversation(cast: Cast, django_capture_on_commit_callbacks: Any) -> None:
    cat = image(cast.alice)
    asked = ask(cast.alice, cat)
    settle(asked)
    with django_capture_on_commit_callbacks(execute=True):
        delete_conversation(conversation=Conversation.objects.get())
    assert cast.client("alice").get(f"/api/files/{cat.pk}/image/").status_code == 404
    Conversation.objects.update(deleted_at=timezone.now() - timedelta(hours=1))
    with django_capture_on_commit_callbacks(execute=True):
        purge_deleted()
    assert not file_storage.storage().exists(cat.stored)
