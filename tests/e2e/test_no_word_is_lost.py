"""A slow reply, watched every 50 ms while the page, the network or the server goes away in mid-sentence."""

from __future__ import annotations

import json
import shutil
import signal

from playwright.sync_api import Browser, expect

from tests.e2e.browsing import Windows, Witness, until
from tests.e2e.chat import Chat, Samples
from tests.e2e.line import Line
from tests.e2e.people import Person
from tests.grokweb.service import Service, is_running, kill

WORDS, LONG = 120, 500
SLOW = f"slow:{WORDS}:30"
AWAY_MS = 5000
LOSS_SECONDS = 90.0  # reconcile rests, and a process that died before comes back with a delay
FIRST_TEXT_MS, LIVE_AGAIN_MS = 1000, 2000
OFFLINE = (
    "ERR_INTERNET_DISCONNECTED",
    "closed before the connection is established",
)
# Also what the service worker was fetching for its offline page.
NO_SERVER = ("WebSocket connection to", "ERR_CONNECTION_", "ERR_EMPTY_RESPONSE")


def test_a_reload_in_mid_reply_loses_no_word(chat: Chat) -> None:
    samples = Samples().of(chat)
    chat.ask(SLOW).wait_for_words(15)
    chat.page.reload()
    chat.wait_for_words(30)
    chat.page.reload()
    ready = chat.now()
    chat.wait_for_whole(WORDS)
    samples.check(WORDS)
    assert samples.words_after(ready) <= FIRST_TEXT_MS
    chat.expect_stored()


def test_a_second_tab_shows_the_same_live(chat: Chat) -> None:
    samples = Samples().of(chat)
    chat.ask("slow:400:30").wait_for_words(10)
    second = Chat(chat.page.context.new_page())
    second.page.goto(chat.page.url)
    second.wait_for_words(10)
    assert len(second.text().split()) < 400, "too late to be live"
    chat.wait_for_whole(400)
    second.wait_for_whole(400)
    samples.check(400)
    second.expect_stored()


def test_another_device_hears_of_it_without_a_reload(chat: Chat, windows: Windows, person: Person) -> None:
    phone = Chat(windows.page(person, size=(390, 844)))
    chat.ask("slow:40:50 from the desk").wait_for_words(1)
    phone.page.get_by_role("button", name="Show the sidebar").click()
    phone.entry("slow:40:50 from the desk").get_by_role("link").click()
    phone.wait_for_words(2)
    chat.wait_for_whole(40)
    phone.wait_for_whole(40)


def test_five_seconds_without_network_lose_no_word(chat: Chat, witness: Witness) -> None:
    witness.allow(*OFFLINE)
    samples = Samples().of(chat)
    chat.ask("slow:300:30").wait_for_words(10)
    chat.page.context.set_offline(True)
    chat.page.wait_for_timeout(AWAY_MS)  # the time away is what is tested
    chat.expect_notice("The connection is lost. Trying again…")
    back = chat.now()
    chat.page.context.set_offline(False)
    chat.wait_for_whole(300)
    samples.check(300)
    assert samples.words_after(back) <= LIVE_AGAIN_MS
    chat.expect_stored()


def test_a_cut_connection_loses_no_word(chromium: Browser, line: Line, person: Person) -> None:
    """TCP connections break under the page; the browser itself does not know that the network is gone."""
    witness = Witness(line.origin)
    witness.allow(*NO_SERVER)
    windows = Windows(chromium, line.origin, witness)
    chat = Chat(windows.page(person))
    samples = Samples().of(chat)
    chat.ask("slow:200:30").wait_for_words(10)
    line.cut()
    line.mend()
    back = chat.now()
    chat.wait_for_words(60)
    assert samples.words_after(back) <= LIVE_AGAIN_MS
    line.cut()
    chat.expect_notice("The connection is lost. Trying again…")
    line.mend()
    chat.wait_for_whole(200)
    samples.check(200)
    chat.expect_stored()
    windows.close()
    assert witness.unexpected() == []


