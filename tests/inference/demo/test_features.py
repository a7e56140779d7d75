"""Every feature of the page has an intent that explains it, in both languages: a new one without fails here.

The features are read out of the product: entries of menus and commands of the palette, tools below a
message, formats of the export menu, buttons of the chat page, headings of the settings, and the apps that
have addresses. The text says with a line `= feature` which intent explains which; an
answer that names a {label} explains it, too.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.apps import apps
from django.utils.translation import override

from chat.transfer import formats
from inference.demo.phrases import Group, read_groups

ROOT = Path(__file__).parents[3]
TRANS = re.compile(r"""\{% trans (["'])(.+?)\1 %\}""")
# It says itself what it does, and nobody asks for it.
PLAIN = {"Jump to the newest message"}
SETTINGS = (
    "accounts/settings",
    "transfer/_settings.html",
    "account_deletion/_settings.html",
    "push/_settings.html",
    "personas/page.html",
)


def menu_entries(source: str) -> set[str]:
    """Finds the words of `{ name: "pin", words: gettext("Pin"), run: … }`, tool(…), textRow(…), item(…)."""
    entries = re.findall(r'\bname: "\w+",\s+words: ((?s:.*?)),\s+(?:run|danger|href|disabled)\b', source)
    entries += re.findall(r"\b(?:tool|textRow)\((.*?), \(", source)
    entries += re.findall(r"\bitem\((.*?), [A-Z{]", source)
    return {words for entry in entries for words in re.findall(r'\bgettext\("([^"]+)"\)', entry)}


class Buttons(HTMLParser):
    """Collects the names of buttons and links that a script listens to, but for those of dialogs."""

    def __init__(self) -> None:
        super().__init__()
        self.called: set[str] = set()
        self.inside: list[str] = []  # the text of the button that is open
        self.dialogs = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.dialogs += tag == "dialog"
        given = dict(attrs)
        wired = any(name.startswith("data-") for name in given) and "data-menu" not in given
        if tag in ("button", "a") and wired and not self.dialogs:
            self.inside = [given.get("aria-label") or ""]

    def handle_data(self, data: str) -> None:
        if self.inside and not self.inside[0]:
            self.inside.append(data)

    def handle_endtag(self, tag: str) -> None:
        self.dialogs -= tag == "dialog"
        if tag in ("button", "a") and self.inside:
            self.called |= {words for each in self.inside if (words := each.strip())}
            self.inside = []


def page_buttons(template: str) -> set[str]:
    parser = Buttons()
    parser.feed(re.sub(r"\{[%{].*?[%}]\}", "", TRANS.sub(r"\2", template)))
    return parser.called


def headings(template: str) -> set[str]:
    return {words for _, words in TRANS.findall("".join(re.findall(r"<h2[^>]*>.*?</h2>", template)))}


def features() -> dict[str, set[str]]:
    """Returns the features found in the product, by place."""
    menus = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "static" / "js").rglob("*.js"))
    page = (ROOT / "templates" / "chat" / "chat.html").read_text(encoding="utf-8")
    places = [ROOT / "templates" / place for place in SETTINGS]
    files = [file for place in places for file in (sorted(place.glob("*.html")) or [place])]
    chat = {app.name for app in apps.get_app_configs() if app.name.startswith("chat.")}
    with override("en"):
        exports = {str(one.export_label) for one in formats.writers().values()}
    return {
        "menus": menu_entries(menus) | exports,
        "page": page_buttons(page) - PLAIN,
        "settings": {words for file in files for words in headings(file.read_text(encoding="utf-8"))},
        "apps": {app for app in chat if find_spec(f"{app}.urls")},
    }


def without_intent(found: set[str], groups: dict[tuple[str, bool], Group]) -> set[str]:
    """Returns those that no intent explains which is asked for in both languages."""
    both = [group for group in groups.values() if (group.intent, not group.french) in groups]
    return found - {feature for group in both for feature in (*group.features, *group.named)}


@pytest.fixture(scope="module")
def groups() -> dict[tuple[str, bool], Group]:
    return read_groups()


@pytest.mark.parametrize("place", ["menus", "page", "settings", "apps"])
def test_every_feature_has_an_intent(groups: dict[tuple[str, bool], Group], place: str) -> None:
    found = features()[place]
    missing = without_intent(found, groups)
    assert not missing, f'say with "= ..." in inference/demo/text/ which intent explains {sorted(missing)}'


def test_the_features_are_found() -> None:
    found = features()
    assert {"Pin", "Export…", "Read aloud", "Ask again, more exactly", "Keyboard shortcuts"} <= found["menus"]
    assert {"Search", "Share", "Attach files", "Dictate", "Temporary", "Prompts"} <= found["page"]
    assert {"Your data", "Personas", "Your instructions", "Appearance"} <= found["settings"]
    assert {"chat.files", "chat.search", "chat.transfer", "chat.personas"} <= found["apps"]


def test_a_new_feature_is_missed(groups: dict[tuple[str, bool], Group]) -> None:
    new = menu_entries('{ name: "moon", words: gettext("Send it to the moon"), run: () => go() },')
    new |= page_buttons("""<button data-moon aria-label="{% trans 'To the moon' %}"></button>""")
    new |= headings('<h2 id="moon">{% trans "Flights" %}</h2>')
    assert without_intent(new, groups) == {"Send it to the moon", "To the moon", "Flights"}


def test_every_feature_that_the_demo_text_explains_exists(groups: dict[tuple[str, bool], Group]) -> None:
    everything = set().union(*features().values())
    for group in groups.values():
        gone = set(group.features) - everything
        assert not gone, f"{group.intent}: {sorted(gone)} are no longer in the product"
        assert not group.features or (group.intent, not group.french) in groups, group.intent


def test_no_answer_denies_what_the_page_can_do(groups: dict[tuple[str, bool], Group]) -> None:
    denied = re.compile(
        r"no (?:attachments|search box|export button|such settings|app to install)|cannot be changed|not yet"
        r"|pas (?:encore )?d'(?:export|application)|pas de (?:recherche|pièces jointes|tels réglages)",
        re.IGNORECASE,
    )
    for group in groups.values():
        assert not [answer for answer in group.answers if denied.search(answer)], group.intent
