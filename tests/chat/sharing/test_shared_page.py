"""A reader of a shared page gets the copied words, and nothing that runs or identifies anybody."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone, translation
from django.utils.translation import gettext
from prometheus_client import REGISTRY
from pytest_django import DjangoAssertNumQueries, Settings

from chat.conversations.models import Message, MessageStatus, Role
from chat.model_cards.models import ModelCard
from chat.sharing import copying
from tests.chat.cast import Cast
from tests.chat.conversations.building import say, talk
from tests.chat.sharing.opening import opened, shared

pytestmark = pytest.mark.django_db
REMOVED = "This message was removed by a moderator."


def renders() -> float:
    """Returns the number of pages made, from /metrics."""
    outcomes = ("made", "short", "typed")
    return sum(
        REGISTRY.get_sample_value("grokweb_shared_renders_total", {"outcome": each}) or 0 for each in outcomes
    )


@pytest.mark.parametrize("who", ["alice", "bob", "stranger", "staff", "anonymous"])
def test_everybody_with_the_address_reads_the_page(cast: Cast, who: str) -> None:
    share = shared(cast.alice, "What is *a* fish?", "A **fish** swims.", title="About <fish>")
    answer = opened(cast, share, who)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "About &lt;fish&gt;" in page
    assert "What is *a* fish?" in page
    assert "A <strong>fish</strong> swims." in page
    assert [m["role"] for m in answer.context["messages"]] == ["user", "assistant"]


def test_the_owner_is_not_named(cast: Cast) -> None:
    page = opened(cast, shared(cast.alice, "Hi", "Hello")).content.decode()
    for secret in (cast.alice.email, cast.alice.display_name, str(cast.alice.pk), "alice"):
        assert secret not in page


def test_headers_keep_it_unlisted(cast: Cast) -> None:
    answer = opened(cast, shared(cast.alice, "Hi", "Hello"))
    assert answer["X-Robots-Tag"] == "noindex, nofollow, noarchive"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["Cache-Control"] == "private, no-store"
    assert "script-src" in answer["Content-Security-Policy"]
    assert re.search(r'<meta name="?robots"? content="[^"]*noindex', answer.content.decode())


@pytest.mark.parametrize("is_demo", [True, False])
def test_a_demo_model_is_named_as_one(cast: Cast, is_demo: bool) -> None:
    ModelCard.objects.update(is_demo=is_demo, name="Small Model")
    answer = opened(cast, shared(cast.alice, "Hi", "Hello"))
    assert (answer.context["is_demo"], answer.context["model_name"]) == (is_demo, "Small Model")
    assert ("demo model" in answer.content.decode()) == is_demo


def test_only_the_open_branch_is_copied(cast: Cast) -> None:
    conversation = talk(cast.alice)
    first = say(conversation, "Which colour?", "Red.", "Sure?", "Yes, red.")
    say(conversation, "Blue.", under=first[0])
    page = opened(cast, copying.create_share(conversation=conversation, owner=cast.alice)).content.decode()
    assert "Blue." in page
    assert "Red." not in page
    assert "Sure?" not in page


def test_later_messages_and_changes_are_not_on_the_page(cast: Cast) -> None:
    share = shared(cast.alice, "Hi", "Hello")
    conversation = share.conversation
    say(conversation, "A later secret", under=conversation.messages.get(text="Hello"))
    Message.objects.filter(text="Hello").update(text="Changed")
    page = opened(cast, share).content.decode()
    assert "A later secret" not in page
    assert "Hello" in page


def test_hidden_system_and_empty_messages_are_left_out(cast: Cast) -> None:
    conversation = talk(cast.alice)
    system = Message.objects.create(conversation=conversation, role=Role.SYSTEM, text="Be a pirate")
    asked = Message.objects.create(conversation=conversation, parent=system, role=Role.USER, text="Hi")
    hidden = say(conversation, "Hidden words", under=asked)[0]
    Message.objects.filter(pk=hidden.pk).update(hidden_at=timezone.now())
    failed = say(conversation, "Again?", "", under=hidden)[-1]
    Message.objects.filter(pk=failed.pk).update(status=MessageStatus.FAILED)
    share = copying.create_share(conversation=conversation, owner=cast.alice)
    assert [each["text"] for each in share.pages.get().messages] == ["Hi", "Again?"]


def test_a_message_hidden_after_the_copy_is_replaced(cast: Cast) -> None:
    share = shared(cast.alice, "Hi", "Hello there")
    assert REMOVED not in opened(cast, share).content.decode()
    Message.objects.filter(text="Hello there").update(hidden_at=timezone.now())
    page = opened(cast, share).content.decode()
    assert REMOVED in page
    assert "Hello there" not in page


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_title_goes_with_the_question_it_was_made_of(cast: Cast, when: str) -> None:
    conversation = talk(cast.alice, title="How to hurt Bob")
    asked, _ = say(conversation, "How to hurt Bob", "No.")
    hide = Message.objects.filter(pk=asked.pk)
    if when == "before":
        hide.update(hidden_at=timezone.now())
    share = copying.create_share(conversation=conversation, owner=cast.alice)
    if when == "after":
        assert "How to hurt Bob" in opened(cast, share).content.decode()
        hide.update(hidden_at=timezone.now())
    page = opened(cast, share).content.decode()
    assert "hurt" not in page
    assert '<h1 dir="auto">Shared conversation</h1>' in page
    hide.update(hidden_at=None)
    assert "How to hurt Bob" in opened(cast, share).content.decode()


def test_a_page_that_is_hard_to_make_is_made_once(cast: Cast) -> None:
    """The page is as expensive as possible: each request of a reader would cost the same again."""
    share = shared(cast.alice, *("[![]()" * 340 + f" {n}" for n in range(12)))
    before = renders()
    pages = [opened(cast, share).content.decode() for _ in range(2)]
    assert renders() == before + 1
    assert pages[0].count("Image:") == pages[1].count("Image:") == 6 * 340


def test_cached_pages_are_in_the_language_of_the_reader(cast: Cast) -> None:
    share = shared(cast.alice, "Hi", "![](https://example.org/dog.png)")
    for _ in range(2):
        for language in ("en", "fr"):
            page = cast.client("anonymous").get(share.get_absolute_url(), HTTP_ACCEPT_LANGUAGE=language)
            with translation.override(language):
                assert gettext("no description") in page.content.decode()


def test_markdown_is_rendered_in_answers_and_not_in_questions(cast: Cast) -> None:
    page = opened(cast, shared(cast.alice, "**Hi**", "**Hi**")).content.decode()
    assert '<p dir="auto">**Hi**</p>' in page
    assert '<p dir="auto"><strong>Hi</strong></p>' in page


def test_a_page_opens_while_redis_is_away(
    cast: Cast, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    share = shared(cast.alice, "Hi", "**Hello**")
    away = {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/redis.sock"}
    settings.CACHES = {"default": away}
    page = opened(cast, share, "anonymous")
    assert "<strong>Hello</strong>" in page.content.decode()
    assert "Redis does not answer" in caplog.text


def test_opening_costs_the_same_however_long_it_is(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    counts = []
    for length in (2, 300):
        share = shared(cast.alice, *(f"words {n}" for n in range(length)))
        with CaptureQueriesContext(connection) as captured:
            opened(cast, share)
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 4
