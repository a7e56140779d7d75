"""The palette, shortcuts, pins, folders, the archive, actions on several conversations, and undo."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Route, expect

from tests.e2e.browsing import PHONE, until
from tests.e2e.chat import Chat
from tests.e2e.people import Person


def talks(chat: Chat, *questions: str) -> None:
    for question in questions:
        chat.new().ask(question).wait_for_end()


def test_the_palette_finds_conversations_messages_and_commands(chat: Chat) -> None:
    page, keys = chat.page, chat.page.keyboard
    talks(chat, "echo:une crème brûlée", "echo:plain bread")
    keys.press("Control+k")
    palette = page.get_by_role("dialog", name="Search")
    box = palette.get_by_role("combobox")
    expect(box).to_be_focused()
    keys.type("creme BRU")
    hit = palette.get_by_role("group", name="Messages").get_by_role("option").first
    expect(hit.locator("mark")).to_have_text(["crème", "brûlée"])
    keys.press("ArrowDown")  # past the title
    expect(hit).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", str(hit.get_attribute("id")))
    keys.press("Enter")
    expect(palette).to_be_hidden()
    expect(chat.answer).to_have_text("une crème brûlée")

    keys.press("Control+k")
    keys.type('"nothing like this"')
    expect(palette).to_contain_text("Nothing found.")
    box.fill("new ch")
    keys.press("Enter")
    expect(page.get_by_text("What would you like to know?")).to_be_visible()

    page.get_by_role("button", name="Search", exact=True).click()
    expect(box).to_have_value("")
    keys.press("Escape")
    expect(palette).to_be_hidden()
    expect(page.get_by_role("button", name="Search", exact=True)).to_be_focused()


def test_the_palette_finds_one_letter_inside_a_sentence_and_words_with_signs(chat: Chat) -> None:
    page = chat.page
    talks(chat, "echo:我想去北京旅游，三天够吗？", "echo:about C++ only")
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Search")
    box = palette.get_by_role("combobox")
    hit = palette.get_by_role("group", name="Messages").get_by_role("option").first
    for asked, marked in (("京", "京"), ("旅游", "旅游"), ("c++", "C++")):
        box.fill(asked)
        expect(hit.locator("mark")).to_have_text([marked])


def test_text_typed_while_the_palette_loads_enters_its_search_field(chat: Chat) -> None:
    page, keys = chat.page, chat.page.keyboard
    asked: list[Route] = []
    page.route(re.compile(r"/palette\.[^/]*js$"), lambda route: asked.append(route))
    page.locator("#text").focus()
    keys.press("Control+k")
    until(page, lambda: asked, "the palette is fetched")
    keys.type("new ch")
    for route in asked:
        route.continue_()
    expect(page.get_by_role("dialog", name="Search").get_by_role("combobox")).to_have_value("new ch")
    expect(page.get_by_role("option", name="New chat", exact=True)).to_be_visible()
    expect(page.locator("#text")).to_have_value("")


def test_the_sheet_of_shortcuts_opens_by_key_and_by_menu(chat: Chat) -> None:
    page = chat.page
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    chat.box.press("?")
    expect(chat.box).to_have_value("?")
    expect(sheet).to_be_hidden()
    chat.box.fill("")
    page.keyboard.press("Control+/")
    expect(sheet).to_contain_text("New chat")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    page.locator("[data-find]").focus()
    page.keyboard.press("?")
    expect(sheet).to_be_visible()


def test_conversations_can_be_pinned_moved_and_archived(
    chat: Chat, open_chat: Callable[..., Chat], person: Person
) -> None:
    page = chat.page
    talks(chat, "soup", "salad", "bread")
    elsewhere = open_chat(person)

    chat.menu_of("soup").get_by_role("menuitem", name="Pin").click()
    for tab in (chat, elsewhere):
        expect(tab.sidebar.locator("h2").first).to_have_text("Pinned")
        expect(tab.sidebar.locator(".entry").first).to_contain_text("soup")

    chat.menu_of("salad").get_by_role("menuitem", name="Move to a folder").click()
    page.get_by_role("menuitem", name="New folder…").click()
    page.get_by_role("textbox", name="Name").fill("Recipes")
    page.keyboard.press("Enter")
    folder = chat.sidebar.get_by_role("list", name="Recipes")
    expect(folder).to_contain_text("salad")
    elsewhere.sidebar.get_by_role("button", name="Recipes", exact=True).click()
    expect(elsewhere.sidebar.get_by_role("list", name="Recipes")).to_contain_text("salad")

    chat.menu_of("bread").get_by_role("menuitem", name="Archive").click()
    for tab in (chat, elsewhere):
        expect(tab.entry("bread")).to_have_count(0)
    page.reload()
    expect(chat.entry("salad")).to_have_count(0)  # its folder is closed
    chat.sidebar.get_by_role("button", name="Archived").click()
    expect(chat.entry("bread")).to_be_visible()
    chat.menu_of("bread").get_by_role("menuitem", name="Take out of the archive").click()
    expect(chat.sidebar).to_contain_text("Nothing is archived.")
    chat.sidebar.get_by_role("button", name="All conversations").click()
    expect(chat.entry("bread")).to_be_visible()

    head = chat.sidebar.locator(".folder")
    head.hover()
    head.get_by_role("button", name="More about").click()
    page.get_by_role("menuitem", name="Delete the folder only").click()
    for tab in (chat, elsewhere):
        expect(tab.sidebar.locator(".folder")).to_have_count(0)
        expect(tab.entry("salad")).to_be_visible()


def test_deleting_several_conversations_can_be_undone(
    chat: Chat, open_chat: Callable[..., Chat], person: Person
) -> None:
    page = chat.page
    talks(chat, "one", "two", "three")
    elsewhere = open_chat(person)
    chat.menu_of("one").get_by_role("menuitem", name="Select several").click()
    expect(page.get_by_role("checkbox", name="one")).to_be_focused()
    page.get_by_role("checkbox", name="two").check()
    expect(chat.sidebar.get_by_role("status")).to_have_text("2 selected")
    chat.sidebar.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Delete 2 conversations?")
    dialog.get_by_role("button", name="Delete").click()
    for tab in (chat, elsewhere):
        expect(tab.entry("one")).to_have_count(0)
        expect(tab.entry("three")).to_be_visible()
    chat.expect_notice("2 conversations deleted.")
    chat.notice.get_by_role("button", name="Undo").click()
    for tab in (chat, elsewhere):
        for title in ("one", "two", "three"):
            expect(tab.entry(title)).to_be_visible()
    chat.entry("one").get_by_role("link").click()
    expect(chat.answer).to_have_text("one")


def test_archiving_can_be_undone(chat: Chat) -> None:
    talks(chat, "one", "two", "three")
    chat.menu_of("one").get_by_role("menuitem", name="Pin", exact=True).click()
    expect(chat.sidebar.get_by_role("heading", name="Pinned")).to_be_visible()
    chat.menu_of("one").get_by_role("menuitem", name="Archive", exact=True).click()
    chat.expect_notice("1 conversation archived.")
    expect(chat.entry("one")).to_have_count(0)
    chat.notice.get_by_role("button", name="Undo").click()
    expect(chat.entry("one")).to_be_visible()
    expect(chat.sidebar.get_by_role("heading", name="Pinned")).to_be_visible()  # as it was
    chat.menu_of("two").get_by_role("menuitem", name="Select several").click()
    chat.page.get_by_role("checkbox", name="three").check()
    chat.sidebar.get_by_role("button", name="Archive", exact=True).click()
    chat.expect_notice("2 conversations archived.")
    chat.notice.get_by_role("button", name="Undo").click()
    for title in ("one", "two", "three"):
        expect(chat.entry(title)).to_be_visible()


def test_the_palette_finds_settings_themes_and_recent_conversations_despite_a_slip(chat: Chat) -> None:
    page, keys = chat.page, chat.page.keyboard
    talks(chat, "echo:about sourdough", "echo:about soup")
    keys.press("Control+k")
    palette = page.get_by_role("dialog", name="Search")
    recent = palette.get_by_role("group", name="Recent conversations").get_by_role("option")
    expect(recent).to_have_count(2)
    expect(recent.first).to_contain_text("about soup")
    box = palette.get_by_role("combobox")
    box.fill("soudrough")
    palette.get_by_role("option").filter(has_text="about sourdough").click()
    expect(chat.answer).to_have_text("about sourdough")

    keys.press("Control+k")
    keys.type("drak")
    expect(palette.get_by_role("option", name="Colours: Dark")).to_be_visible()
    keys.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    keys.press("Control+k")
    keys.type("colours system")
    expect(palette.get_by_role("option", name="Colours: System")).to_be_visible()
    keys.press("Enter")
    expect(page.locator("html")).not_to_have_attribute("data-theme", re.compile("."))

    keys.press("Control+k")
    box.fill("settings")
    third = palette.get_by_role("option").nth(2)
    box.press("ArrowDown")
    box.press("ArrowDown")
    expect(third).to_have_attribute("aria-selected", "true")
    expect(palette.get_by_role("status")).to_contain_text("result")  # the server's answer draws the list anew
    expect(third).to_have_attribute("aria-selected", "true")
    keys.press("Escape")
    keys.press("Control+k")
    keys.type("new chats")
    expect(palette.get_by_role("option", name="Settings: New chats")).to_be_visible()
    keys.press("Escape")
    keys.press("Control+k")
    keys.type("persnas")
    palette.get_by_role("option", name="Settings: Personas").click()
    page.wait_for_url("**/settings/answers/#personas")


def test_the_palette_and_folders_work_on_a_phone_in_french(
    open_chat: Callable[..., Chat], person: Person
) -> None:
    chat = open_chat(person, size=PHONE, touch=True, language="fr-FR")
    chat.ask("echo:pain de seigle").wait_for_end()
    page = chat.page
    page.locator("[data-expand]").click()
    page.get_by_role("button", name="Rechercher", exact=True).click()
    page.get_by_role("combobox").fill("seigle")
    page.get_by_role("option").filter(has_text=re.compile("^pain de seigle")).first.click()
    expect(page.locator("[data-sidebar]")).to_be_hidden()
    expect(chat.answer).to_have_text("pain de seigle")
