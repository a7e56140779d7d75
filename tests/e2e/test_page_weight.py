"""Limits of requests and bytes for a first visit to the empty chat; `make bench ONLY=page` measures time."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.bench.page import visit
from tests.e2e.browsing import Windows, origin_of
from tests.e2e.chat import Chat
from tests.e2e.people import Person
from tests.grokweb.service import Service


def test_the_empty_chat_is_light(chromium: Browser, service: Service, person: Person) -> None:
    opened = visit(chromium, origin_of(service), person=person)
    assert len(opened.requests) <= 15, sorted(opened.requests.values())
    assert opened.bytes <= 100, opened.sizes
    assert opened.heap <= 6


def test_formula_and_highlighting_scripts_load_only_when_needed(windows: Windows, person: Person) -> None:
    page = windows.page(person)
    chat = Chat(page)

    def fetched(name: str) -> bool:
        return any(f"/bundle/{name}." in url for url in windows.witness.requests)

    assert not fetched("katex")
    assert not fetched("highlighter")
    chat.ask("echo:$x^2$\n\n```python\ndef f(): pass\n```").wait_for_end()
    expect(chat.answer.locator("math")).to_be_visible()
    expect(chat.answer.locator(".hljs-keyword").first).to_be_visible()
    assert fetched("katex")
    assert fetched("highlighter")
    assert fetched("python")
    assert not fetched("ruby")


def test_files_come_compressed_and_stay_with_the_browser(windows: Windows, person: Person) -> None:
    seen = {}
    window = windows.window(person)
    window.on("response", lambda answer: seen.update({answer.url: answer.headers}))
    window.new_page().goto("/")
    origin = windows.origin
    for own in ("/", "/jsi18n/"):
        assert seen[f"{origin}{own}"]["content-encoding"] == "gzip", own
    named = {url: headers for url, headers in seen.items() if "/static/" in url}
    assert any("/bundle/" in url for url in named)
    for url, headers in named.items():
        assert headers["content-encoding"] in {"br", "gzip"}, url
        assert "immutable" in headers["cache-control"], url
