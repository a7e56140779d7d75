"""A long conversation is shared in pages: each costs little, and together they show everything."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags
from pytest_django import DjangoAssertNumQueries, Settings

from chat.accounts.models import User
from chat.conversations.models import Message
from chat.moderation.models import Report
from chat.sharing import copying
from chat.sharing.models import Share, SharePage
from chat.sharing.paging import PAGE_CHARS, PAGE_MESSAGES, pages_of
from tests.chat.cast import Cast
from tests.chat.conversations.building import long_talk, talk

pytestmark = pytest.mark.django_db

DEADLINE = 60.0  # a busy machine
PAGE_BYTES = 5_000_000


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lifts the time limit for readers: these tests are about content, and the machine may be busy."""
    for name in ("WAIT_SECONDS", "WALL_SECONDS"):
        monkeypatch.setattr(f"chat.sharing.render_jobs.{name}", 2 * DEADLINE)


def shared(owner: User, *texts: str) -> Share:
    return copying.create_share(conversation=talk(owner, *texts), owner=owner)


def opened(cast: Cast, share: Share, number: int | str = 1) -> Any:
    return cast.client("anonymous").get(f"{share.get_absolute_url()}?page={number}")


def numbers_linked(page: Any) -> dict[Any, Any]:
    """{"prev": 1, "next": 3} as the links of the page say."""
    return {rel: int(number) for rel, number in re.findall(r'rel="(prev|next)" href="\?page=(\d+)"', page)}


# --- Pages ------------------------------------------------------------------------------------------------


def test_a_reader_follows_the_links_to_every_message(cast: Cast) -> None:
    conversation, said = long_talk(cast.alice, 3 * PAGE_MESSAGES + 1)
    share = copying.create_share(conversation=conversation, owner=cast.alice)
    number, read = 1, ""
    for turned in range(1, 10):  # noqa: B007 - read after the loop
        answer = opened(cast, share, number)
        page = answer.content.decode()
        assert len(answer.context["messages"]) <= PAGE_MESSAGES
        assert numbers_linked(page).get("prev") == (number - 1 or None)
        read += page
        if "next" not in numbers_linked(page):
            break
        number = numbers_linked(page)["next"]
    assert turned == 4
    assert all(f'<p dir="auto">{message.text}</p>' in read for message in said)


def test_a_short_page_has_no_links_to_others(cast: Cast) -> None:
    page = opened(cast, shared(cast.alice, "Hi", "Hello")).content.decode()
    assert "?page=" not in page
    assert "Page 1 of" not in page


@pytest.mark.parametrize("number", ["0", "4", "-1", "x", "", "1e9", "9" * 30, "٢"])
def test_a_page_that_does_not_exist_is_not_found(cast: Cast, number: str) -> None:
    conversation, _ = long_talk(cast.alice, 3 * PAGE_MESSAGES)
    share = copying.create_share(conversation=conversation, owner=cast.alice)
    assert opened(cast, share, 3).status_code == 200
    assert opened(cast, share, number).status_code == 404


@pytest.mark.parametrize("who_wrote_it", ["a person", "the model"])
def test_one_giant_message_is_shown_in_parts(cast: Cast, who_wrote_it: str) -> None:
    giant = " ".join(f"word-{n}." for n in range(20_000))
    texts = (giant, "Hello") if who_wrote_it == "a person" else ("Hi", giant)
    share = shared(cast.alice, *texts)
    pages = [opened(cast, share, number).content.decode() for number in range(1, share.page_count + 1)]
    assert len(pages) > 4
    assert all(len(page) < 4 * PAGE_CHARS for page in pages)
    assert re.findall(r"word-\d+\.", strip_tags(" ".join(pages))) == giant.split()
    assert any("Part 2 of 5 of a long message" in page or "Part 2 of 6" in page for page in pages)


