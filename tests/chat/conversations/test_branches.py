"""Branches as a person's page has them: what stands beside a message, which one is open, what is removed."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from chat.conversations.models import Conversation, Message
from tests.chat.cast import Cast
from tests.chat.conversations.building import live_reply, long_talk, say, talk

pytestmark = pytest.mark.django_db


def page(cast: Cast, conversation: Conversation, name: str = "alice", **query: Any) -> Any:
    return cast.client(name).get(f"/api/conversations/{conversation.pk}/messages/", query).json()


def texts(answer: Any) -> list[Any]:
    return [message["text"] for message in answer["messages"]]


def open_at(cast: Cast, conversation: Conversation, message: Message, name: str = "alice") -> Any:
    body = {"message": str(message.pk)}
    return cast.client(name).put(
        f"/api/conversations/{conversation.pk}/leaf/", body, content_type="application/json"
    )


def remove(cast: Cast, message: Message, name: str = "alice") -> Any:
    return cast.client(name).delete(f"/api/messages/{message.pk}/")


def test_messages_list_their_siblings(cast: Cast) -> None:
    conversation = talk(cast.alice, "Hi", "Hello", "More", "Yes")
    first, answer = (conversation.messages.get(text=text) for text in ("Hi", "Hello"))
    (other,) = say(conversation, "Hey", under=first)
    (edited,) = say(conversation, "Good day")
    shown = page(cast, conversation)["messages"]
    assert [set(message["siblings"]) for message in shown] == [{str(first.pk), str(edited.pk)}]
    shown = open_at(cast, conversation, answer).json()["messages"]
    assert set(shown[1]["siblings"]) == {str(answer.pk), str(other.pk)}
    assert [len(message["siblings"]) for message in shown] == [2, 2, 1, 1]


def test_an_opened_branch_leads_to_its_newest_end_and_stays_open(cast: Cast) -> None:
    conversation = talk(cast.alice, "Hi", "Hello", "More", "Yes")
    first = conversation.messages.get(text="Hi")
    say(conversation, "Hey", "Again", "No", under=first)
    assert texts(page(cast, conversation)) == ["Hi", "Hey", "Again", "No"]
    answer = open_at(cast, conversation, conversation.messages.get(text="Hello"))
    assert texts(answer.json()) == ["Hi", "Hello", "More", "Yes"]
    assert texts(page(cast, conversation)) == ["Hi", "Hello", "More", "Yes"]


def test_a_long_branch_is_opened_at_its_end(cast: Cast) -> None:
    conversation, messages = long_talk(cast.alice, 2_000)
    say(conversation, "short")
    answer = open_at(cast, conversation, messages[0]).json()
    assert (texts(answer)[-1], answer["more"]) == ("m1999", True)


def test_messages_of_other_conversations_are_not_opened(cast: Cast) -> None:
    mine, other = talk(cast.alice, "Hi", "Hello"), talk(cast.alice, "Other", "One")
    foreign = talk(cast.bob, "Secret", "Answer")
    for message in (other.messages.get(text="Other"), foreign.messages.get(text="Secret")):
        assert open_at(cast, mine, message).status_code == 404
    assert open_at(cast, foreign, foreign.messages.get(text="Secret")).status_code == 404
    for body in ({}, {"message": 7}, {"message": str(uuid4())}):
        answer = cast.client("alice").put(
            f"/api/conversations/{mine.pk}/leaf/", body, content_type="application/json"
        )
        assert answer.status_code == 404


def test_a_branch_goes_with_all_below_it_and_the_other_one_opens(cast: Cast) -> None:
    conversation = talk(cast.alice, "Hi", "Hello", "More", "Yes")
    first = conversation.messages.get(text="Hi")
    hey, *_ = say(conversation, "Hey", "Again", "No", under=first)
    assert remove(cast, hey).status_code == 204
    assert texts(page(cast, conversation)) == ["Hi", "Hello", "More", "Yes"]
    assert not Message.objects.filter(text__in=["Hey", "Again", "No"]).exists()


def test_the_first_message_goes_with_the_whole_talk(cast: Cast) -> None:
    conversation, messages = long_talk(cast.alice, 180)
    assert remove(cast, messages[0]).status_code == 204
    assert page(cast, conversation) == {"messages": [], "more": False, "later": False}
    assert cast.client("alice").get(conversation.get_absolute_url()).status_code == 200


def test_nothing_is_removed_while_an_answer_is_written_there(cast: Cast) -> None:
    conversation = talk(cast.alice, "Hi", "Hello")
    live_reply(conversation, "And now?")
    answer = remove(cast, conversation.messages.get(text="And now?"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "busy")
    assert conversation.messages.count() == 4


def test_nobody_removes_what_is_not_theirs(cast: Cast) -> None:
    foreign = talk(cast.bob, "Secret", "Answer").messages.get(text="Secret")
    assert remove(cast, foreign).status_code == remove(cast, Message(pk=uuid4())).status_code == 404
    assert Message.objects.filter(pk=foreign.pk).exists()


# --- Pages in both directions ---------------------------------------------------------------------------


def test_a_message_in_the_middle_is_opened_with_its_neighbours(cast: Cast) -> None:
    conversation, messages = long_talk(cast.alice, 2_000)
    answer = page(cast, conversation, around=messages[1_000].pk)
    shown = texts(answer)
    assert (shown[0], shown[24], shown[-1]) == ("m976", "m1000", "m1025")
    assert (answer["more"], answer["later"]) == (True, True)


def test_pages_go_on_below_to_the_end(cast: Cast) -> None:
    conversation, messages = long_talk(cast.alice, 120)
    answer = page(cast, conversation, after=messages[60].pk)
    assert (texts(answer)[0], texts(answer)[-1], answer["later"]) == ("m61", "m110", True)
    answer = page(cast, conversation, after=answer["messages"][-1]["id"])
    assert (texts(answer), answer["later"]) == ([f"m{n}" for n in range(111, 120)], False)
    assert page(cast, conversation, after=messages[-1].pk)["messages"] == []


def test_a_message_of_another_branch_opens_that_branch(cast: Cast) -> None:
    conversation = talk(cast.alice, "Hi", "Hello", "More", "Yes")
    say(conversation, "Hey", "Again", "No", under=conversation.messages.get(text="Hi"))
    wanted = conversation.messages.get(text="More")
    assert texts(page(cast, conversation, around=wanted.pk)) == ["Hi", "Hello", "More", "Yes"]
    assert texts(page(cast, conversation)) == ["Hi", "Hello", "More", "Yes"]


@pytest.mark.parametrize("way", ["before", "after", "around"])
def test_pages_begin_only_at_messages_of_the_conversation(cast: Cast, way: str) -> None:
    mine, foreign = talk(cast.alice, "Hi", "Hello"), talk(cast.bob, "Secret", "Answer")
    for pk in (foreign.messages.get(text="Secret").pk, uuid4(), "x"):
        url = f"/api/conversations/{mine.pk}/messages/"
        assert cast.client("alice").get(url, {way: str(pk)}).status_code == 404
