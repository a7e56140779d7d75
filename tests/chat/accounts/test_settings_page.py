"""The settings page as a whole: its sections, and the words of what the admin shows of logins."""

from __future__ import annotations

import re

import pytest

from tests.chat.cast import Cast

pytestmark = pytest.mark.django_db


def test_the_menu_of_the_settings_leads_to_every_section(cast: Cast) -> None:
    page = cast.client("alice").get("/settings/").content.decode()
    sections = re.findall(r'<section id="(\w+)"', page)
    linked = re.findall(r'href="/settings/#(\w+)"', page)
    assert len(sections) > 5
    assert linked == sections


@pytest.mark.parametrize(
    ("language", "heading", "rows"),
    [("en", "Two-step login", "Second factors"), ("fr", "Double authentification", "Seconds facteurs")],
)
def test_the_admin_names_second_factors_in_both_languages(
    cast: Cast, language: str, heading: str, rows: str
) -> None:
    page = cast.client("staff").get("/admin/", headers={"accept-language": language}).content.decode()
    assert heading in page
    assert re.search(rf">\s*{rows}\s*</a>", page)
    assert not re.search(r">\s*Authenticators?\s*<", page)
