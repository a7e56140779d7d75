"""Measurements of a page on the screen."""

from __future__ import annotations

from playwright.sync_api import Page


def scrolls_sideways(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))
