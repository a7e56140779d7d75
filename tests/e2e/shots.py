"""`python -m tests.e2e.shots FOLDER [PART…]`: a picture of every page in three widths, light and dark, in
each language. Parts of names choose among the looks, as `360-` or `1440-light-fr`. Nothing is checked here;
they are for people to look at.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import FilePayload, Page, expect, sync_playwright

from grokweb import install_steps
from tests import browser
from tests.chat.transfer import files
from tests.e2e.browsing import MOVEMENTS_END, Windows, Witness
from tests.e2e.chat import Chat
from tests.e2e.people import Person, invite
from tests.grokweb.service import ROOT, Service

ANSWER = r"""echo:## Sourdough in short

A loaf needs **flour**, *water*, salt and time. See [the guide](https://example.org/bread), or `bake --slow`.

1. Feed the starter
2. Mix, then wait:
   - four hours in a warm kitchen
   - a night in the fridge

| Flour | Water | Salt |
| --- | ---: | :---: |
| 500 g | 350 g | 10 g |
| 1000 g | 700 g | 20 g |

> Bread is patience made edible.

```python
def hydration(flour: float, water: float) -> float:
    '''Baker's percentage.'''
    return 100 * water / flour  # 70.0
```

The crust follows $T(t) = T_0 + (T_1 - T_0)\left(1 - e^{-kt}\right)$, and

$$\int_0^\infty e^{-kt}\,dt = \frac{1}{k}$$
"""
PRESS = "(button) => button.click()"  # on a phone it is behind another one
SIZES = {"360": (360, 740), "768": (768, 1024), "1440": (1440, 900)}
LOOKS: dict[str, dict[str, Any]] = {
    f"{width}-{colours}-{language[:2]}": {
        "size": size,
        "language": language,
        "dark": colours == "dark",
        "touch": width != "1440",
    }
    for width, size in SIZES.items()
    for colours in ("light", "dark")
    for language in ("en-US", "fr-FR")
}
OUTSIDE = {
    "login": "/accounts/login/",
    "signup": "/accounts/signup/",
    "password-reset": "/accounts/password/reset/",
    "not-found": "/nowhere/",
    "offline": "/offline/{language}/",
}
INSIDE = {
    "settings": "/settings/",
    "email": "/accounts/email/",
    "password": "/accounts/password/change/",
    "two-step": "/accounts/2fa/",
    "logout": "/accounts/logout/",
    "delete-conversations": "/settings/delete-conversations/",
    "delete-account": "/settings/delete-account/",
    "not-allowed": "/admin/",
}
STAFF = {
    "admin": "/admin/",
    "admin-engine": "/admin/engine/",
    "admin-model": "/admin/model_cards/modelcard/scripted/change/",
    "admin-users": "/admin/accounts/user/",
    "admin-reports": "/admin/moderation/report/",
    "admin-conversations": "/admin/conversations/conversation/",
    "admin-generations": "/admin/turns/generation/",
    "admin-quota": "/admin/quotas/quotapolicy/add/",
    "admin-rule": "/admin/moderation/rule/add/",
    "admin-actions": "/admin/core/staffaction/",
}


class Album:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.look = ""

    def take(self, page: Page, name: str, *, whole: bool = False) -> None:
        page.wait_for_load_state()
        page.evaluate(MOVEMENTS_END)
        page.screenshot(path=self.folder / f"{name}.{self.look}.png", full_page=whole)


def photograph_outside(album: Album, windows: Windows, how: dict[str, Any]) -> None:
    for name, path in OUTSIDE.items():
        album.take(windows.page(None, path.format(language=str(how["language"])[:2]), **how), name)
    page = windows.page(None, "/accounts/login/", **how)
    page.locator("[name=login]").fill("nobody@example.org")
    page.locator("[type=password]").fill("wrong password")
    page.locator("main form .primary").click()
    expect(page.get_by_role("alert")).to_be_visible()
    album.take(page, "login-wrong")


def photograph_chat(album: Album, windows: Windows, person: Person, how: dict[str, Any]) -> str:
    """Takes the chat from empty to shared. Returns the link."""
    chat = Chat(windows.page(person, **how))
    page = chat.page
    album.take(page, "chat-empty")
    chat.ask("Why is bread so good when it is fresh from the oven?").wait_for_end()
    chat.ask(ANSWER).wait_for_end()
    expect(chat.answer.locator("math").first).to_be_visible()
    album.take(page, "chat-answer")
    page.locator("[data-scroll]").evaluate("(box) => { box.scrollTop = 500 }")
    album.take(page, "chat-answer-middle")
    chat.ask("slow:500:40").wait_for_words(60)
    chat.ask("And how long does it keep?")  # waits for the answer
    album.take(page, "chat-writing")
    page.keyboard.press("Escape")
    chat.wait_for_end()
    chat.box.fill("")
    album.take(page, "chat-stopped")
    chat.box.fill("x" * 33_000)
    album.take(page, "chat-too-long")
    chat.box.fill("")
    _menus(album, chat)
    _versions(album, chat)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option").first).to_be_visible()
    album.take(page, "palette")
    page.keyboard.press("Escape")
    return _share(album, chat)


def _versions(album: Album, chat: Chat) -> None:
    """Takes an unfinished edit, and a message with two versions."""
    page = chat.page
    first = page.locator("[data-transcript] > li").first
    first.hover()
    first.locator(".tools button", has=page.locator("use[href='#i-pencil']")).click()
    page.locator("form.edit textarea").fill("Why is bread so good when it is warm?")
    album.take(page, "chat-edit")
    page.keyboard.press("ControlOrMeta+Enter")  # Enter begins a line on phones
    chat.wait_for_end()
    first.hover()
    album.take(page, "chat-versions")
    first.locator("[data-version=left]").click()


def _menus(album: Album, chat: Chat) -> None:
    page = chat.page
    is_phone = not chat.sidebar.is_visible()
    if is_phone:
        page.locator("[data-expand]").click()
        album.take(page, "sidebar")
    entry = chat.sidebar.locator(".entry").first
    entry.hover()
    entry.get_by_role("button").click()
    album.take(page, "conversation-menu")
    page.get_by_role("menuitem").last.click()
    album.take(page, "delete-dialog")
    page.keyboard.press("Escape")
    chat.open_account_menu()
    album.take(page, "account-menu")
    page.keyboard.press("Escape")
    if is_phone:
        page.locator("[data-collapse]").click()


def photograph_personas(album: Album, windows: Windows, person: Person, how: dict[str, Any]) -> None:
    """Takes the settings page "Answers", empty and filled, and the menus of the row under the message box."""
    page = windows.page(person, "/settings/answers/", **how)
    album.take(page, "answers-empty", whole=True)
    for kind, first, second in (
        ("personas", "A very patient teacher of mathematics and physics", "Explain step by step."),
        ("prompts", "Translate", "Translate {{text}} into {{language}}."),
    ):
        page.goto(f"/settings/answers/{kind}/new/")
        album.take(page, f"answers-{kind}-new", whole=True)
        page.locator("main [name=name]").fill(first)
        page.locator("main textarea").last.fill(second)
        page.locator("main .primary").click()
        page.wait_for_url("**/settings/answers/**")
    album.take(page, "answers", whole=True)
    page.locator("#personas li a").first.click()
    album.take(page, "answers-persona", whole=True)
    chat = Chat(page)
    page.goto("/")
    for name in ("model", "persona", "sampling", "prompts"):
        page.locator(f"[data-{name}]").evaluate(PRESS)
        expect(page.get_by_role("dialog" if name == "sampling" else "menu")).to_be_visible()
        album.take(page, f"settings-bar-{name}")
        if name == "persona":
            page.get_by_role("menuitemradio").last.click()
        page.keyboard.press("Escape")
    page.locator("[data-prompts]").evaluate(PRESS)
    page.get_by_role("menuitemradio").first.click()
    album.take(page, "prompt-variables")
    page.keyboard.press("Escape")
    album.take(page, "persona-chosen")
    chat.ask("echo:It is well.").wait_for_end()
    chat.answers.last.locator(".tools button").last.click()
    page.get_by_role("menuitem").filter(has=page.locator("use[href='#i-info']")).click()
    expect(page.get_by_role("dialog").locator(".facts")).to_be_visible()
    album.take(page, "more-details")
    page.keyboard.press("Escape")
    chat.answers.last.locator("[data-feedback='-1']").click()
    chat.notice.locator(".text-button").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    album.take(page, "feedback")
    page.keyboard.press("Escape")


def photograph_files(album: Album, windows: Windows, person: Person, how: dict[str, Any]) -> None:
    chat = Chat(windows.page(person, **how))
    notes = FilePayload(name="notes.txt", mimeType="text/plain", buffer=b"Buy milk and eggs.")
    photo = FilePayload(
        name="a photograph of last summer.txt", mimeType="text/plain", buffer=b"\x89PNG" + bytes(9)
    )
    chips = chat.page.locator(".files .chip")
    chat.page.locator("[data-composer] input[data-choose]").set_input_files([notes, photo])
    expect(chips).to_have_count(2)
    expect(chips.last).to_have_class(re.compile("failed"))
    expect(chips.first).to_contain_text(re.compile("tokens|jetons"))
    album.take(chat.page, "files")
    chips.last.locator(".remove").click()
    chat.ask("What is in it?").wait_for_end()
    album.take(chat.page, "files-sent")
    chat.page.locator(".message-files .chip").click()
    expect(chat.page.get_by_role("dialog").locator("pre")).to_be_visible()
    album.take(chat.page, "file")


def photograph_transfer(album: Album, windows: Windows, person: Person, how: dict[str, Any]) -> None:
    page = windows.page(person, "/settings/", **how)
    broken = {"title": "Odd", "mapping": {"a": {"parent": "a"}}}
    export = json.dumps([files.chatgpt(), broken]).encode()
    section = page.locator("[data-transfer]")
    section.locator("input[type=file]").set_input_files(
        FilePayload(name="conversations.json", mimeType="application/json", buffer=export)
    )
    section.locator("[data-import] button").click()
    expect(section.locator("[data-report]")).to_be_visible()
    for each in page.locator("main details").all():
        each.evaluate("(details) => { details.open = true }")
    album.take(page, "transfer-report", whole=True)
    section.locator("[data-report] a").first.click()
    page.wait_for_url("**/c/**")
    page.goto(f"{page.url}print/")
    album.take(page, "print", whole=True)


def _share(album: Album, chat: Chat) -> str:
    page = chat.page
    page.locator(".tools button").last.click()
    album.take(page, "more-menu")
    page.get_by_role("menuitem").filter(has=page.locator("use[href='#i-flag']")).click()
    album.take(page, "report-dialog")
    page.get_by_role("dialog").locator("[type=submit]").click()
    expect(chat.notice).not_to_be_empty()
    album.take(page, "chat-reported")
    page.locator("[data-share]").click()
    album.take(page, "share-dialog")
    page.get_by_role("dialog").locator(".primary").click()
    link = page.locator("[data-links] code").first
    expect(link).to_be_visible()
    album.take(page, "share-dialog-link")
    page.keyboard.press("Escape")
    return str(link.get_attribute("title"))


def photograph_temporary(album: Album, windows: Windows, person: Person, how: dict[str, Any]) -> None:
    chat = Chat(windows.page(person, **how))
    chat.page.locator("[data-temporary]").click()
    album.take(chat.page, "temporary-empty")
    chat.ask("echo:Nobody else reads this.").wait_for_end()
    album.take(chat.page, "temporary")


def photograph_long(album: Album, windows: Windows, person: Person, how: dict[str, Any]) -> None:
    """Takes a chat with a summary and a pinned message."""
    chat = Chat(windows.page(person, **how))
    page = chat.page
    chat.ask("echo:Noted.\nsummary:They spoke of bread, of rye above all.").wait_for_end()
    chat.ask("echo:It keeps for four days.").wait_for_end()
    chat.summarise()
    divider = page.locator(".message .summary details").first
    divider.locator("summary").click()
    for at in (".user", ".assistant"):
        page.locator(f".message{at} [data-tool=more]").last.click()
        page.locator("[role=menuitem]", has=page.locator("use[href='#i-pin']")).click()
    expect(page.locator(".pinned:visible")).to_have_count(2)
    album.take(page, "chat-long")


def photograph_refusals(album: Album, windows: Windows, person: Person, how: dict[str, Any]) -> None:
    chat = Chat(windows.page(person, **how))
    chat.ask("oom:").wait_for_end()
    album.take(chat.page, "chat-failed")
    chat.page.goto("/")
    for number in range(3):
        chat.ask(f"slow:500:50 number {number}")
        expect(chat.page).to_have_url(re.compile("/c/"))
        if number == 2:
            expect(chat.page.locator(".waiting")).not_to_be_empty()
            album.take(chat.page, "chat-waiting")
        chat.page.goto("/")
    chat.ask("one too many")
    expect(chat.notice).not_to_be_empty()
    album.take(chat.page, "chat-queue-full")
    chat.page.context.set_offline(True)
    chat.page.wait_for_timeout(2500)
    album.take(chat.page, "chat-offline")
    chat.page.context.set_offline(False)


def photograph(
    album: Album, windows: Windows, people: list[Person], looks: dict[str, dict[str, Any]]
) -> None:
    admin, *rest = people
    for look, how in looks.items():
        album.look, person = look, rest.pop()
        print(look, flush=True)
        photograph_outside(album, windows, how)
        link = photograph_chat(album, windows, person, how)
        album.take(windows.page(None, link, **how), "shared", whole=True)
        photograph_files(album, windows, person, how)
        photograph_personas(album, windows, person, how)
        for name, path in INSIDE.items():
            album.take(windows.page(person, path, **how), name, whole=True)
        photograph_transfer(album, windows, person, how)
        photograph_temporary(album, windows, person, how)
        photograph_long(album, windows, person, how)
        photograph_refusals(album, windows, rest.pop(), how)
        for name, path in STAFF.items():
            album.take(windows.page(admin, path, **how), name)
        page = windows.page(admin, "/admin/moderation/report/", **how)
        page.locator("#result_list tbody th a").first.click()
        album.take(page, "admin-report", whole=True)
        page.goto(f"/admin/accounts/user/?q={person.email}")
        page.locator("#result_list tbody th a").first.click()
        album.take(page, "admin-user", whole=True)
        windows.close()


def with_service(work: Callable[[Service], None], **environment: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), GROKWEB_USER_LIVE_LIMIT="3", **environment)
        try:
            work(service.start().wait_until_ready())
        finally:
            service.close()


def main(folder: str, *parts: str) -> None:
    looks = {look: how for look, how in LOOKS.items() if not parts or any(part in look for part in parts)}
    install_steps.build_static()
    album = Album(Path(folder))
    album.folder.mkdir(parents=True, exist_ok=True)

    def everything(service: Service) -> None:
        people = invite(2 * len(looks), service.environment)
        origin = f"http://localhost:{service.port}"
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser.find(), args=browser.OPTIONS)
            photograph(album, Windows(chromium, origin, Witness(origin)), people, looks)
            chromium.close()

    def demo(service: Service) -> None:
        admin, *_ = invite(1, service.environment)
        origin = f"http://localhost:{service.port}"
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser.find(), args=browser.OPTIONS)
            windows = Windows(chromium, origin, Witness(origin))
            for look, how in looks.items():
                album.look = look
                chat = Chat(windows.page(admin, **how))  # others are not told how to change it
                album.take(chat.page, "demo-empty")
                chat.page.locator(".demo summary").click()
                album.take(chat.page, "demo-how")
                chat.ask("Who are you?").wait_for_end()
                album.take(chat.page, "demo-answer")
            windows.close()
            chromium.close()

    with_service(everything)
    model = ROOT / "inference" / "demo" / "model"
    with_service(demo, GROKWEB_MODEL=str(model), GROKWEB_TEST_ENGINES="0")


if __name__ == "__main__":
    main(*sys.argv[1:])
