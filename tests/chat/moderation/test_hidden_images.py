"""Staff who hide a message hide its images in the whole conversation, and show them again with it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import msgspec
import pytest

from chat.conversations.branches import delete_branch
from chat.conversations.models import Conversation, Message
from chat.core import audit
from chat.core.errors import BadInput
from chat.core.models import StaffAction
from chat.files import attaching
from chat.files.hiding import check_not_hidden
from chat.files.models import File
from chat.files.prompt_images import read_images
from chat.model_cards.models import ModelCard
from chat.moderation.models import Report
from chat.moderation.reporting import report_message
from chat.sharing.copying import create_share
from chat.turns import events, submission
from chat.turns.prompts import build_prompt
from chat.turns.question import Question
from chat.turns.starting import send
from tests.chat.cast import Cast
from tests.chat.conversations.building import say, talk
from tests.chat.files import making_images as making
from tests.chat.files.stored_images import BYTES, image
from tests.chat.transfer.importing import everything, whole

pytestmark = pytest.mark.django_db
OTHER = making.written(making.photo(64, 48), "PNG")
REMOVED = "A moderator removed this image."


class Scene:
    """A question with an image, which was reported, and an edited version of it, which is open."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.cat = image(cast.alice)
        self.conversation = talk(cast.alice, "A rude question", "A cat.")
        self.first = self.conversation.messages.get(role="user")
        attaching.attach(self.first, [self.cat])
        self.edited, self.answer = say(self.conversation, "What is it?", "A cat, I think.")
        attaching.attach(self.edited, [self.cat])
        self.report = report_message(reporter=cast.alice, message=self.first, reason="harmful")

    def decide(self, action: str, report: Report | None = None) -> None:
        path = f"/admin/moderation/report/{(report or self.report).pk}/decide/"
        self.cast.client("moderator").post(path, {action: "1"})

    def file(self, message: Message) -> Any:
        """Returns the only file of a message, as its owner's page gets it."""
        path = f"/api/conversations/{self.conversation.pk}/messages/"
        messages = self.cast.client("alice").get(path).json()["messages"]
        [file] = next(each for each in messages if each["id"] == str(message.pk))["files"]
        return file

    def statuses(self, file: File | None = None) -> list[int]:
        pk = (file or self.cat).pk
        addresses = [f"/api/files/{pk}/{last}/" for last in ("image", "original")]
        return [self.cast.client("alice").get(address).status_code for address in addresses]


@pytest.fixture
def scene(cast: Cast) -> Scene:
    ModelCard.objects.update(capabilities={"images": True})
    return Scene(cast)


def images_for_the_model(message: Message) -> int:
    return len(read_images(build_prompt(Message.objects.get(pk=message.pk), sees=True).messages))


def test_another_version_of_a_hidden_question_keeps_its_text_and_loses_the_image(scene: Scene) -> None:
    share = create_share(conversation=scene.conversation, owner=scene.cast.alice, images=True)
    shared = f"{share.get_absolute_url()}images/1/{scene.cat.pk}/"
    printed = f"{scene.conversation.get_absolute_url()}print/"
    built = build_prompt(scene.edited, sees=True)
    alice, anonymous = scene.cast.client("alice"), scene.cast.client("anonymous")
    assert (scene.statuses(), anonymous.get(shared).status_code) == ([200, 200], 200)
    assert (images_for_the_model(scene.edited), BYTES in whole(everything(alice)).values()) == (1, True)

    scene.decide("hidden")
    file = scene.file(scene.edited)
    assert (file["image"], file["words"], file["original"]) == (None, REMOVED, False)
    assert scene.statuses() == [404, 404]
    assert anonymous.get(shared).status_code == 404
    for address, client in ((share.get_absolute_url(), anonymous), (printed, alice)):
        page = client.get(address).content.decode()
        assert ("What is it?" in page, "cat.png" in page) == (True, True)
        assert "<img" not in page
    packed = whole(everything(alice))
    assert BYTES not in packed.values()
    assert not any(scene.cat.sha256.encode() in content for content in packed.values())
    assert images_for_the_model(scene.edited) == 0
    assert read_images(built.messages) == ()  # also not to a reply that was asked for before
    new = create_share(conversation=scene.conversation, owner=scene.cast.alice, images=True)
    assert "<img" not in anonymous.get(new.get_absolute_url()).content.decode()


def test_staff_see_a_hidden_image_in_every_version(scene: Scene) -> None:
    share = create_share(conversation=scene.conversation, owner=scene.cast.alice, images=True)
    scene.decide("hidden")
    staff = scene.cast.client("staff")
    page = staff.get(f"/admin/conversations/conversation/{scene.conversation.pk}/change/").content.decode()
    assert page.count(f'src="/admin/images/{scene.cat.pk}/"') == 2
    page = staff.get(f"/admin/sharing/share/{share.pk}/change/").content.decode()
    shared = f"/admin/shared-images/{share.pk}/1/{scene.cat.pk}/"
    assert f'src="{shared}"' in page
    assert staff.get(shared).content == BYTES
    assert scene.cast.client("moderator").get(f"/admin/images/{scene.cat.pk}/").content == BYTES


def test_dismissing_the_report_shows_the_image_again_and_the_audit_counts_files(scene: Scene) -> None:
    scene.decide("hidden")
    scene.decide("dismissed")
    assert scene.statuses() == [200, 200]
    assert scene.file(scene.edited)["image"] == [64, 48]
    assert images_for_the_model(scene.edited) == 1
    rows = StaffAction.objects.filter(verb__startswith="report ").order_by("pk")
    assert [(row.verb, row.detail["images"]) for row in rows] == [
        ("report hidden", 1),
        ("report dismissed", 1),
    ]
    assert audit.verify() is None


