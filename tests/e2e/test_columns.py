"""Two models answer one question side by side; one of them is chosen to go on with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e import axe
from tests.e2e.browsing import Windows, until
from tests.e2e.chat import Chat, words
from tests.e2e.people import Person
from tests.e2e.second_model import NO_SLEEPER, SLEEPER, in_service
from tests.grokweb.service import Service


@pytest.fixture
def sleeper(service: Service) -> Iterator[None]:
    """Adds a second model, without which the page offers none."""
    in_service(service, SLEEPER)
    yield
    in_service(service, NO_SLEEPER)


def left_and_top(answer: Locator) -> tuple[float, float]:
    box = answer.bounding_box()
    assert box is not None
    return box["x"], box["y"]


@pytest.mark.usefixtures("sleeper")
def test_two_answers_are_written_side_by_side_and_one_is_chosen(windows: Windows, person: Person) -> None:
    chat = Chat(windows.page(person))
    page, columns = chat.page, chat.page.locator(".column-answer")
    page.get_by_role("button", name="Also ask…").click()
    page.get_by_role("menuitemradio", name="Scripted test engine").click()
    expect(page.get_by_role("button", name="Also asks Scripted test engine")).to_be_visible()
    chat.ask("slow:200:60")
    expect(columns).to_have_count(2)
    expect(page.get_by_role("button", name="Also ask…")).to_be_visible()  # it was for one question
    for body in columns.locator(".body").all():
        until(page, lambda body=body: "w3" in body.inner_text(), "words of both")  # type: ignore[misc]
    (left, top), (right, also_top) = map(left_and_top, columns.all())
    assert left < right
    assert top == also_top
    page.reload()
    columns.nth(1).get_by_role("button", name="Stop", exact=True).click()
    expect(columns.nth(1)).to_contain_text("You stopped this reply.")
    expect(columns.nth(0).locator(".body")).to_have_text(words(200))
    columns.nth(1).get_by_role("button", name="Continue", exact=True).click()
    expect(columns.nth(1).locator(".body")).to_have_text(words(200))
    chat.wait_for_end()
    expect(columns.nth(1)).to_contain_text("Your next message follows this answer.")
    assert axe.findings(page) == []
    columns.nth(0).get_by_role("button", name="Continue with this one").press("Enter")
    expect(columns.nth(0)).to_contain_text("Your next message follows this answer.")
    expect(chat.box).to_be_focused()
    page.set_viewport_size({"width": 360, "height": 740})
    (left, top), (right, also_top) = map(left_and_top, columns.all())
    assert left == right
    assert top < also_top
    other = Chat(windows.page(person, page.url))
    expect(other.page.locator(".column-answer")).to_have_count(2)
    chat.ask("next").wait_for_end()
    for each in (chat, other):
        expect(each.answers.locator(".body")).to_have_text([words(200), "next"])
        expect(each.answers.first.locator(".place")).to_have_text("1 of 3")
        expect(each.page.locator(".column-answer")).to_have_count(0)
