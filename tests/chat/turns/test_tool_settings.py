"""Staff set a tool's options and decide when people are asked; replies and the staff pages follow."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django import forms
from django.urls import reverse

from chat.core.models import StaffAction
from chat.tools.models import ToolSettings
from chat.tools.services import offered_to, tool_for
from tests import tools
from tests.chat.cast import Cast
from tests.chat.turns.calling import Page, call, ended

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("called_tools")]
LIST = "admin:tools_toolsettings_changelist"


class Suffix(tools.Echo):
    """Adds a text that staff set."""

    label = "Suffix"
    fields = {  # noqa: RUF012 - as extensions declare them
        "suffix": forms.CharField(label="Text to add", max_length=8),
        "key": forms.CharField(label="Key", required=False, widget=forms.PasswordInput),
    }

    def run(self, call: Any) -> str:
        return f"{super().run(call)}{call.options['suffix']}"


@pytest.fixture(autouse=True)
def _fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.tools.Echo", Suffix)


def save(cast: Cast, name: str, who: str = "staff", **given: str) -> Any:
    client = cast.client(who)
    client.get(reverse(LIST))
    pk = ToolSettings.objects.get(name=name).pk
    page = reverse("admin:tools_toolsettings_change", args=[pk])
    seen = client.get(page).context["seen"]
    return client.post(page, {"approval": "", "_seen": seen, "seen": seen, **given})


def test_a_tool_is_offered_once_its_options_are_valid(cast: Cast) -> None:
    assert "echo" not in offered_to(cast.alice)
    refused = save(cast, "echo", **{"option-suffix": "far too long"})
    assert "at most 8 characters" in refused.content.decode()
    assert "echo" not in offered_to(cast.alice)
    assert save(cast, "echo", **{"option-suffix": "!", "option-key": "hush"}).status_code == 302
    assert "echo" in offered_to(cast.alice)
    assert ToolSettings.objects.get(name="echo").options == {"suffix": "!", "key": "hush"}
    entry = StaffAction.objects.latest("pk")
    assert (entry.verb, entry.detail["name"]) == ("change", "echo")
    assert "hush" not in str(entry.detail)


async def test_a_call_gets_the_options_and_asks_as_staff_decided(tabs: Any, broker: Any, cast: Cast) -> None:
    await sync_to_async(save)(cast, "echo", **{"option-suffix": "!", "approval": "always"})
    await sync_to_async(save)(cast, "note", approval="never")
    broker.start_worker()
    page = Page(await tabs("alice"), f"{call('echo')} && {call('note')}")
    ack = await page.ask()
    waiting = await page.until_state("waiting")
    assert waiting["name"] == "echo"
    await page.tab.say(type="decide", call=waiting["id"], allow=True)
    _, made = await ended(page, ack)
    assert [(each.name, each.result) for each in made] == [("echo", "hi there!"), ("note", "written down")]


def test_staff_can_make_a_tool_stricter_and_not_laxer(cast: Cast) -> None:
    save(cast, "echo", **{"option-suffix": "!"})
    found = tool_for("echo")
    assert found is not None
    assert (found.read_only, found.needs_approval) == (True, False)
    save(cast, "echo", **{"option-suffix": "!", "is_changing": "on"})
    save(cast, "jot")
    stricter, jot = tool_for("echo"), tool_for("jot")
    assert stricter is not None
    assert jot is not None
    assert (stricter.read_only, jot.read_only) == (False, False)


def test_staff_see_which_tools_are_on_in_their_language(cast: Cast, settings: Any) -> None:
    cast.client("staff").get(reverse(LIST))
    settings.TOOLS = ["note"]
    for language, words in (("en", "offered to models"), ("fr", "proposé aux modèles")):
        html = cast.client("staff").get(reverse(LIST), headers={"Accept-Language": language}).content.decode()
        assert words in html.casefold()
        rows = {row.name for row in ToolSettings.objects.all()}
        assert rows == set(tools.NAMES)
        assert html.count('alt="True"') == 2  # `note` is on, and asks
    assert cast.client("alice").get(reverse(LIST)).status_code == 302
    assert cast.client("moderator").get(reverse(LIST)).status_code == 403


@pytest.mark.usefixtures("redis_client")
async def test_the_engine_page_names_the_tools_and_who_can_call_them(cast: Cast, broker: Any) -> None:
    broker.start_worker()
    html = await sync_to_async(lambda: cast.client("staff").get("/admin/engine/").content.decode())()
    assert 'data-calls-tools="yes"' in html
    assert "Note (asks the person), Jot" in html
