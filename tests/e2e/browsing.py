"""Browser windows of people, and a witness that records every error in them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response

from tests.e2e.people import Person
from tests.grokweb.service import Service

PATIENCE = 30.0  # seconds; a busy machine
DESKTOP, PHONE = (1280, 800), (390, 844)
# Reported from inside, too: the console names the directive, this names what was blocked.
TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} blocked ${event.blockedURI} ${event.sample}`));
"""

# The drawer has slid in, the dialog has faded in; a cursor that blinks for ever does not count.
MOVEMENTS_END = """() => Promise.allSettled(document.getAnimations()
    .filter((movement) => movement.effect?.getComputedTiming().endTime < Infinity)
    .map((movement) => movement.finished))"""

# The service worker's: a page looks for it anew, in vain without network or when it is left meanwhile.
SCRIPT_MISSED = "error occurred when fetching the script"


class Witness:
    """Records console errors, exceptions, lost requests, server errors, CSP violations, and all requests."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.troubles: list[str] = []
        self.requests: list[str] = []
        self.allowed: list[re.Pattern[str]] = []

    def allow(self, *patterns: str) -> None:
        """Ignores errors that the test provokes on purpose."""
        self.allowed += map(re.compile, patterns)

    def watch(self, context: BrowserContext) -> None:
        context.add_init_script(TELL_VIOLATIONS)
        context.on("console", self._console)
        context.on("weberror", lambda error: self._note(f"exception: {error.error}"))
        context.on("request", self._request)
        context.on("requestfailed", self._request_failed)
        context.on("response", self._response)

    def unexpected(self) -> list[str]:
        return [each for each in self.troubles if not any(one.search(each) for one in self.allowed)]

    def _note(self, trouble: str) -> None:
        self.troubles.append(trouble)

    def _console(self, message: ConsoleMessage) -> None:
        if SCRIPT_MISSED in message.text:
            return
        if message.type in {"error", "warning"}:
            self._note(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self._note(f"a request left the site: {request.url}")

    def _request_failed(self, request: Request) -> None:
        if "ERR_ABORTED" not in (request.failure or ""):  # a page that is left drops what it asked for
            self._note(f"request failed: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 500:
            self._note(f"{response.status} from {response.url}")


class Windows:
    """Opens browser windows: each with its own cookies, as another person or another device."""

    def __init__(self, browser: Browser, origin: str, witness: Witness) -> None:
        self._browser, self.origin, self.witness = browser, origin, witness
        self._opened: list[BrowserContext] = []

    def window(
        self,
        person: Person | None = None,
        *,
        size: tuple[int, int] = DESKTOP,
        language: str = "en-US",
        dark: bool = False,
        touch: bool = False,
        reduced_motion: bool = True,
    ) -> BrowserContext:
        context = self._browser.new_context(
            base_url=self.origin,
            viewport={"width": size[0], "height": size[1]},
            locale=language,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if reduced_motion else "no-preference",
            has_touch=touch,
            is_mobile=touch,
        )
        context.set_default_timeout(PATIENCE * 1000)
        self.witness.watch(context)
        if person:
            context.add_cookies([{"name": person.cookie, "value": person.value, "url": self.origin}])
        self._opened.append(context)
        return context

    def page(self, person: Person | None = None, path: str = "/", **how: Any) -> Page:
        page = self.window(person, **how).new_page()
        page.goto(path)
        return page

    def photograph(self, folder: Path, name: str) -> None:
        pages = [page for context in self._opened for page in context.pages]
        for number, page in enumerate(pages, 1):
            page.screenshot(path=folder / f"{name}-{number}.png")

    def close(self) -> None:
        for context in self._opened:
            context.close()


def until(page: Page, check: Callable[[], Any], what: str, seconds: float = PATIENCE) -> None:
    """Waits while the browser goes on; wait_for_function needs eval, which the CSP forbids."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        page.wait_for_timeout(30)


def origin_of(service: Service) -> str:
    return f"http://localhost:{service.port}"