def test_a_killed_web_process_loses_no_word(chat: Chat, service: Service, witness: Witness) -> None:
    witness.allow(*NO_SERVER)
    samples = Samples().of(chat)
    chat.ask(SLOW).wait_for_words(10)
    pid = service.pid("web")
    kill(pid)
    until(chat.page, lambda: not is_running(pid), "web is gone")
    chat.wait_for_whole(WORDS)  # the page tells of a lost connection only if it stays away for seconds
    expect(chat.notice).not_to_contain_text("The connection is lost")
    samples.check(WORDS)
    until(chat.page, service.is_ready, "web is back")


def test_a_restarted_web_process_loses_no_word(chat: Chat, service: Service, witness: Witness) -> None:
    """The process ends on request, as for an update: it closes its sockets, and pages reconnect."""
    witness.allow(*NO_SERVER)
    samples = Samples().of(chat)
    chat.ask("slow:200:30").wait_for_words(10)
    pid = service.pid("web")
    kill(pid, signal.SIGTERM)
    until(chat.page, lambda: not is_running(pid), "web is gone")
    chat.wait_for_whole(200)
    samples.check(200)
    until(chat.page, service.is_ready, "web is back")
    chat.expect_stored()


def test_a_killed_model_worker_loses_no_word(chat: Chat, service: Service) -> None:
    samples = Samples().of(chat)
    chat.ask(SLOW).wait_for_words(10)
    kill(service.pid("model-worker"))
    chat.wait_for_whole(WORDS)
    samples.check(WORDS)


def test_data_lost_by_redis_lose_no_word(chat: Chat, service: Service) -> None:
    """The worker dies with it: the next one writes every token again, in pieces as it comes to make them.

    Only if no piece ends where the page stands does its text start again; so it may take more than one loss.
    """
    restarts = Restarts().of(chat)
    samples = Samples().of(chat)
    chat.ask(f"slow:{LONG}:4")
    for words_before in range(60, LONG - 60, 60):
        if restarts.seen:
            break
        chat.wait_for_words(words_before)
        lose_everything(chat, service)
        goal = words_before + 60
        until(chat.page, lambda: len(chat.text().split()) >= goal, "it goes on", LOSS_SECONDS)  # noqa: B023
    assert restarts.seen, "the log came back in the same pieces each time"
    chat.wait_for_whole(LONG)
    samples.check(LONG)
    chat.expect_stored()


class Restarts:
    """Counts token frames with `after` 0 that a page received when it had a part of the text."""

    def __init__(self) -> None:
        self.seen = 0
        self._begun = False

    def of(self, chat: Chat) -> Restarts:
        chat.page.on("websocket", lambda socket: socket.on("framereceived", self._note))
        chat.page.reload()  # for a new socket
        return self

    def _note(self, payload: str | bytes) -> None:
        frame = json.loads(payload)
        if frame["type"] == "token":
            self.seen += self._begun and frame["after"] == 0
            self._begun = True


def lose_everything(chat: Chat, service: Service) -> None:
    """The model worker and Redis are killed, and Redis comes back empty."""
    pids = [service.pid("model-worker"), service.pid("redis")]
    shutil.rmtree(service.data / "redis" / "appendonlydir")  # its open files lose their names
    for pid in pids:
        kill(pid)
    until(chat.page, lambda: not any(map(is_running, pids)), "both are gone")


def test_a_message_sent_without_network_goes_out_later(chat: Chat, witness: Witness) -> None:
    witness.allow(*OFFLINE)
    chat.ask("hello").wait_for_end()
    chat.page.context.set_offline(True)
    chat.ask("are you there?")
    expect(chat.page.get_by_text("Not sent yet. It will be sent when the connection")).to_be_visible()
    chat.page.context.set_offline(False)
    expect(chat.answer).to_have_text("are you there?")
    expect(chat.questions).to_have_text(["hello", "are you there?"])
