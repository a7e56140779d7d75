"""Measures opening the empty chat: bytes and requests over the wire, heap, time until one can write.

A real chromium before a real service over loopback; each round is another person's first visit, with an empty
cache, and all of the page's requests count until nothing has come for a while.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from grokweb import install_steps
from tests import browser
from tests.bench.report import Figure, figure
from tests.e2e.browsing import Windows, Witness, until
from tests.e2e.people import invite
from tests.grokweb.service import Service

ROUNDS = 7
ENVIRONMENT = {"GROKWEB_DAILY_TOKENS": "100000000"}
# Left by static/js/pages/chat.js once the page is wired: what a person waits for.
USABLE = "performance.getEntriesByName('grokweb.usable')[0]?.startTime"


@dataclass
class Opened:
    """The results of one visit."""

    bytes: float = 0.0
    requests: dict[str, str] = field(default_factory=dict)  # request -> address
    sizes: dict[str, float] = field(default_factory=dict)
    heap: float = 0.0
    usable: float = 0.0  # seconds from the navigation


class Visit:
    def __init__(self, page: Page) -> None:
        self.page, self.seen = page, Opened()
        self.session: CDPSession = page.context.new_cdp_session(page)
        for domain in ("Network", "Performance"):
            self.session.send(f"{domain}.enable")
        self.session.on("Network.requestWillBeSent", self._asked)
        self.session.on("Network.loadingFinished", self._came)

    def _asked(self, event: dict[str, Any]) -> None:
        if event["request"]["url"].startswith("http"):
            self.seen.requests[event["requestId"]] = event["request"]["url"]

    def _came(self, event: dict[str, Any]) -> None:
        if event["requestId"] in self.seen.requests:
            self.seen.sizes[event["requestId"]] = event["encodedDataLength"]

    def watch(self) -> Opened:
        self.page.goto("/", wait_until="networkidle")  # half a second without a request
        until(self.page, lambda: self.page.evaluate(USABLE), "the composer is usable")
        self.seen.usable = self.page.evaluate(USABLE) / 1000
        metrics = {
            each["name"]: each["value"] for each in self.session.send("Performance.getMetrics")["metrics"]
        }
        self.seen.heap = metrics["JSHeapUsedSize"] / 1e6
        self.seen.bytes = sum(self.seen.sizes.values()) / 1000
        return self.seen


def visit(chromium: Browser, origin: str, **window: Any) -> Opened:
    windows = Windows(chromium, origin, Witness(origin))
    try:
        return Visit(windows.window(**window).new_page()).watch()
    finally:
        windows.close()


def measure(service: Service) -> list[Opened]:
    people = invite(ROUNDS + 1, service.environment)
    origin = f"http://localhost:{service.port}"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.find(), args=browser.OPTIONS)
        rounds = [visit(chromium, origin, person=person) for person in people[1:]]
        chromium.close()
    return rounds[1:]  # the first one also waits for the browser and the service


def run() -> list[Figure]:
    if browser.find() is None:
        print(browser.MISSING)
        return []
    install_steps.build_static()
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), **ENVIRONMENT)
        try:
            rounds = measure(service.start().wait_until_ready())
        finally:
            service.close()
    for request, address in rounds[-1].requests.items():
        print(f"{rounds[-1].sizes.get(request, 0):8.0f} B  {address}")
    return [
        figure("page transferred, empty chat", [one.bytes for one in rounds], "kB", floor=100, aim=80),
        figure("page requests", [len(one.requests) for one in rounds], "", floor=15, aim=12),
        figure("page heap", [one.heap for one in rounds], "MB", floor=6, aim=4),
        figure("page until one can write", [one.usable for one in rounds], "s", floor=1, aim=0.5),
    ]
