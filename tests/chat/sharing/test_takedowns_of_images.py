"""An image of a page that staff took down is not shared again by its owner, in whatever conversation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from chat.conversations.lifecycle import delete_conversation
from chat.conversations.models import Conversation
from chat.conversations.purge import purge_owner
from chat.files import attaching, read_jobs
from chat.files.models import File
from chat.model_cards.models import ModelCard
from chat.sharing.copying import create_share
from chat.sharing.models import Share, TakeDown
from tests.chat.cast import Cast
from tests.chat.conversations.building import say, talk
from tests.chat.files import making_images as making
from tests.chat.files.stored_images import image
from tests.chat.files.uploading import put
from tests.chat.transfer.importing import bring, everything, report

pytestmark = pytest.mark.django_db
WHY = "It shows somebody's <address>."
PHOTO = making.written(making.photo(200, 100), "JPEG", quality=95)
OTHER = making.written(making.photo(64, 48), "PNG")


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """Files that a worker was asked to read."""
    ModelCard.objects.update(capabilities={"images": True})
    found: list[UUID] = []
    monkeypatch.setattr(read_jobs, "ask_to_read", found.append)
    return found


def with_images(owner: Any, *files: File, text: str = "What is it?") -> Conversation:
    conversation = talk(owner, text, "A cat.")
    attaching.attach(conversation.messages.get(role="user"), files)
    return conversation


def make(cast: Cast, conversation: Conversation, who: str = "alice", *, images: bool = True) -> Any:
    path = f"/api/conversations/{conversation.pk}/share/"
    return cast.client(who).post(path, {"images": images}, content_type="application/json")


def take_down(cast: Cast, share: Share) -> None:
    path = f"/admin/sharing/share/{share.pk}/take-down/"
    cast.client("moderator").post(path, {"owner_reason": WHY})


def refused(answer: Any) -> Any:
    """Returns the words of the refusal."""
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "taken_down")
    return answer.json()["error"]["words"]


def status(cast: Cast, share: Share) -> int:
    return int(cast.client("anonymous").get(share.get_absolute_url()).status_code)


def test_another_conversation_with_the_image_gets_a_link_without_images_only(cast: Cast) -> None:
    first = with_images(cast.alice, image(cast.alice), image(cast.alice, "2.png", OTHER))
    take_down(cast, create_share(conversation=first, owner=cast.alice, images=True))
    again = with_images(cast.alice, image(cast.alice, "another name.png"), text="And this?")
    assert refused(make(cast, again)) == (
        "Staff took down a shared page with an image that this conversation has, too. A link can be made "
        f"without images. Reason: {WHY}"
    )
    assert cast.client("alice").get(f"/api/conversations/{again.pk}/").json()["taken_down"] is None
    assert make(cast, again, images=False).status_code == 201
    cast.alice.language = "fr"
    cast.alice.save()
    assert "Un lien sans images est possible." in refused(make(cast, again))


def test_other_images_and_other_people_share_as_before(cast: Cast) -> None:
    take_down(cast, create_share(conversation=with_images(cast.alice, image(cast.alice)), owner=cast.alice))
    again = with_images(cast.alice, image(cast.alice), text="The page taken down only named it.")
    assert make(cast, again).status_code == 201
    take_down(cast, Share.objects.get(conversation=again))
    other = with_images(cast.alice, image(cast.alice, "2.png", OTHER), text="Another one")
    assert make(cast, other).status_code == 201
    bobs = with_images(cast.bob, image(cast.bob), text="Mine")
    assert make(cast, bobs, "bob").status_code == 201


def uploaded(cast: Cast, data: bytes, reading: list[UUID], capture: Any) -> File:
    with capture(execute=True):
        answer = put(cast.client("alice"), data, "photo.jpg")
    assert answer.status_code == 201, answer.content
    read_jobs.read(reading.pop())
    return File.objects.get(pk=answer.json()["file"]["id"])


def from_the_same_file(cast: Cast, taken: File, reading: list[UUID], capture: Any) -> Conversation:
    return with_images(cast.alice, uploaded(cast, PHOTO, reading, capture), text="From my phone")


def from_a_download(cast: Cast, taken: File, reading: list[UUID], capture: Any) -> Conversation:
    downloaded = cast.client("alice").get(f"/api/files/{taken.pk}/original/").content
    return with_images(cast.alice, uploaded(cast, downloaded, reading, capture), text="From my disk")


def from_an_export(cast: Cast, taken: File, reading: list[UUID], capture: Any) -> Conversation:
    packed = everything(cast.client("alice"))
    delete_conversation(conversation=taken.attachments.get().message.conversation)
    purge_owner(cast.alice)
    with capture(execute=True):
        [imported] = report(bring(cast.client("alice"), packed, "all.zip"))["imported"]
    read_jobs.read(reading.pop())
    conversation = Conversation.objects.get(pk=imported["id"])
    conversation.messages.filter(role="user").update(text="Other words")
    return conversation


@pytest.mark.parametrize("bring_back", [from_the_same_file, from_a_download, from_an_export])
def test_an_image_that_comes_in_again_is_recognised(
    cast: Cast,
    reading: list[UUID],
    django_capture_on_commit_callbacks: Any,
    bring_back: Callable[..., Conversation],
) -> None:
    taken = uploaded(cast, PHOTO, reading, django_capture_on_commit_callbacks)
    share = create_share(conversation=with_images(cast.alice, taken), owner=cast.alice, images=True)
    take_down(cast, share)
    again = bring_back(cast, taken, reading, django_capture_on_commit_callbacks)
    assert WHY in refused(make(cast, again))


def test_links_to_other_versions_of_the_question_with_the_image_close_with_it(cast: Cast) -> None:
    cat = image(cast.alice)
    conversation = with_images(cast.alice, cat)
    first = create_share(conversation=conversation, owner=cast.alice, images=True)
    edited, _answer = say(conversation, "What is that?", "Perhaps a cat.")
    attaching.attach(edited, [cat])
    with_the_image = create_share(conversation=conversation, owner=cast.alice, images=True)
    without = create_share(conversation=conversation, owner=cast.alice)
    take_down(cast, first)
    assert [status(cast, share) for share in (first, with_the_image, without)] == [404, 404, 200]


def test_a_lifted_take_down_forgets_the_image(cast: Cast) -> None:
    conversation = with_images(cast.alice, image(cast.alice))
    take_down(cast, create_share(conversation=conversation, owner=cast.alice, images=True))
    take_down_row = TakeDown.objects.get()
    assert take_down_row.image_digests == [File.objects.get().sha256]
    cast.client("moderator").post(f"/admin/sharing/takedown/{take_down_row.pk}/lift/")
    assert TakeDown.objects.get().image_digests == []
    again = with_images(cast.alice, image(cast.alice), text="And this?")
    assert make(cast, again).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_a_take_down_from_before_images_were_recognised_binds_its_conversation(
    cast: Cast, migrate: Any
) -> None:
    conversation = with_images(cast.alice, image(cast.alice))
    keys = {"owner_id": cast.alice.pk, "conversation_id": conversation.pk}
    old = migrate("sharing", "0007_shares_with_images").get_model("sharing", "TakeDown")
    old.objects.create(**keys, reason=WHY)
    migrate("sharing", "newest")
    assert WHY in refused(make(cast, conversation))
    again = with_images(cast.alice, image(cast.alice), text="And this?")
    assert make(cast, again).status_code == 201
    assert migrate("sharing", "0007_shares_with_images").get_model("sharing", "TakeDown").objects.count() == 1
