"""The switch for notifications, what the service worker shows, and what it does by itself.

The push service of the browser's maker cannot be reached here: subscriptions are stand-ins, and DevTools
delivers the message in its place. Events that only a browser makes (a click on a notification, the end of
a subscription) are dispatched in the service worker that runs. There the browser refuses `waitUntil` of an
event that a script made, and windows without a real click: the test gets their calls instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from playwright import sync_api
from playwright.sync_api import Locator, Page, Playwright, Worker, expect

from chat.accounts.models import User
from chat.push.models import PushDevice
from chat.push.notifying import message_for
from tests import browser
from tests.chat.push.browsers import Browser
from tests.e2e import axe
from tests.e2e.browsing import Windows, until
from tests.e2e.chat import Chat
from tests.e2e.people import Person

STAND_IN = """(subscription) => {
  const made = () => localStorage.getItem("subscribed") && {
    toJSON: () => ({ endpoint: subscription.endpoint, keys: subscription }),
    unsubscribe: async () => localStorage.removeItem("subscribed"),
  };
  PushManager.prototype.getSubscription = async () => made();
  PushManager.prototype.subscribe = async () => {
    localStorage.setItem("subscribed", "1");
    return made();
  };
}"""
CONVERSATION = "9b2d7c1e-52f0-4c1b-8d61-0f6f0c9d1a77"
MESSAGE = {"title": "GrokWeb", "body": "An answer is ready.", "conversation": CONVERSATION}
# In a page or in the service worker.
SHOWN = """async () => {
  const registration = self.registration ?? await navigator.serviceWorker.getRegistration("/");
  return (await registration.getNotifications()).map(({ title, body, data }) => [title, body, data]);
}"""
# The browser ended the subscription `old` by itself; the worker gets `made` when it asks for another one.
RENEWED = """async ([old, made]) => {
  const seen = { subscribed: [], asked: [], unsubscribed: 0 };
  PushManager.prototype.subscribe = async ({ applicationServerKey }) => {
    seen.subscribed.push(applicationServerKey);
    return {
      toJSON: () => ({ endpoint: made.endpoint, keys: made }),
      unsubscribe: async () => seen.unsubscribed++,
    };
  };
  self.reallyFetch ??= self.fetch;
  self.fetch = async (address, init) => {
    const answer = await self.reallyFetch(address, init);
    seen.asked.push([init.method ?? "GET", answer.status, init.body ? JSON.parse(init.body) : null]);
    return answer;
  };
  let work;
  const event = Object.assign(new ExtendableEvent("pushsubscriptionchange"), {
    oldSubscription: { endpoint: old }, waitUntil: (promise) => { work = promise; },
  });
  dispatchEvent(event);
  await work;
  return seen;
}"""
# The person clicks on the notification of a conversation. Pages have the address with which they were
# loaded, as in browsers other than Chromium, and have time enough to say where they are.
CLICKED = """async (tag) => {
  const seen = { opened: [], focused: [] };
  const url = Object.getOwnPropertyDescriptor(Client.prototype, "url");
  Object.defineProperty(Client.prototype, "url", {
    ...url, get() { return url.get.call(this).replace(/[/]c[/].*/, "/"); },
  });
  self.reallyWait ??= self.setTimeout;
  self.setTimeout = (run, wait) => self.reallyWait(run, 100 * wait);
  clients.openWindow = async (path) => { seen.opened.push(path); };
  WindowClient.prototype.focus = async function () { seen.focused.push(await placeOf(this)); };
  const [notification] = await registration.getNotifications({ tag });
  let work;
  const event = Object.assign(new NotificationEvent("notificationclick", { notification }), {
    waitUntil: (promise) => { work = promise; },
  });
  dispatchEvent(event);
  await work;
  return seen;
}"""


@pytest.fixture(scope="module")
def chromium(driver: Playwright, browser_type_launch_args: dict[str, Any]) -> Iterator[sync_api.Browser]:
    """Yields a Chromium with windows: without them it shows no notifications."""
    if browser.find_with_windows() is None:
        pytest.skip(browser.NO_NOTIFICATIONS)
    opened = driver.chromium.launch(
        **{**browser_type_launch_args, "executable_path": browser.find_with_windows()}
    )
    yield opened
    opened.close()


def deliver(page: Page, message: dict[str, str]) -> None:
    session = page.context.new_cdp_session(page)
    found: list[dict[str, Any]] = []
    session.on("ServiceWorker.workerRegistrationUpdated", lambda event: found.extend(event["registrations"]))
    session.send("ServiceWorker.enable")
    until(page, lambda: found, "the service worker is known")
    where = {"origin": found[0]["scopeURL"].rstrip("/"), "registrationId": found[0]["registrationId"]}
    session.send("ServiceWorker.deliverPushMessage", {**where, "data": json.dumps(message)})
    session.detach()


def worker_of(page: Page) -> Worker:
    """Returns the service worker, which pages register a moment after they were loaded."""
    until(page, lambda: page.context.service_workers, "the service worker runs")
    return page.context.service_workers[0]


def test_a_browser_is_switched_on_and_shows_a_message_unless_a_page_is_visible(
    windows: Windows, person: Person
) -> None:
    page = windows.page(person)
    subscription = json.dumps(Browser().subscription("https://push.example.net/send/abc"))
    page.context.add_init_script(f"({STAND_IN})({subscription})")
    page.goto("/settings/#notifications")
    section = page.get_by_role("region", name="Notifications")
    switch = section.get_by_label("Tell me when an answer is ready")
    expect(switch).not_to_be_checked()
    axe.check(page, "the settings with notifications")
    page.context.grant_permissions([])
    switch.click()
    expect(section.get_by_role("alert")).to_contain_text("permit notifications")
    expect(switch).not_to_be_checked()

    page.context.grant_permissions(["notifications"])
    switch.check()
    expect(section.get_by_role("status")).to_have_text("This browser will tell you.")
    page.reload()
    expect(switch).to_be_checked()

    deliver(page, MESSAGE | {"conversation": "seen"})
    page.wait_for_timeout(1_000)  # the worker asks which pages are visible while this one is
    page.goto("about:blank")
    deliver(page, MESSAGE)
    page.goto("/settings/")
    until(page, lambda: page.evaluate(SHOWN), "the notification is shown")
    assert page.evaluate(SHOWN) == [[MESSAGE["title"], MESSAGE["body"], CONVERSATION]]

    switch.uncheck()
    expect(section.get_by_role("status")).to_have_text("Notifications are off.")
    page.reload()
    expect(switch).not_to_be_checked()


def switch_in_settings(page: Page) -> tuple[Locator, Locator]:
    page.goto("/settings/#notifications")
    section = page.get_by_role("region", name="Notifications")
    return section, section.get_by_label("Tell me when an answer is ready")


def test_a_subscription_that_the_browser_ended_is_renewed_while_its_person_wants_it(
    windows: Windows, person: Person
) -> None:
    page = windows.page(person)
    first, second = (Browser().subscription(f"https://push.example.net/send/{name}") for name in "ab")
    page.context.add_init_script(f"({STAND_IN})({json.dumps(first)})")
    page.context.grant_permissions(["notifications"])
    section, switch = switch_in_settings(page)
    switch.check()
    expect(section.get_by_role("status")).to_have_text("This browser will tell you.")
    key = page.locator("[data-push]").get_attribute("data-push")

    worker = worker_of(page)
    assert worker.evaluate(RENEWED, [first["endpoint"], second]) == {
        "subscribed": [key],
        "asked": [["GET", 200, None], ["PUT", 200, {"old": first["endpoint"], **second}]],
        "unsubscribed": 0,
    }
    unusable = {**second, "endpoint": "https://127.0.0.1/send"}
    assert worker.evaluate(RENEWED, [second["endpoint"], unusable]) == {
        "subscribed": [key],
        "asked": [["GET", 200, None], ["PUT", 400, {"old": second["endpoint"], **unusable}]],
        "unsubscribed": 1,
    }
    page.reload()
    expect(switch).to_be_checked()
    switch.uncheck()
    expect(section.get_by_role("status")).to_have_text("Notifications are off.")
    assert worker_of(page).evaluate(RENEWED, [second["endpoint"], first]) == {
        "subscribed": [],
        "asked": [["GET", 200, None]],
        "unsubscribed": 0,
    }


def test_a_click_shows_the_open_page_of_the_conversation_or_opens_one_and_reads_its_id_alone(
    windows: Windows, person: Person
) -> None:
    chat = Chat(windows.page(person))
    page = chat.page
    page.context.grant_permissions(["notifications"])
    chat.ask("echo:a secret soup").wait_for_end()
    conversation = chat.conversation
    message = json.loads(message_for(PushDevice(), User(), UUID(conversation)))
    path, hostile = f"/c/{conversation}/", {**message, "conversation": "//other.example.net/"}
    worker = worker_of(page)

    page.goto("about:blank")
    deliver(page, message)
    deliver(page, hostile)
    until(page, lambda: len(worker.evaluate(SHOWN)) == 2, "both notifications are shown")
    assert sorted(worker.evaluate(SHOWN)) == [
        ["GrokWeb", "An answer is ready.", hostile["conversation"]],
        ["GrokWeb", "An answer is ready.", conversation],
    ]
    assert worker.evaluate(CLICKED, hostile["conversation"]) == {"opened": ["/"], "focused": []}
    assert worker.evaluate(CLICKED, conversation) == {"opened": [path], "focused": []}
    until(page, lambda: worker.evaluate(SHOWN) == [], "a click takes the notification away")

    deliver(page, message)
    until(page, lambda: worker.evaluate(SHOWN), "the notification is shown")
    page.context.new_page().goto("/")
    page.goto("/")
    chat.sidebar.locator(f'a[href="{path}"]').click()  # without another page load
    expect(chat.answer).to_have_text("a secret soup")
    assert worker.evaluate(CLICKED, conversation) == {"opened": [], "focused": [path]}
