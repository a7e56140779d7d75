"""A page taken down by staff is not shared again until they lift it, and its owner reads why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from chat.conversations.lifecycle import delete_conversation
from chat.conversations.models import Conversation
from chat.conversations.purge import purge_owner
from chat.conversations.titles import rename_conversation
from chat.core import audit
from chat.core.models import StaffAction
from chat.moderation.models import Report
from chat.sharing.copying import create_share
from chat.sharing.models import Share, TakeDown
from tests.chat.cast import Cast
from tests.chat.conversations.building import say, talk

pytestmark = pytest.mark.django_db

WHY = "It shows somebody's <address>."
LONG = "Here is how it is done, step by step, and what to say when somebody asks you about it afterwards."


@pytest.fixture
def conversation(cast: Cast) -> Conversation:
    return talk(cast.alice, "How?", LONG)


def make(cast: Cast, conversation: Conversation, who: str = "alice") -> Any:
    return cast.client(who).post(
        f"/api/conversations/{conversation.pk}/share/", "{}", content_type="application/json"
    )


def take_down(
    cast: Cast, share: Share, who: str = "moderator", reason: Any = WHY, note: str = "for staff"
) -> Any:
    return cast.client(who).post(
        f"/admin/sharing/share/{share.pk}/take-down/", {"owner_reason": reason, "decision_note": note}
    )


def lift(cast: Cast, who: str = "moderator") -> Any:
    return cast.client(who).post(f"/admin/sharing/takedown/{TakeDown.objects.get().pk}/lift/")


def refused(answer: Any) -> Any:
    """The words of the refusal."""
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "taken_down")
    return answer.json()["error"]["words"]


def test_a_take_down_needs_a_reason_for_the_owner(cast: Cast, conversation: Conversation) -> None:
    share = create_share(conversation=conversation, owner=cast.alice)
    take_down(cast, share, reason="  ")
    share.refresh_from_db()
    assert share.taken_down_at is None
    assert not TakeDown.objects.exists()


def test_the_owner_gets_no_new_link_and_the_reason(cast: Cast, conversation: Conversation) -> None:
    take_down(cast, create_share(conversation=conversation, owner=cast.alice))
    words = refused(make(cast, conversation))
    assert WHY in words
    assert "for staff" not in words
    alice = cast.client("alice")
    assert alice.get(f"/api/conversations/{conversation.pk}/").json()["taken_down"] == words
    page = alice.get(conversation.get_absolute_url())
    assert page.context["page"]["taken_down"] == words
    assert not [share for share in Share.objects.all() if share.is_open]


def test_a_refusal_is_in_the_owner_s_language(cast: Cast, conversation: Conversation) -> None:
    take_down(cast, create_share(conversation=conversation, owner=cast.alice))
    cast.alice.language = "fr"
    cast.alice.save()
    words = refused(make(cast, conversation))
    assert "retiré" in words
    assert WHY in words


def test_other_conversations_are_shared_as_before(cast: Cast, conversation: Conversation) -> None:
    other = talk(
        cast.alice, "How?", "Something else, that is as long as what was taken down but has other words."
    )
    bobs = talk(cast.bob, "Hi", "Hello")
    take_down(cast, create_share(conversation=conversation, owner=cast.alice))
    assert make(cast, other).status_code == 201
    assert make(cast, bobs, "bob").status_code == 201
    assert cast.client("alice").get(f"/api/conversations/{other.pk}/").json()["taken_down"] is None


def test_a_report_s_decision_binds_it_too_and_its_reason_stands_for_want_of_words(
    cast: Cast, conversation: Conversation
) -> None:
    share = create_share(conversation=conversation, owner=cast.alice)
    cast.client("anonymous").post(f"{share.get_absolute_url()}report/", {"reason": "private"})
    report = Report.objects.get()
    cast.client("moderator").post(f"/admin/moderation/report/{report.pk}/decide/", {"taken_down": "x"})
    assert "private data" in refused(make(cast, conversation))


def test_the_reason_of_a_report_is_in_the_language_of_the_owner(
    cast: Cast, conversation: Conversation
) -> None:
    share = create_share(conversation=conversation, owner=cast.alice)
    cast.client("anonymous").post(f"{share.get_absolute_url()}report/", {"reason": "private"})
    for name, language in (("moderator", "fr"), ("alice", "en")):
        person = getattr(cast, name)
        person.language = language
        person.save()
    moderator = cast.client("moderator")
    moderator.post(f"/admin/moderation/report/{Report.objects.get().pk}/decide/", {"taken_down": "x"})
    assert "private data" in refused(make(cast, conversation))
    for page in ("", f"{TakeDown.objects.get().pk}/change/"):
        result = moderator.get(f"/admin/sharing/takedown/{page}").content.decode()
        assert "données privées" in result
        assert "private data" not in result


@pytest.mark.parametrize("typed", ["\u200b \u2800", "  "], ids=ascii)
def test_an_invisible_reason_counts_as_none(cast: Cast, conversation: Conversation, typed: str) -> None:
    share = create_share(conversation=conversation, owner=cast.alice)
    report = Report.objects.create(share_id=share.pk, author=cast.alice, reason="harmful", text="x")
    cast.client("moderator").post(
        f"/admin/moderation/report/{report.pk}/decide/", {"taken_down": "1", "owner_reason": typed}
    )
    assert TakeDown.objects.get().reason == report.get_reason_display()


def test_other_links_to_the_same_messages_close_with_it(cast: Cast, conversation: Conversation) -> None:
    first, second = (create_share(conversation=conversation, owner=cast.alice) for _ in range(2))
    take_down(cast, first)
    assert cast.client("anonymous").get(second.get_absolute_url()).status_code == 404


@pytest.mark.parametrize("trick", ["rename", "branch", "edit", "archive and back", "hide the first link"])
def test_no_change_of_the_conversation_evades_a_take_down(
    cast: Cast, conversation: Conversation, trick: str
) -> None:
    share = create_share(conversation=conversation, owner=cast.alice)
    take_down(cast, share)
    if trick == "rename":
        rename_conversation(conversation=conversation, title="Quite another one")
    elif trick == "branch":
        say(conversation, "Another answer", under=conversation.messages.get(text="How?"))
    elif trick == "edit":
        say(conversation, "How??", LONG)
    elif trick == "archive and back":
        Conversation.objects.filter(pk=conversation.pk).update(archived=True)
        Conversation.objects.filter(pk=conversation.pk).update(archived=False)
    else:
        cast.client("alice").delete(f"/api/conversations/{conversation.pk}/share/{share.token}/")
    refused(make(cast, conversation))


@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize("answer", [LONG, "Like this."])
def test_a_copy_that_went_out_and_came_in_again_is_recognised(cast: Cast, answer: Any, deleted: bool) -> None:
    conversation = talk(cast.alice, "How?", answer)
    share = create_share(conversation=conversation, owner=cast.alice)
    alice = cast.client("alice")
    exported = alice.get(f"/api/conversations/{conversation.pk}/export/").content
    take_down(cast, share)
    if deleted:
        delete_conversation(conversation=conversation)
        purge_owner(cast.alice)
    result = json.loads(exported)
    result["title"] = "Another title"  # else it is recognised as imported already
    file = SimpleUploadedFile("a.json", json.dumps(result).encode())
    (made,) = alice.post("/api/import/", {"file": file}).json()["report"]["imported"]
    assert WHY in refused(make(cast, Conversation.objects.get(pk=made["id"])))


def test_staff_lift_it_and_the_audit_knows(cast: Cast, conversation: Conversation) -> None:
    share = create_share(conversation=conversation, owner=cast.alice)
    take_down(cast, share)
    page = cast.client("moderator").get(f"/admin/sharing/takedown/{TakeDown.objects.get().pk}/change/")
    assert "Lift the take-down" in page.content.decode()
    lift(cast)
    assert TakeDown.objects.get().message_digests == {}
    assert make(cast, conversation).status_code == 201
    assert cast.client("alice").get(f"/api/conversations/{conversation.pk}/").json()["taken_down"] is None
    assert (
        cast.client("anonymous").get(share.get_absolute_url()).status_code == 404
    )  # the old one stays closed
    row = StaffAction.objects.get(verb="lift take-down")
    assert row.actor == cast.moderator
    assert row.detail == {"share": str(share.pk), "owner": f"user:{cast.alice.pk}"}
    taken = StaffAction.objects.get(verb="take share down")
    assert taken.detail == {"note": "for staff", "told_owner": WHY}
    assert audit.verify() is None
    lift(cast)
    assert StaffAction.objects.filter(verb="lift take-down").count() == 1


@pytest.mark.parametrize("who", ["alice", "bob", "stranger", "anonymous"])
def test_only_staff_see_or_lift_take_downs(cast: Cast, conversation: Conversation, who: str) -> None:
    take_down(cast, create_share(conversation=conversation, owner=cast.alice))
    assert cast.client(who).get("/admin/sharing/takedown/").status_code == 302
    assert lift(cast, who).status_code == 302
    assert TakeDown.objects.get().lifted_at is None
    if who != "anonymous":
        take_down(cast, create_share(conversation=talk(cast.bob, "Hi", "Hello"), owner=cast.bob), who)
    assert TakeDown.objects.count() == 1


def test_the_list_of_take_downs_has_no_title_and_no_text(cast: Cast, conversation: Conversation) -> None:
    take_down(cast, create_share(conversation=conversation, owner=cast.alice))
    page = cast.client("moderator").get("/admin/sharing/takedown/").content.decode()
    assert "A talk" not in page
    assert LONG not in page


def test_a_reason_that_is_too_long_takes_nothing_down(cast: Cast, conversation: Conversation) -> None:
    share = create_share(conversation=conversation, owner=cast.alice)
    take_down(cast, share, reason="x" * 301)
    assert cast.client("anonymous").get(share.get_absolute_url()).status_code == 200
    assert not TakeDown.objects.exists()
