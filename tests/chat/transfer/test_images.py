"""Images in the print view, in exports, and in imports with and without their bytes."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from chat.conversations.models import Conversation
from chat.files import attaching, read_jobs
from chat.files.models import File
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk
from tests.chat.files import making_images as making
from tests.chat.files.stored_images import BYTES, image
from tests.chat.transfer import files as made_files
from tests.chat.transfer.importing import bring, everything, report, whole

pytestmark = pytest.mark.django_db
NOT_THERE = (
    "1 image was not in the file, or was changed: only its name was imported. "
    "“Export everything” makes a zip with the images."
)


@pytest.fixture
def conversation(cast: Cast) -> Conversation:
    found = talk(cast.alice, "What is it?", "A cat.", title="Cats")
    attaching.attach(found.messages.get(role="user"), [image(cast.alice)])
    return found


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """Files that a worker was asked to read."""
    found: list[UUID] = []
    monkeypatch.setattr(read_jobs, "ask_to_read", found.append)
    return found


def hide(conversation: Conversation) -> None:
    conversation.messages.filter(role="user").update(hidden_at=timezone.now())


def listed(cast: Cast, who: str, pk: str) -> Any:
    messages = cast.client(who).get(f"/api/conversations/{pk}/messages/").json()["messages"]
    [file] = messages[0]["files"]
    return file


def test_the_print_view_shows_images_until_their_message_is_hidden(
    cast: Cast, conversation: Conversation
) -> None:
    address = f"{conversation.get_absolute_url()}print/"
    shown = f'<img src="/api/files/{File.objects.get().pk}/image/" alt="cat.png" width="64" height="48"'
    page = cast.client("alice").get(address).content.decode()
    assert shown in page
    assert "Files:" not in page
    hide(conversation)
    hidden = cast.client("alice").get(address).content.decode()
    assert "/image/" not in hidden
    assert "cat.png" not in hidden


def test_an_export_of_everything_brings_images_back(
    cast: Cast, conversation: Conversation, reading: list[UUID], django_capture_on_commit_callbacks: Any
) -> None:
    packed = everything(cast.client("alice"))
    assert BYTES in whole(packed).values()
    with django_capture_on_commit_callbacks(execute=True):
        result = report(bring(cast.client("bob"), packed, "all.zip"))
    assert (result["left_out"], result["imported"][0]["notes"]) == ([], [])
    pk = result["imported"][0]["id"]
    assert listed(cast, "bob", pk)["state"] == "reading"  # encoded anew before anybody sees it
    read_jobs.read(reading.pop())
    file = listed(cast, "bob", pk)
    assert (file["name"], file["kind"], file["image"]) == ("cat.png", "image", [64, 48])
    answer = cast.client("bob").get(f"/api/files/{file['id']}/image/")
    assert making.read(answer.content).size == (64, 48)


def test_an_export_has_no_images_of_hidden_messages(cast: Cast, conversation: Conversation) -> None:
    hide(conversation)
    packed = whole(everything(cast.client("alice")))
    assert BYTES not in packed.values()
    assert not any(b"cat.png" in content for content in packed.values())


def test_an_import_without_bytes_says_that_the_image_is_not_there(
    cast: Cast, conversation: Conversation
) -> None:
    written = cast.client("alice").get(f"/api/conversations/{conversation.pk}/export/?format=json").getvalue()
    result = report(bring(cast.client("bob"), written))
    assert result["imported"][0]["notes"] == [NOT_THERE]
    file = listed(cast, "bob", result["imported"][0]["id"])
    assert (file["name"], file["kind"], file["state"], file["image"]) == ("cat.png", "image", "ready", None)
    assert file["words"] == "This image is not here: the file that was imported had only its name."
    for last in ("image", "original"):
        assert cast.client("bob").get(f"/api/files/{file['id']}/{last}/").status_code == 404
    page = cast.client("bob").get(f"{result['imported'][0]['url']}print/").content.decode()
    assert '<bdi dir="ltr">cat.png</bdi>' in page
    again = report(bring(cast.client("stranger"), everything(cast.client("bob")), "all.zip"))
    assert again["imported"][0]["notes"] == [NOT_THERE]


@pytest.mark.parametrize("swapped", [b"words, not an image", making.jpeg_with_secrets()])
def test_other_bytes_under_the_name_of_an_image_are_not_imported(
    cast: Cast, conversation: Conversation, reading: list[UUID], swapped: bytes
) -> None:
    packed = whole(everything(cast.client("alice")))
    changed = {name: swapped if content == BYTES else content for name, content in packed.items()}
    result = report(bring(cast.client("bob"), made_files.zipped(changed), "all.zip"))
    assert result["imported"][0]["notes"] == [NOT_THERE]
    assert reading == []


def test_a_text_that_is_declared_an_image_is_not_imported_past_the_rules(
    cast: Cast, reading: list[UUID]
) -> None:
    text = b"a text that the rules have not read"
    digest = hashlib.sha256(text).hexdigest()
    asked = made_files.said(files=[{"id": "1", "name": "a.png", "kind": "image", "sha256": digest}])
    packed = {"json/1.json": made_files.as_json(made_files.own(asked)), f"files/{digest}/a.png": text}
    result = report(bring(cast.client("bob"), made_files.zipped(packed), "all.zip"))
    assert result["imported"][0]["notes"] == [NOT_THERE]
    assert (File.objects.get().kind, reading) == ("image", [])