@pytest.mark.parametrize("length", [0, 1, 99, 100, 101, 250, 1000])
@pytest.mark.parametrize("space", ["", " ", "\n"])
def test_cutting_loses_nothing(length: int, space: str) -> None:
    text = ("x" * 7 + space) * (length // 8) + "y" * (length % 8)
    messages: list[dict[str, Any]] = [{"id": "a", "text": text, "files": ["f"]}, {"id": "b", "text": "end"}]
    pages = list(pages_of(messages, chars=100, count=3))
    assert all(sum(len(each["text"]) for each in page) <= 100 for page in pages)
    parts = [each for page in pages for each in page]
    assert "".join(each["text"] for each in parts if each["id"] == "a") == text
    assert sum("files" in each for each in parts) == 1


def test_a_hidden_message_is_gone_from_every_page_it_was_on(cast: Cast) -> None:
    giant = "secret " * 20_000
    share = shared(cast.alice, "Hi", giant)
    Message.objects.filter(text=giant).update(hidden_at=timezone.now())
    for number in range(1, share.page_count + 1):
        assert "secret" not in opened(cast, share, number).content.decode()


def test_a_view_reads_one_page_of_the_copy_however_long_it_is(
    cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    share = shared(cast.alice, *("x" * 30_000 for _ in range(40)))
    assert SharePage.objects.filter(share=share).count() == share.page_count == 40
    with django_assert_max_num_queries(5) as captured:
        opened(cast, share, 7)
    (read,) = [each["sql"] for each in captured if '"sharing_sharepage"."messages"' in each["sql"]]
    assert re.search(r'"number" = 7\b', read)


def test_conversations_too_long_for_one_share_are_refused(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.sharing.copying.COPIED_CHARS", 1000)
    conversation = talk(cast.alice, "Hi", "x" * 1000)
    answer = cast.client("alice").post(
        f"/api/conversations/{conversation.pk}/share/", "{}", content_type="application/json"
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_input")
    assert "1,002 characters" in answer.json()["error"]["words"]


# --- Reports ----------------------------------------------------------------------------------------------


def test_the_report_keeps_the_page_that_the_reader_saw(cast: Cast) -> None:
    conversation, _ = long_talk(cast.alice, 2 * PAGE_MESSAGES)
    share = copying.create_share(conversation=conversation, owner=cast.alice)
    client = cast.client("anonymous")
    page = client.get(f"{share.get_absolute_url()}?page=2").content.decode()
    assert '<input type="hidden" name="page" value="2">' in page
    answer = client.post(f"{share.get_absolute_url()}report/", {"reason": "harmful", "page": "2"})
    assert answer["Location"].endswith("?reported=1&page=2")
    text = Report.objects.get().text
    assert f"m{PAGE_MESSAGES}" in text
    assert "m1\n" not in text


def test_a_message_of_any_page_can_be_reported(cast: Cast) -> None:
    conversation, said = long_talk(cast.alice, 2 * PAGE_MESSAGES)
    share = copying.create_share(conversation=conversation, owner=cast.alice)
    last = said[-1]
    answer = cast.client("anonymous").post(
        f"{share.get_absolute_url()}report/",
        {"reason": "harmful", "message_id": str(last.pk)},
        content_type="application/json",
    )
    assert answer.status_code == 201
    assert Report.objects.get().text == f"assistant: {last.text}"


@pytest.mark.parametrize("page", [0, 3, -1, "1", None, 1.5, True])
def test_a_report_of_no_page_is_refused(cast: Cast, page: bool | float | str | None) -> None:
    share = shared(cast.alice, "Hi", "Hello")
    answer = cast.client("anonymous").post(
        f"{share.get_absolute_url()}report/",
        {"reason": "harmful", "page": page},
        content_type="application/json",
    )
    assert answer.status_code == 400


# --- What is hard to make ---------------------------------------------------------------------------------

LIMIT = PAGE_CHARS - 100
HOSTILE = {
    "quotes in quotes": "> " * (LIMIT // 2),
    "quotes of every depth": "".join(">" * (n % 200) + " a\n" for n in range(400)),
    "lists in lists": "".join("  " * (n % 90) + "- a\n" for n in range(420)),
    "links": "[a](http://a.example) " * (LIMIT // 22),
    "links that never close": "[a](" * (LIMIT // 4),
    "images in links": "[![]()" * (LIMIT // 6),
    "one long address, named often": f"[a]: http://a.example/{'x' * 19_000}\n\n" + "[a] " * 4_900,
    "a wide table of empty rows": "|" + "a|" * 200 + "\n|" + "-|" * 200 + "\n" + "|\n" * 18_000,
    "a table of one cell": "|a|\n|-|\n" + "|b\n" * 12_000,
    "formulas": "$a$ " * (LIMIT // 4),
    "formulas that never close": "\\[\n" * (LIMIT // 3),
    "emphasis": "*a **b _c " * (LIMIT // 10),
    "one long line": "x" * LIMIT,
    "one long word of code": "`" * (LIMIT // 2) + "a" + "`" * (LIMIT // 2),
    "entities": "&amp;" * (LIMIT // 5),
    "zero-width characters": "\u200b" * LIMIT,
    "marks on one letter": "a" + "\u0301" * LIMIT,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_answer_makes_a_page_slow_or_large(cast: Cast, text: str) -> None:
    share = shared(cast.alice, "Hi", text[:LIMIT])
    started = time.monotonic()
    for number in range(1, share.page_count + 1):
        answer = opened(cast, share, number)
        assert answer.status_code == 200
        assert len(answer.content) < PAGE_BYTES
    assert time.monotonic() - started < DEADLINE


def test_an_answer_that_costs_too_much_is_shown_as_typed_beside_the_others(cast: Cast) -> None:
    table = "|" + "a|" * 200 + "\n|" + "-|" * 200 + "\n" + "|\n" * 200
    page = opened(cast, shared(cast.alice, "Hi", "**First**", "And?", (table * 20)[:10_000])).content.decode()
    assert "<strong>First</strong>" in page
    assert "|a|a|a|" in page
    assert "<table>" not in page


def test_a_page_that_is_not_ready_in_time_says_so(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.sharing.render_jobs.WAIT_SECONDS", 0.01)
    answer = opened(cast, shared(cast.alice, "Hi", "**word** " * 3000))
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert "This page is being prepared" in answer.content.decode()


def test_one_visitor_has_a_page_made_only_so_often(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.sharing.render_jobs.JOBS_A_MINUTE", 2)
    share = shared(cast.alice, *(f"**{n}** " + "word " * 6000 for n in range(8)))
    assert share.page_count == 8  # every second one has an answer
    assert [opened(cast, share, number).status_code for number in (2, 4, 6)] == [200, 200, 429]
    again = opened(cast, share, 2)
    assert again.status_code == 200  # what is made already costs nothing
    other = Client(REMOTE_ADDR="192.0.2.9").get(f"{share.get_absolute_url()}?page=6")
    assert other.status_code == 200


def test_pages_are_made_while_redis_is_away(cast: Cast, settings: Settings) -> None:
    share = shared(cast.alice, "Hi", "**word** " * 3000)
    away = {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/redis.sock"}
    settings.CACHES = {"default": away}
    assert "<strong>word</strong>" in opened(cast, share).content.decode()


def test_the_print_view_is_in_parts_too(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.transfer.views.PART_MESSAGES", 20)
    conversation, _ = long_talk(cast.alice, 50)
    client = cast.client("alice")
    read = ""
    for number in (1, 2, 3):
        page = client.get(f"/c/{conversation.pk}/print/?part={number}").content.decode()
        assert f"Page {number} of 3" in page
        read += page
    assert all(f'<p dir="auto">m{n}</p>' in read for n in range(50))
    for missing in ("0", "4", "x", ""):
        assert client.get(f"/c/{conversation.pk}/print/?part={missing}").status_code == 404


# --- Unlisted, whatever the answer is ----------------------------------------------------------------------


def test_every_answer_below_s_is_unlisted(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    share = shared(cast.alice, "Hi", "**word** " * 3000)
    client, address = cast.client("anonymous"), share.get_absolute_url()
    answers = [
        client.get(address),
        client.get(f"{address}?page=9"),
        client.get(f"/s/{'x' * 32}/"),
        client.get("/s/é/"),
        client.get(address.rstrip("/")),
        client.post(address),
        client.get(f"{address}report/"),
        client.post(f"{address}report/", {"reason": "x"}),
        client.post(f"{address}report/", "{", content_type="application/json"),
        Client(enforce_csrf_checks=True).post(f"{address}report/", {"reason": "harmful"}),
    ]
    monkeypatch.setattr("chat.sharing.views.REPORTS_AN_HOUR", 0)
    answers.append(client.post(f"{address}report/", {"reason": "harmful"}))
    assert {each.status_code for each in answers} == {200, 301, 400, 403, 404, 405, 429}
    for answer in answers:
        assert answer["X-Robots-Tag"] == "noindex, nofollow, noarchive"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert answer["Cache-Control"] == "private, no-store"
