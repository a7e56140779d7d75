"""Two models that run answer one question side by side; one of them is chosen to go on with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from inference.wire import queue
from tests.e2e import axe
from tests.e2e.browsing import Windows, until
from tests.e2e.chat import Chat, words
from tests.e2e.people import Person
from tests.e2e.second_model import in_service
from tests.faults.model_worker import ModelWorker
from tests.faults.store import Store
from tests.grokweb.service import Service

SLUG = "scripted-prefix"
# Its worker announces the same name as the first one's: staff give it another.
NAMED = f"""
import time
from chat.model_cards.models import ModelCard
deadline = time.monotonic() + 90
while not ModelCard.objects.filter(slug="{SLUG}", last_seen_at__isnull=False).exists():
    assert time.monotonic() < deadline, "the second model was not seen"
    time.sleep(0.1)
ModelCard.objects.filter(slug="{SLUG}").update(texts={{"en": {{"name": "Second engine"}}}})
"""
GONE = f"""
from chat.model_cards.models import ModelCard
ModelCard.objects.filter(slug="{SLUG}").delete()
"""


@pytest.fixture
def second_engine(service: Service) -> Iterator[None]:
    worker = ModelWorker(service, "second-engine", model="scripted:prefix", slug=SLUG)
    try:
        worker.start()
        in_service(service, NAMED)
        yield
    finally:
        worker.close()
        with Store(service.data).client() as client:
            queue.withdraw_model(client, SLUG)  # else reconcile makes a card again
        in_service(service, GONE)


def left_and_top(answer: Locator) -> tuple[float, float]:
    box = answer.bounding_box()
    assert box is not None
    return box["x"], box["y"]


@pytest.mark.usefixtures("second_engine")
def test_two_answers_are_written_side_by_side_and_one_is_chosen(windows: Windows, person: Person) -> None:
    chat = Chat(windows.page(person))
    page, columns = chat.page, chat.page.locator(".column-answer")
    page.get_by_role("button", name="Also ask…").click()
    page.get_by_role("menuitemradio", name="Second engine").click()
    expect(page.get_by_role("button", name="Also asks Second engine")).to_be_visible()
    chat.ask("slow:200:60")
    expect(columns).to_have_count(2)
    expect(page.get_by_role("button", name="Also ask…")).to_be_visible()  # it was for one question
    for body in columns.locator(".body").all():
        until(page, lambda body=body: "w3" in body.inner_text(), "words of both")  # type: ignore[misc]
    (left, top), (right, also_top) = map(left_and_top, columns.all())
    assert left < right
    assert top == also_top
    expect(columns.locator(".column-head b")).to_have_text(["Scripted test engine", "Second engine"])
    page.reload()
    expect(columns.locator(".column-head b")).to_have_text(["Scripted test engine", "Second engine"])
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
