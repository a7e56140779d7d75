"""Images are pasted, dropped, shown, seen by the model, and refused by one that does not see them."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.chat.files import making_images as making
from tests.e2e.browsing import PATIENCE, Windows
from tests.e2e.chat import Chat
from tests.e2e.people import Person
from tests.e2e.second_model import NO_SLEEPER, SLEEPER, in_service
from tests.grokweb.service import Service

GIVE = """
({ data, name, type, paste }) => {
  const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
  const given = new DataTransfer();
  given.items.add(new File([bytes], name, { type }));
  const options = { bubbles: true, cancelable: true };
  const event = paste
    ? new ClipboardEvent("paste", { ...options, clipboardData: given })
    : new DragEvent("drop", { ...options, dataTransfer: given });
  document.querySelector(paste ? "#text" : "[data-main]").dispatchEvent(event);
}
"""
TO_SLEEPER = """
from chat.conversations.models import Conversation
Conversation.objects.filter(messages__text="image:").update(model="sleeper")
"""
FROM_SLEEPER = """
from chat.conversations.models import Conversation
Conversation.objects.filter(model="sleeper").delete()
"""
# As if staff had hidden another version of the question, with the same image.
HIDE_LAKE = """
from django.utils import timezone
from chat.conversations.models import Message, Role
from chat.files.attaching import attach
from chat.files.hiding import hide_images
from chat.files.models import File
lake = File.objects.get(name="lake.jpg")
conversation = lake.attachments.get().message.conversation
fields = {"role": Role.USER, "text": "rude", "hidden_at": timezone.now()}
hidden = Message.objects.create(conversation=conversation, **fields)
attach(hidden, [lake])
hide_images(hidden.pk)
"""
LOADED = "(image) => image.complete && image.naturalWidth"


@pytest.fixture
def sleeper(service: Service) -> Iterator[None]:
    in_service(service, SLEEPER)
    yield
    in_service(service, FROM_SLEEPER + NO_SLEEPER)


def give(chat: Chat, data: bytes, name: str, *, paste: bool) -> None:
    kind = {"png": "image/png", "jpg": "image/jpeg"}[name.rpartition(".")[2]]
    packed = base64.b64encode(data).decode()
    chat.page.evaluate(GIVE, {"data": packed, "name": name, "type": kind, "paste": paste})


def test_images_reach_the_model_and_stay_in_the_chat(
    sleeper: None, service: Service, windows: Windows, person: Person
) -> None:
    page = windows.page(person, size=(360, 740), touch=True)
    chat = Chat(page)
    give(chat, making.written(making.photo(1_600, 800), "JPEG"), "lake.jpg", paste=False)
    give(chat, making.written(making.picture(), "PNG"), "flag.png", paste=True)
    chips = page.locator(".files .chip")
    for name, size in (("lake.jpg", "1,568 × 784"), ("flag.png", "64 × 48")):
        expect(chips.filter(has_text=name)).to_contain_text(size, timeout=PATIENCE * 1000)
    chat.ask("image:").wait_for_end()
    expect(chat.answer).to_have_text("JPEG 1568×784, PNG 64×48")

    page.reload()
    chat = Chat(page)
    lake = page.locator(".message-files").get_by_role("img", name="lake.jpg")
    expect(lake).to_have_attribute("width", "280")
    expect(lake).to_have_attribute("height", "140")
    assert lake.evaluate(f"async (image) => {{ await image.decode(); return ({LOADED})(image); }}") == 1568
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    lake.click()
    dialog = page.get_by_role("dialog", name="lake.jpg")
    expect(dialog.get_by_role("img", name="lake.jpg")).to_be_visible()
    expect(dialog.locator("pre")).to_be_hidden()
    page.keyboard.press("Escape")
    in_service(service, HIDE_LAKE)
    expect(page.locator(".message-files li").first).to_contain_text("A moderator removed this image.")
    expect(lake).to_have_count(0)
    expect(page.locator(".message-files").get_by_role("img", name="flag.png")).to_be_visible()

    page.get_by_role("button", name="Attach files").click()
    expect(page.get_by_role("menuitem", name="Take a photo")).to_be_visible()
    page.keyboard.press("Escape")
    in_service(service, TO_SLEEPER)
    page.reload()
    chat = Chat(page)
    chat.expect_notice("Sleeper cannot see images: it answers without those of this conversation.")
    asleep = "The model is not running at the moment. Messages wait until it is back."
    chat.expect_notice(asleep)  # the model of this chat is meant, not that of new ones
    give(chat, making.written(making.picture(), "PNG"), "flag.png", paste=True)
    chat.expect_notice("Sleeper cannot see images. These models can: Scripted test engine.")
    expect(chips).to_have_count(0)
