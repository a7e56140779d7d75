"""Pages of the account as a person uses them: a password that can be looked at before it is sent."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import expect

from tests.e2e.browsing import Windows

SHOTS = os.environ.get("ACCOUNT_SHOTS")


def test_a_typed_password_can_be_shown(windows: Windows) -> None:
    page = windows.page(path="/accounts/signup/")
    first = page.locator("[name=password1]")
    first.fill("correct horse")
    buttons = page.get_by_role("button", name="Show Password")
    expect(buttons).to_have_count(2)
    buttons.first.click()
    expect(first).to_have_attribute("type", "text")
    expect(first).to_be_focused()
    expect(page.locator("[name=password2]")).to_have_attribute("type", "password")
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / "signup.png")
    page.get_by_role("button", name="Hide Password").click()
    expect(first).to_have_attribute("type", "password")

    phone = windows.page(path="/accounts/login/", size=(360, 700), language="fr-FR", dark=True, touch=True)
    expect(phone.get_by_role("button", name="Afficher")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if SHOTS:
        phone.screenshot(path=Path(SHOTS) / "login.png")


def test_without_scripts_there_is_no_button(windows: Windows) -> None:
    page = windows.page(path="/accounts/login/")
    page.route("**/*.js*", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.reload()
    expect(page.locator("[name=password]")).to_be_visible()
    expect(page.get_by_role("button", name="Show")).to_have_count(0)
