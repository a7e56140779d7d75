"""The switch for notifications, and what the service worker shows.

The push service of the browser's maker cannot be reached here: the page's subscription is a stand-in, and
DevTools delivers the message in its place.
"""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page, expect

from tests.chat.push.browsers import Browser
from tests.e2e import axe
from tests.e2e.browsing import Windows, until
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
SHOWN = """async () => {
  const registration = await navigator.serviceWorker.getRegistration("/");
  return (await registration.getNotifications()).map(({ title, body, data }) => [title, body, data]);
}"""


def deliver(page: Page, message: dict[str, str]) -> None:
    session = page.context.new_cdp_session(page)
    found: list[dict[str, Any]] = []
    session.on("ServiceWorker.workerRegistrationUpdated", lambda event: found.extend(event["registrations"]))
    session.send("ServiceWorker.enable")
    until(page, lambda: found, "the service worker is known")
    where = {"origin": found[0]["scopeURL"].rstrip("/"), "registrationId": found[0]["registrationId"]}
    session.send("ServiceWorker.deliverPushMessage", {**where, "data": json.dumps(message)})
    session.detach()


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