def test_the_image_uploaded_again_is_hidden_where_it_is_and_refused_where_it_is_not(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "submit", lambda request: None)
    copy, other = image(scene.cast.alice, "copy.png"), image(scene.cast.alice, "other.png", OTHER)
    [later, _] = say(scene.conversation, "And these?", "Two.", under=scene.answer)
    attaching.attach(later, [copy, other])
    elsewhere = talk(scene.cast.alice, "Elsewhere").messages.get()
    attaching.attach(elsewhere, [there := image(scene.cast.alice, "there.png")])
    scene.decide("hidden")
    assert [scene.statuses(file) for file in (copy, other, there)] == [[404, 404], [200, 200], [200, 200]]

    def ask(file: File, conversation: Conversation) -> Message:
        turn = send(
            user=scene.cast.alice,
            conversation_id=conversation.pk,
            parent_id=None,
            question=Question("Look", [file.pk]),
            client_id=uuid4().hex,
        )
        return turn.messages[0]

    again = image(scene.cast.alice, "again.png")
    with pytest.raises(BadInput, match="removed the image “again.png” from this conversation"):
        ask(again, scene.conversation)
    ask(again, talk(scene.cast.alice))
    edited = ask(scene.cat, scene.conversation)  # as an edited message, which keeps its files
    assert scene.statuses() == [404, 404]
    assert images_for_the_model(edited) == 0


def test_an_image_stays_hidden_when_its_hidden_message_is_deleted_until_staff_show_it(
    scene: Scene, django_capture_on_commit_callbacks: Any
) -> None:
    scene.decide("hidden")
    with django_capture_on_commit_callbacks(execute=True):
        delete_branch(Message.objects.get(pk=scene.first.pk))
    assert scene.statuses() == [404, 404]
    scene.decide("dismissed")
    assert scene.statuses() == [200, 200]


@pytest.mark.parametrize("first_shown", ["question", "version"])
def test_an_image_of_two_hidden_messages_is_shown_with_the_second(scene: Scene, first_shown: str) -> None:
    other = report_message(reporter=scene.cast.alice, message=scene.edited, reason="harmful")
    [third, _] = say(scene.conversation, "What?", "A cat.")
    attaching.attach(third, [scene.cat])
    reports = [scene.report, other] if first_shown == "question" else [other, scene.report]
    for report in reports:
        scene.decide("hidden", report)
    scene.decide("dismissed", reports[0])
    assert scene.file(third)["words"] == REMOVED
    assert scene.statuses() == [404, 404]
    scene.decide("dismissed", reports[1])
    assert scene.statuses() == [200, 200]


def test_an_image_of_two_hidden_messages_stays_hidden_when_the_second_is_deleted(
    scene: Scene, django_capture_on_commit_callbacks: Any
) -> None:
    [third, _] = say(scene.conversation, "What?", "A cat.")
    attaching.attach(third, [scene.cat])
    other = report_message(reporter=scene.cast.alice, message=scene.edited, reason="harmful")
    for report in (scene.report, other):
        scene.decide("hidden", report)
    with django_capture_on_commit_callbacks(execute=True):
        delete_branch(Message.objects.get(pk=scene.edited.pk))
    scene.decide("dismissed", scene.report)
    assert scene.statuses() == [404, 404]
    scene.decide("dismissed", other)
    assert scene.statuses() == [200, 200]


def test_a_hidden_image_is_refused_also_after_its_only_message_was_deleted(
    scene: Scene, django_capture_on_commit_callbacks: Any
) -> None:
    conversation = talk(scene.cast.alice, "Look", "A cat.")
    question = conversation.messages.get(role="user")
    attaching.attach(question, [image(scene.cast.alice, "only.png")])
    report = report_message(reporter=scene.cast.alice, message=question, reason="harmful")
    scene.decide("hidden", report)
    with django_capture_on_commit_callbacks(execute=True):
        delete_branch(question)
    with pytest.raises(BadInput, match="removed the image “again.png” from this conversation"):
        check_not_hidden([image(scene.cast.alice, "again.png")], conversation)
    scene.decide("dismissed", report)
    check_not_hidden([image(scene.cast.alice, "again.png")], conversation)


def test_open_pages_are_told_of_each_message_that_has_the_image(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[tuple[Any, dict[str, Any]]] = []

    def publish(owner: Any, frame: Any) -> None:
        sent.append((owner, msgspec.to_builtins(frame)["message"]))

    monkeypatch.setattr(events, "publish_sync", publish)
    for action, words in (("hidden", REMOVED), ("dismissed", "")):
        sent.clear()
        with django_capture_on_commit_callbacks(execute=True):
            scene.decide(action)
        by_id = {message["id"]: message for _, message in sent}
        assert {owner for owner, _ in sent} == {scene.cast.alice.pk}
        assert by_id.keys() == {str(scene.first.pk), str(scene.edited.pk)}
        assert [file["words"] for file in by_id[str(scene.edited.pk)]["files"]] == [words]


def test_the_form_of_a_report_says_what_becomes_of_images(scene: Scene) -> None:
    page = scene.cast.client("moderator").get(f"/admin/moderation/report/{scene.report.pk}/change/")
    words = "Hiding the message also hides its images in the other messages of the conversation."
    assert words in page.content.decode()
