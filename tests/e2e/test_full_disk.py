"""While the server's disk is full, the page says so and keeps what was written."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.chat import Chat
from tests.faults.small_disk import SmallDisk
from tests.grokweb.service import Service

BANNER = "The server has no room at the moment"
SECONDS = 20_000  # milliseconds; the page is told within 5 s


def test_a_full_disk_shows_a_banner_and_drafts_stay(chat: Chat, service: Service) -> None:
    chat.ask("echo:before").wait_for_end()
    disk = SmallDisk(service.data / "run", 1)  # one of the folders that must take writes
    try:
        with disk.full():
            expect(chat.notice).to_contain_text(BANNER, timeout=SECONDS)
            chat.ask("echo:my long thoughts")
            chat.expect_notice("The server has no room to store anything")
            expect(chat.box).to_have_value("echo:my long thoughts")
            expect(chat.questions).to_have_count(1)
            expect(chat.answers).to_have_count(1)  # and what is there can be read
            chat.page.reload()
            expect(chat.notice).to_contain_text(BANNER, timeout=SECONDS)
            expect(chat.answers.last).to_contain_text("before")
    finally:
        disk.close()
    expect(chat.notice).not_to_contain_text(BANNER, timeout=SECONDS)
    chat.ask("echo:after").wait_for_end()
    expect(chat.answers.last).to_contain_text("after")
