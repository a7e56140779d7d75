"""Personas and instructions: kept by their owner, read by the model, seen by nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test.utils import CaptureQueriesContext

from chat.conversations.models import Conversation, Message
from chat.moderation.models import Rule
from chat.personas.models import CustomInstructions, Persona
from chat.turns.models import Generation
from chat.turns.requests import request_for
from tests.chat.conversations.building import talk
from tests.chat.personas.choosing import choose
from tests.chat.turns.exchange import asked, cut, saved, send

pytestmark = [pytest.mark.django_db(transaction=True)]
PAGE = "/settings/answers/"
PIRATE = {"name": "Pirate", "prompt": "Talk like a pirate."}


def pirate(cast: Any, who: str = "alice", **words: str) -> Persona:
    answer = cast.client(who).post(f"{PAGE}personas/new/", {**PIRATE, **words})
    assert answer.status_code == 302, answer.content.decode()
    return Persona.objects.get(owner=getattr(cast, who))


def offered(cast: Any, who: str = "alice", language: str = "en") -> list[str]:
    page = cast.client(who).get("/", headers={"accept-language": language}).context["page"]
    return [each["name"] for each in page["personas"]["personas"]]


# --- Keeping them -----------------------------------------------------------------------------------------


def test_the_sites_personas_are_offered_in_the_readers_language(cast: Any) -> None:
    assert offered(cast) == ["Regular", "Fun"]
    assert offered(cast, language="fr") == ["Classique", "Amusant"]


def test_a_person_makes_changes_and_deletes_their_own(cast: Any) -> None:
    kept = pirate(cast)
    assert offered(cast) == ["Regular", "Fun", "Pirate"]
    path = f"{PAGE}personas/{kept.pk}/"
    cast.client("alice").post(path, {"name": "Captain", "prompt": "Talk like a captain."})
    kept.refresh_from_db()
    assert (kept.name, kept.prompt) == ("Captain", "Talk like a captain.")
    assert "Captain" in cast.client("alice").get(PAGE).content.decode()
    cast.client("alice").post(f"{path}delete/")
    assert offered(cast) == ["Regular", "Fun"]


@pytest.mark.parametrize(("who", "status"), [("bob", 404), ("staff", 404), ("anonymous", 302)])
def test_nobody_else_has_them(cast: Any, who: str, status: int) -> None:
    kept = pirate(cast)
    client = cast.client(who)
    for path in (f"{PAGE}personas/{kept.pk}/", f"{PAGE}personas/{kept.pk}/delete/"):
        assert client.post(path, PIRATE).status_code == status
    assert client.get(f"{PAGE}personas/{kept.pk}/").status_code == status
    assert Persona.objects.filter(pk=kept.pk).exists()
    if who != "anonymous":
        assert offered(cast, who) == ["Regular", "Fun"]


def test_one_of_the_site_is_not_a_persons_to_change(cast: Any) -> None:
    fun = Persona.objects.get(name="Fun")
    assert cast.client("alice").post(f"{PAGE}personas/{fun.pk}/", PIRATE).status_code == 404


@pytest.mark.parametrize(
    "words", [{"name": ""}, {"name": "\u200b"}, {"name": "x" * 61}, {"prompt": " "}, {"prompt": "x" * 4001}]
)
def test_personas_with_empty_or_too_long_fields_are_refused(cast: Any, words: dict[str, str]) -> None:
    answer = cast.client("alice").post(f"{PAGE}personas/new/", {**PIRATE, **words})
    assert answer.status_code == 400
    assert not Persona.objects.filter(owner=cast.alice).exists()


def test_fifty_are_enough(cast: Any) -> None:
    Persona.objects.bulk_create(Persona(owner=cast.alice, name=str(n), prompt="x") for n in range(50))
    answer = cast.client("alice").post(f"{PAGE}personas/new/", PIRATE)
    assert answer.status_code == 400
    assert "at most 50 personas" in answer.content.decode()


def test_blocked_patterns_hold_for_these_texts_too(cast: Any) -> None:
    Rule.objects.create(
        name="r", kind="pattern", options={"pattern": "pirate"}, applies="prompt", words="No pirates here."
    )
    for path, data in ((f"{PAGE}personas/new/", PIRATE), (PAGE, {"about": "I am a pirate", "style": ""})):
        answer = cast.client("alice").post(path, data)
        assert answer.status_code == 400
        assert "No pirates here." in answer.content.decode()
    assert not CustomInstructions.objects.exists()


def test_markup_in_a_name_is_text(cast: Any) -> None:
    pirate(cast, name="<b>Pirate</b>\u202e")
    for path in (PAGE, "/"):
        html = cast.client("alice").get(path).content.decode()
        assert "<b>Pirate" not in html
        assert "\u202e" not in html


def test_staff_change_those_of_the_site_and_see_no_others(cast: Any) -> None:
    kept, fun = pirate(cast), Persona.objects.get(name="Fun")
    staff = cast.client("staff")
    listed = staff.get("/admin/personas/persona/").content.decode()
    assert "Classique" in listed
    assert "Pirate" not in listed
    assert staff.get(f"/admin/personas/persona/{kept.pk}/change/").status_code == 302
    staff.post(
        f"/admin/personas/persona/{fun.pk}/change/", {"name": "Merry", "language": "en", "prompt": "Sing."}
    )
    assert offered(cast) == ["Regular", "Merry", "Pirate"]


def test_the_page_costs_the_same_with_many_personas(cast: Any) -> None:
    from django.db import connection

    counts = []
    cast.client("alice").get("/")
    for n in (1, 40):
        Persona.objects.bulk_create(Persona(owner=cast.alice, name=f"{n} {i}", prompt="x") for i in range(n))
        with CaptureQueriesContext(connection) as seen:
            cast.client("alice").get("/")
        counts.append(len(seen))
    assert counts[0] == counts[1]


# --- Chosen for a conversation ----------------------------------------------------------------------------


def test_only_the_owner_chooses_a_persona_for_a_conversation(cast: Any) -> None:
    conversation, kept = talk(cast.alice, "one", "two"), pirate(cast)
    result = choose(cast, conversation.pk, persona=str(kept.pk)).json()["conversation_settings"]
    assert result["persona"]["name"] == "Pirate"
    assert choose(cast, conversation.pk, "bob", persona=None).status_code == 404
    assert choose(cast, conversation.pk, "anonymous", persona=None).status_code == 401
    bobs = pirate(cast, "bob")
    assert choose(cast, conversation.pk, persona=str(bobs.pk)).status_code == 404
    assert choose(cast, conversation.pk, persona="nonsense").status_code == 404
    assert choose(cast, conversation.pk, personas=None).status_code == 400
    page = cast.client("alice").get(conversation.get_absolute_url()).context["page"]
    assert page["conversation_settings"]["persona"]["name"] == "Pirate"
    kept.delete()
    answer = cast.client("alice").get(f"/api/conversations/{conversation.pk}/")
    assert answer.json()["conversation_settings"]["persona"] is None


# --- Read by the model ------------------------------------------------------------------------------------


@sync_to_async
def prepared(cast: Any, **instructions: str) -> str:
    cast.client("alice").post(PAGE, {"active": "on", "about": "", "style": "", **instructions})
    return str(pirate(cast).pk)


async def test_the_model_is_told_persona_and_instructions(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    persona = await prepared(cast, about="I sail.", style="In one line.")
    tab = await tabs("alice")
    await tab.say(**send("system:", start={"persona": persona}))
    ack = await tab.until("ack")
    text, done = await tab.reply()
    assert text == (
        "Talk like a pirate.\n\nAbout the person you are talking with:\nI sail.\n\n"
        "How they would like you to answer:\nIn one line."
    )
    assert done["usage"]["prompt_tokens"] > 10  # it counts
    assert (await Generation.objects.aget(pk=ack["generation_id"])).parameters.persona == "Pirate"


async def test_without_either_there_is_no_system_message(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    await sync_to_async(lambda: cast.client("alice").post(PAGE, {"about": "I sail."}))()  # not active
    ack = await asked(await tabs("alice"), "hello")

    def request() -> Any:
        return request_for(Generation.objects.get(pk=ack["generation_id"]))

    assert (await sync_to_async(request)()).messages[0]["role"] == "user"


async def test_an_answer_can_be_asked_again_of_another_persona(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    persona = await prepared(cast)
    tab = await tabs("alice")
    first = await asked(tab, "system:", start={"persona": persona})
    fun = await Persona.objects.aget(name="Fun")
    for wish, expected in (
        ({"persona": str(fun.pk)}, fun.prompt),
        ({}, PIRATE["prompt"]),
        ({"persona": None}, ""),
    ):
        await tab.say(type="regenerate", message_id=first["message_id"], client_id=str(wish), params=wish)
        ack = await tab.until("ack")
        assert (await tab.reply())[0] == expected
        await saved(ack)


async def test_another_attempt_is_told_the_same(tabs: Any, broker: Any, cast: Any) -> None:
    """The row decides: neither today's persona nor today's instructions count."""
    persona = await prepared(cast, about="I sail.")
    tab = await tabs("alice")
    await tab.say(**send("hello", start={"persona": persona}))
    ack = await tab.until("ack")

    def requests() -> Any:
        before = request_for(Generation.objects.get(pk=ack["generation_id"]))
        Persona.objects.all().delete()
        CustomInstructions.objects.all().delete()
        return before, request_for(Generation.objects.get(pk=ack["generation_id"]))

    before, after = await sync_to_async(requests)()
    assert before == after
    assert "Talk like a pirate." in after.messages[0]["content"]


async def test_a_cut_answer_goes_on_as_who_it_was(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    persona = await prepared(cast)
    tab = await tabs("alice")
    first, _ = await cut(tab)
    assert (
        await sync_to_async(choose)(cast, first["conversation"]["id"], persona=persona)
    ).status_code == 200
    await tab.say(type="continue", message_id=first["message_id"], client_id="on")
    ack = await tab.until("ack")
    await tab.reply()
    assert (await Generation.objects.aget(pk=ack["generation_id"])).parameters.system == ""


async def test_other_tabs_hear_of_the_choice(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    ack = await asked(tab, "hello")
    persona = await prepared(cast)
    await sync_to_async(choose)(cast, ack["conversation"]["id"], persona=persona)
    frame = await tab.until("conversation_settings")
    assert frame["conversation"] == ack["conversation"]["id"]
    assert frame["conversation_settings"]["persona"]["name"] == "Pirate"


@pytest.mark.parametrize("persona", ["nonsense", 7, "00000000-0000-0000-0000-000000000000"])
@pytest.mark.parametrize("way", ["start", "params"])
async def test_unknown_personas_store_nothing(tabs: Any, broker: Any, way: str, persona: Any) -> None:
    tab = await tabs("alice")
    asked_with: dict[str, Any] = {way: {"persona": persona}}
    await tab.say(**send("hello", **asked_with))
    assert (await tab.until_error())["code"] in {"bad_input", "not_found"}
    assert await Conversation.objects.acount() == await Message.objects.acount() == 0


async def test_instructions_that_leave_no_room_are_refused_with_the_numbers(
    tabs: Any, broker: Any, cast: Any
) -> None:
    persona = await sync_to_async(lambda: str(pirate(cast, prompt="word " * 700).pk))()
    tab = await tabs("alice")
    await tab.say(**send("hello", start={"persona": persona}))
    words = (await tab.until_error())["words"]
    assert "1,170 tokens; this model reads 1,024 in all" in words


async def test_a_rule_newer_than_the_persona_holds(tabs: Any, broker: Any, cast: Any) -> None:
    persona = await prepared(cast)
    await Rule.objects.acreate(
        name="r", kind="pattern", options={"pattern": "pirate"}, applies="prompt", words="No."
    )
    tab = await tabs("alice")
    await tab.say(**send("hello", start={"persona": persona}))
    assert (await tab.until_error())["code"] == "refused"
