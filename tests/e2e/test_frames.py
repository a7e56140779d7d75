"""Diagrams and previews of an answer's code: in a frame that reaches nothing, opened by the reader."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import FrameLocator, Page, Request, expect

from tests.e2e.browsing import Windows, until
from tests.e2e.chat import Chat
from tests.e2e.people import Person

GRAPH = "```mermaid\ngraph TD\n  A[Start] --> B{Is it?}\n  B -->|yes| C[Done]\n```"
PAGE = "<h1 id=t>Hello</h1><script>t.textContent = 'Hello from a script'</script>"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle r="4" cx="4" cy="4"/></svg>'
BLOCKED = (
    "CSP",
    "Content Security Policy",
    "sandboxed",
    "Blocked",
    "blocked",
    "Unsafe attempt",
    "request failed",
)


class Neighbour:
    """Serves another origin, and records every connection to it."""

    def __init__(self) -> None:
        self.knocks: list[bytes] = []
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        for listen in (self._accept, self._receive):
            threading.Thread(target=listen, daemon=True).start()

    @property
    def tcp(self) -> str:
        return f"127.0.0.1:{self._tcp.getsockname()[1]}"

    @property
    def udp(self) -> str:
        return f"127.0.0.1:{self._udp.getsockname()[1]}"

    def close(self) -> None:
        self._tcp.close()
        self._udp.close()

    def _accept(self) -> None:
        try:
            while True:
                self._tcp.accept()[0].close()
                self.knocks.append(b"tcp")
        except OSError:
            return  # closed

    def _receive(self) -> None:
        try:
            while True:
                self.knocks.append(self._udp.recv(100))
        except OSError:
            return


@pytest.fixture
def neighbours() -> Iterator[dict[str, Neighbour]]:
    """Provides one for each attack: a knock tells which it was."""
    made = {name: Neighbour() for name in ATTACKS}
    yield made
    for each in made.values():
        each.close()


# Each tries to reach {tcp} or {udp}, or what is around the frame.
ATTACKS = {
    "fetch": "<script>fetch('http://{tcp}/', {{ mode: 'no-cors' }}).catch(() => 0);"
    "navigator.sendBeacon('http://{tcp}/')</script>",
    "elements": "<img src='http://{tcp}/'><link rel=stylesheet href='http://{tcp}/'><script src='http://{tcp}/'></script>"
    "<video src='http://{tcp}/' poster='http://{tcp}/'></video><object data='http://{tcp}/'></object>"
    "<style>@import 'http://{tcp}/'; body {{ background: url(http://{tcp}/) }}</style>",
    "hints": "<link rel=preconnect href='http://{tcp}'><link rel=prefetch href='http://{tcp}/'>"
    "<link rel=preload as=image href='http://{tcp}/'><link rel=modulepreload href='http://{tcp}/'>",
    "sockets": "<script>new WebSocket('ws://{tcp}/'); new EventSource('http://{tcp}/')</script>",
    "itself": "<script>location = 'http://{tcp}/'</script>",
    "refresh": "<meta http-equiv=refresh content='0; url=http://{tcp}/'>",
    "top": "<script>top.location = 'http://{tcp}/'</script>",
    "window": "<script>open('http://{tcp}/')</script>",
    "links": "<a id=a target=_blank href='http://{tcp}/'>a</a><a id=b href='http://{tcp}/' ping='http://{tcp}/'>b</a>"
    "<a id=c download href='http://{tcp}/'>c</a><script>a.click(); b.click(); c.click()</script>",
    "form": "<form id=f method=post action='http://{tcp}/'></form><script>f.submit()</script>",
    "frame": "<iframe src='http://{tcp}/'></iframe>"
    "<iframe srcdoc=\"<script>location = 'http://{tcp}/'</script>\"></iframe>",
    "own api": "<script>fetch('{origin}/api/usage/', {{ credentials: 'include' }}).catch(() => 0)</script>",
    # Last and later, because Chromium ends the process of the frames for it.
    "peer": '<iframe srcdoc="<script>setTimeout(() => {{'
    "const peer = new RTCPeerConnection({{ iceServers: [{{ urls: 'stun:{udp}' }}] }});"
    "peer.createDataChannel('x');"
    'peer.createOffer().then((offer) => peer.setLocalDescription(offer)) }}, 1000)</script>"></iframe>',
}
PROBE = """<p id=told></p><script>
const attempts = {
  parent: () => parent.document.title,
  top: () => top.document.cookie,
  cookie: () => document.cookie,
  storage: () => localStorage.length,
  database: () => indexedDB.open("x"),
  peer: () => new RTCPeerConnection(),
};
const works = (attempt) => { try { attempt(); return true; } catch { return false; } };
const reached = Object.keys(attempts).filter((name) => works(attempts[name]));
told.textContent = `${origin} reached: ${reached}`;
</script>"""


def fenced(code: str, language: str = "html") -> str:
    return f"```{language}\n{code}\n```"


def answer(chat: Chat, text: str) -> Chat:
    return chat.ask(f"echo:{text}").wait_for_end()


def shown(chat: Chat, button: str = "Show preview") -> FrameLocator:
    chat.answer.get_by_role("button", name=button).click()
    expect(chat.answer.locator("iframe")).to_be_visible()
    return chat.answer.frame_locator("iframe")


def test_a_diagram_is_drawn_when_it_is_opened(windows: Windows, person: Person) -> None:
    chat = answer(Chat(windows.page(person)), GRAPH)

    def mermaid() -> list[str]:
        return [url for url in windows.witness.requests if "/mermaid." in url]

    expect(chat.answer.locator("pre")).to_contain_text("A[Start] --> B{Is it?}")
    assert chat.answer.locator("iframe").count() == 0
    assert mermaid() == []
    drawn = shown(chat, "Show diagram").locator("svg#diagram")
    expect(drawn).to_be_visible()
    expect(drawn).to_contain_text("Is it?")
    assert len(mermaid()) == 1
    expect(chat.answer.locator("pre")).to_be_hidden()
    frame = chat.answer.locator("iframe")
    until(
        chat.page,
        lambda: int(frame.get_attribute("height") or 0) > 100,
        "the frame is as high as the diagram",
    )
    assert frame.get_attribute("sandbox") == "allow-scripts"


def test_the_source_is_one_click_away(chat: Chat) -> None:
    answer(chat, GRAPH)
    shown(chat, "Show diagram")
    chat.answer.get_by_role("button", name="Show source").click()
    expect(chat.answer.locator("pre")).to_be_visible()
    expect(chat.answer.locator("iframe")).to_have_count(0)
    shown(chat, "Show diagram")


@pytest.mark.parametrize(
    "source", ["graph TD\n  A[Start --> B", "no kind of diagram", "sequenceDiagram\n  a->>"]
)
def test_a_broken_diagram_says_so(chat: Chat, source: str) -> None:
    answer(chat, fenced(source, "mermaid"))
    chat.answer.get_by_role("button", name="Show diagram").click()
    expect(chat.answer.get_by_role("status")).to_have_text(
        "This diagram cannot be drawn: its source has an error."
    )
    expect(chat.answer.locator("pre")).to_be_visible()
    expect(chat.answer.locator("iframe")).to_have_count(0)
    expect(chat.answer.get_by_role("button", name="Show diagram")).to_be_visible()


def test_a_page_of_code_runs_in_its_frame(chat: Chat) -> None:
    answer(chat, fenced(PAGE))
    expect(shown(chat).get_by_role("heading")).to_have_text("Hello from a script")


@pytest.mark.parametrize(
    ("code", "language"), [(SVG, "svg"), (SVG, "xml"), (f'<?xml version="1.0"?>\n{SVG}', "")]
)
def test_svg_code_is_shown_as_a_picture(chat: Chat, code: str, language: str) -> None:
    answer(chat, fenced(code, language))
    expect(shown(chat).locator("circle")).to_be_visible()


@pytest.mark.parametrize(
    "text", [fenced("<a><b/></a>", "xml"), fenced("print()", "python"), fenced("graph", "")]
)
def test_other_code_has_no_preview(chat: Chat, text: str) -> None:
    answer(chat, text)
    expect(chat.answer.get_by_role("button", name="Copy")).to_be_visible()
    expect(chat.answer.get_by_role("button", name=re.compile("^Show"))).to_have_count(0)


def test_a_page_reaches_nothing_around_it(chat: Chat, windows: Windows) -> None:
    windows.witness.allow(*BLOCKED)
    answer(chat, fenced(PROBE))
    expect(shown(chat).locator("#told")).to_have_text("null reached: ")


def test_nothing_leaves_the_frames(chat: Chat, windows: Windows, neighbours: dict[str, Neighbour]) -> None:
    windows.witness.allow(*BLOCKED, *(each.tcp for each in neighbours.values()))
    cookies: list[dict[str, str]] = []
    codes = [
        fenced(f"<p id=here>here</p>{attack.format(tcp=at.tcp, udp=at.udp, origin=windows.origin)}")
        for attack, at in zip(ATTACKS.values(), neighbours.values(), strict=True)
    ]
    answer(chat, "\n\n".join(codes))
    address = chat.page.url

    def remember(request: Request) -> None:
        if "/api/usage/" in request.url:
            cookies.append(request.headers)

    chat.page.on("request", remember)
    buttons = chat.answer.get_by_role("button", name="Show preview")
    for left in range(len(codes), 0, -1):
        expect(buttons).to_have_count(left)
        buttons.first.click()
    expect(chat.answer.locator("iframe")).to_have_count(len(codes))
    # As long as a browser may take to begin a connection; Playwright takes a frame that ends for its page.
    windows.page(None).wait_for_timeout(2500)
    assert {name: each.knocks for name, each in neighbours.items() if each.knocks} == {}
    assert cookies == []
    assert chat.page.url == address
    assert len(chat.page.context.pages) == 1


def test_a_page_without_end_can_be_closed(chat: Chat) -> None:
    answer(chat, fenced("<script>while (true);</script>"))
    chat.answer.get_by_role("button", name="Show preview").click()
    chat.answer.get_by_role("button", name="Show source").click()
    expect(chat.answer.locator("iframe")).to_have_count(0)
    chat.ask("echo:and on").wait_for_end()
    expect(chat.answer).to_have_text("and on")


def test_shared_and_printed_pages_show_the_source(chat: Chat, windows: Windows, other: Person) -> None:
    answer(chat, f"{GRAPH}\n\n{fenced(PAGE)}")
    page: Page = chat.page
    page.goto(f"{page.url}print/")
    answered = page.locator(".message.assistant")
    expect(answered.locator("pre")).to_have_count(2)
    expect(answered.get_by_role("button", name="Copy")).to_have_count(2)
    expect(answered.get_by_role("button", name=re.compile("^Show"))).to_have_count(0)


def test_in_print_an_open_frame_is_its_source(chat: Chat) -> None:
    answer(chat, fenced(PAGE))
    shown(chat)
    chat.page.emulate_media(media="print")
    expect(chat.answer.locator("pre")).to_be_visible()
    expect(chat.answer.locator("iframe")).to_be_hidden()
