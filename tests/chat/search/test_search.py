"""Finding one's own conversations and messages: what is found, by whom, and in what order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.accounts.models import User
from chat.conversations.lifecycle import delete_conversation
from chat.conversations.models import Conversation, Message, MessageStatus, Role
from chat.conversations.purge import purge_deleted
from chat.conversations.titles import rename_conversation
from chat.model_cards.models import ModelCard
from chat.search.terms import parsed
from chat.search.words import pieces
from tests.chat.cast import Cast
from tests.chat.conversations.building import live_reply, say, talk

pytestmark = pytest.mark.django_db


def find(client: Client, question: str, cursor: str = "") -> Any:
    answer = client.get("/api/search/", {"q": question, "cursor": cursor})
    assert answer.status_code == 200, answer.content
    return answer.json()


def texts(client: Client, question: str) -> list[Any]:
    return ["".join(p["text"] for p in each["pieces"]) for each in find(client, question)["results"]]


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client("alice")


def test_titles_come_first_then_messages_the_newest_first(cast: Cast, alice: Client) -> None:
    talk(cast.alice, "Which bread?", "Rye bread.", title="Baking")
    talk(cast.alice, "Hello", title="Bread for Sunday")
    assert texts(alice, "bread") == ["Bread for Sunday", "Rye bread.", "Which bread?"]
    found = find(alice, "bread")["results"]
    assert [each["message"] and each["message"]["role"] for each in found] == [None, "assistant", "user"]
    assert found[1]["url"] == f"/c/{found[1]['conversation']['id']}/?m={found[1]['message']['id']}"
    assert found[1]["conversation"]["title"] == "Baking"
    assert alice.get(found[1]["url"]).status_code == 200


def test_matches_are_marked_as_data(cast: Cast, alice: Client) -> None:
    talk(cast.alice, "<b>Rye</b> & rye", title="x1")
    (found,) = find(alice, "rye")["results"]
    assert found["pieces"] == [
        {"text": "<b>", "match": False},
        {"text": "Rye", "match": True},
        {"text": "</b> & ", "match": False},
        {"text": "rye", "match": True},
    ]


@pytest.mark.parametrize("said", ["Crème brûlée", "CREME BRULEE", "cre\u0300me bru\u0302le\u0301e"])
@pytest.mark.parametrize("asked", ["crème brulee", "creme BRÛLÉE", "Cre\u0300me", "brul", "Èl", "èm"])
def test_accents_and_case_do_not_count(cast: Cast, alice: Client, said: str, asked: str) -> None:
    talk(cast.alice, said, title="")
    expected = 0 if asked in ("Èl", "èm") else 1  # beginnings of words only
    assert len(texts(alice, asked)) == expected


@pytest.mark.parametrize(("said", "asked"), [("ΑΘΗΝΑ", "αθηνα"), ("Москва", "МОСК"), ("東京です", "東京")])
def test_words_of_other_scripts_are_found(cast: Cast, alice: Client, said: str, asked: str) -> None:
    talk(cast.alice, said, title="")
    assert texts(alice, asked) == [said]


def test_every_word_begins_one_of_the_text(cast: Cast, alice: Client) -> None:
    talk(cast.alice, "the quick brown fox", title="")
    assert texts(alice, "bro qui") == ["the quick brown fox"]
    assert texts(alice, "quick wolf") == []
    assert texts(alice, "uick") == []


def test_words_between_signs(cast: Cast, alice: Client) -> None:
    talk(cast.alice, "see https://example.org/guide_to?bread=3.14, l’été (well-known)", title="")
    for asked in ("example", "guide", "bread", "ete", "known", "well", "14"):
        assert len(texts(alice, asked)) == 1, asked


@pytest.mark.parametrize(
    "asked",
    ['"', '"bread', "bread AND OR NOT", "NEAR(bread)", "scope:m*", "bread*", "-bread", "(", "^", "a", "", " ",
     "'; DROP TABLE x; --", "%", "&|!<->:*", "\x00", "\U0001e2c0\U0001e2c1", "½",
     "x" * 5000, "ﬁ ß İ", "\ud800"],
)  # fmt: skip
def test_nothing_typed_is_an_error(cast: Cast, alice: Client, asked: str) -> None:
    talk(cast.alice, "bread", title="")
    sent = asked.encode("utf-8", "surrogatepass")
    assert alice.get("/api/search/", {"q": sent}).status_code == 200


def test_quotes_and_operators_are_plain_text(cast: Cast, alice: Client) -> None:
    talk(cast.alice, "He said not now", title="")
    assert texts(alice, '"not" -now') == ["He said not now"]
    assert texts(alice, "said NOT now") == ["He said not now"]


def test_branches_are_found_and_live_hidden_and_deleted_ones_are_not(cast: Cast, alice: Client) -> None:
    conversation = talk(cast.alice, "first fern", "second fern", title="")
    say(conversation, "other fern", under=conversation.messages.get(text="first fern"))
    reply = live_reply(conversation, "third fern")
    Message.objects.filter(pk=reply.pk).update(text="half a fern")
    assert texts(alice, "fern") == ["third fern", "other fern", "second fern", "first fern"]
    Message.objects.filter(pk=reply.pk).update(text="whole fern", status=MessageStatus.COMPLETE)
    assert texts(alice, "fern")[0] == "whole fern"
    Message.objects.filter(text="second fern").update(hidden_at=timezone.now())
    assert "second fern" not in texts(alice, "fern")
    Message.objects.filter(text="second fern").update(hidden_at=None)
    assert "second fern" in texts(alice, "fern")
    delete_conversation(conversation=conversation)
    assert texts(alice, "fern") == []


def test_a_renamed_one_is_found_by_its_new_name_only(cast: Cast, alice: Client) -> None:
    conversation = talk(cast.alice, title="Ferns")
    rename_conversation(conversation=conversation, title="Mosses")
    assert (texts(alice, "fern"), texts(alice, "moss")) == ([], ["Mosses"])


def test_archived_conversations_are_found_and_marked(cast: Cast, alice: Client) -> None:
    conversation = talk(cast.alice, title="Ferns")
    Conversation.objects.filter(pk=conversation.pk).update(archived=True)
    assert find(alice, "fern")["results"][0]["conversation"]["archived"] is True


def test_purge_and_the_end_of_a_person_leave_nothing(cast: Cast, alice: Client) -> None:
    from chat.search.models import Entry

    conversation = talk(cast.alice, "fern", "fern", title="fern")
    delete_conversation(conversation=conversation)
    Conversation.objects.filter(pk=conversation.pk).update(deleted_at=timezone.now() - timedelta(minutes=2))
    purge_deleted()
    talk(cast.bob, "fern", title="fern")
    cast.bob.delete()
    assert not Entry.objects.exists()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM search_words")
            assert cursor.fetchone() == (0,)
            cursor.execute("INSERT INTO search_words (search_words) VALUES ('integrity-check')")


@pytest.mark.parametrize(("who", "status", "count"), [("alice", 200, 1), ("bob", 200, 0), ("staff", 200, 0)])
def test_only_own_texts_are_found(cast: Cast, who: str, status: int, count: int) -> None:
    talk(cast.alice, "a secret", title="")
    answer = cast.client(who).get("/api/search/", {"q": "secret"})
    assert (answer.status_code, len(answer.json()["results"])) == (status, count)
    assert cast.client("anonymous").get("/api/search/", {"q": "secret"}).status_code == 401


def test_naming_somebody_elses_scope_finds_nothing(cast: Cast) -> None:
    talk(cast.alice, "a secret", title="")
    for scope in (f"m{cast.alice.pk.hex}", f"@m{cast.alice.pk}", f"scope:m{cast.alice.pk.hex} secret"):
        assert texts(cast.client("bob"), scope) == []


# --- Pages and cost ---------------------------------------------------------------------------------------


def fill(owner: User, model: ModelCard, count: int, word: str = "fern") -> None:
    """Messages a minute apart, the oldest first, in conversations of ten; every second title has the word."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    talks = Conversation.objects.bulk_create(
        Conversation(owner=owner, model=model, title=f"{word} {n}" if n % 2 else "plain")
        for n in range(count // 10)
    )
    Message.objects.bulk_create(
        Message(
            conversation=talks[n // 10],
            role=Role.USER,
            text=f"{word} {n}",
            created_at=start + timedelta(minutes=n),
        )
        for n in range(count)
    )


def test_each_hit_is_on_one_page_only(cast: Cast, alice: Client, model_card: ModelCard) -> None:
    fill(cast.alice, model_card, 100)
    seen, cursor, pages = [], "", 0
    while cursor is not None:
        answer = find(alice, "fern", cursor)
        assert len(answer["results"]) <= 20
        seen += ["".join(p["text"] for p in each["pieces"]) for each in answer["results"]]
        cursor, pages = answer["next"], pages + 1
    assert pages == 6
    assert seen[5:] == [f"fern {n}" for n in reversed(range(100))]
    assert sorted(seen[:5]) == [f"fern {n}" for n in (1, 3, 5, 7, 9)]


def test_paging_loses_no_messages_with_equal_times(cast: Cast, alice: Client, model_card: ModelCard) -> None:
    conversation = talk(cast.alice, title="")
    moment = timezone.now()
    Message.objects.bulk_create(
        Message(conversation=conversation, role=Role.USER, text="fern", created_at=moment) for _ in range(45)
    )
    first = find(alice, "fern")
    second = find(alice, "fern", first["next"])
    third = find(alice, "fern", second["next"])
    ids = {each["message"]["id"] for page in (first, second, third) for each in page["results"]}
    assert (len(ids), third["next"]) == (45, None)


@pytest.mark.parametrize("year", [1, 1969, 2600, 9999])
def test_strange_times_are_stored_and_found(cast: Cast, alice: Client, year: int) -> None:
    conversation = talk(cast.alice, title="")
    when = datetime(year, 6, 1, tzinfo=UTC)
    Message.objects.create(conversation=conversation, role=Role.USER, text="fern", created_at=when)
    assert texts(alice, "fern") == ["fern"]


@pytest.mark.parametrize("bad", ["x", "m", "t-1", "m" + "9" * 19, "m1'", "m１"])
def test_cursors_that_lead_nowhere_are_refused(alice: Client, bad: str) -> None:
    answer = alice.get("/api/search/", {"q": "fern", "cursor": bad})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_input")


def test_queries_do_not_grow_with_the_data(cast: Cast, alice: Client, model_card: ModelCard) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            find(alice, "fern")
        return len(seen)

    fill(cast.alice, model_card, 30)
    few = queries()
    fill(cast.alice, model_card, 600)
    assert queries() <= few


def test_very_long_texts_are_stored_and_found(cast: Cast, alice: Client) -> None:
    talk(cast.alice, "beginning " + " ".join(f"w{n}é" for n in range(300_000)), title="")
    assert len(find(alice, "beginning")["results"]) == 1
    talk(cast.alice, "x" * 2_000_000, title="")


# --- Words ------------------------------------------------------------------------------------------------


def test_the_words_of_a_query_are_plain_few_and_short() -> None:
    assert parsed('Crème "BRÛLÉE" a -b AND').parts == ["creme", "brulee", "and"]
    assert parsed("水 x").parts == ["水"]
    assert len(parsed(" ".join(f"w{n}" for n in range(50))).parts) == 8
    assert len(parsed("水" * 900).terms) == 1
    assert len(parsed("".join(map(chr, range(0x4E00, 0x5100)))).terms) == 32


def test_a_snippet_shows_the_surroundings() -> None:
    text = "before " * 100 + "the Needle here" + " after" * 100
    shown = pieces(text, ["needle"])
    assert (shown[0]["text"], shown[-1]["text"]) == ("… ", " …")
    assert [p["text"] for p in shown if p["match"]] == ["Needle"]
    assert len("".join(p["text"] for p in shown)) < 240


# --- Migrations -------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_migrations_go_back_and_forth(cast: Cast, alice: Client) -> None:
    """Text written without the index is found once the index is back."""
    talk(cast.alice, "an old fern", title="old fern")
    try:
        call_command("migrate", "search", "0001", stdout=StringIO())
        talk(cast.alice, "written with an older index: fern in 北京旅游", title="")
        call_command("migrate", "search", "zero", stdout=StringIO())
        talk(cast.alice, "written meanwhile: fern", title="")
        call_command("migrate", "conversations", "0001", stdout=StringIO())
    finally:
        call_command("migrate", stdout=StringIO())
    older = "written with an older index: fern in 北京旅游"
    assert texts(alice, "fern") == ["old fern", "written meanwhile: fern", older, "an old fern"]
    assert texts(alice, "旅游") == [older]
    talk(cast.alice, "a new fern", title="")
    assert texts(alice, "fern")[1] == "a new fern"
