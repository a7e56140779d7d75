"""Personas, instructions, prompts and settings move with their owner, and replace nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from chat.conversations.lifecycle import delete_conversation
from chat.conversations.models import Conversation, Message
from chat.model_cards.models import PreferredModel
from chat.moderation.models import Rule
from chat.personas.models import (
    ConversationSettings,
    CustomInstructions,
    Persona,
    PreferredPersona,
    SavedPrompt,
)
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk
from tests.chat.transfer import files
from tests.chat.transfer.importing import bring, everything, report, whole

PAGE = "/settings/answers/"
PIRATE = {"name": "Pirate", "prompt": "Talk like a pirate.\n\nAhoy!"}
TRANSLATE = {"name": "Translate", "text": "Into {{language}}: {{text}}"}
SAILS = {"about": "I sail.", "style": "In one line."}
SETTINGS = {"temperature": 1.5, "top_k": 40, "seed": "9223372036854775807"}


@pytest.fixture
def sailor(cast: Cast) -> Persona:
    """One of the site's."""
    return Persona.objects.create(name="Sailor", prompt="the site's own words")


def write(client: Client, path: str, words: dict[str, Any]) -> None:
    assert client.post(f"{PAGE}{path}", words).status_code == 302


def settled(cast: Cast) -> Persona:
    """Alice with one of everything."""
    client = cast.client("alice")
    write(client, "personas/new/", PIRATE)
    write(client, "prompts/new/", TRANSLATE)
    write(client, "", {**SAILS, "active": "on", "compact": "on"})
    return Persona.objects.get(owner=cast.alice)


def choose(client: Client, conversation: Conversation, **fields: Any) -> None:
    path = f"/api/conversations/{conversation.pk}/settings/"
    assert client.patch(path, fields, content_type="application/json").status_code == 200


def one(client: Client, conversation: Conversation) -> bytes:
    return bytes(client.get(f"/api/conversations/{conversation.pk}/export/?format=json").content)


def settings_of(client: Client, title: str = "Own") -> Any:
    """The settings of a conversation as the page gets them."""
    listed = client.get("/api/conversations/").json()["conversations"]
    (found,) = [each["id"] for each in listed if each["title"] == title]
    return client.get(f"/api/conversations/{found}/").json()["conversation_settings"]


def written(**fields: Any) -> dict[str, Any]:
    return {"format": "grokweb.personas", "version": 1, **fields}


def result_of(cast: Cast, *records: Any, who: str = "alice") -> Any:
    return report(bring(cast.client(who), files.as_json(*records)))


def names(result: Any) -> list[str]:
    return [each["title"] for each in result["kept"]]


# --- All the way ------------------------------------------------------------------------------------------


def test_everything_of_one_person_is_anothers_after_the_move(cast: Cast, sailor: Persona) -> None:
    pirate, alice, bob = settled(cast), cast.client("alice"), cast.client("bob")
    choose(alice, talk(cast.alice, "Hello", title="Mine"), persona=str(pirate.pk), settings=SETTINGS)
    choose(alice, talk(cast.alice, "Hello", title="Site's"), persona=str(sailor.pk))
    talk(cast.alice, "Hello", title="Plain")
    packed = everything(alice)
    assert next(iter(whole(packed))) == "personas.json"
    result = report(bring(bob, packed, "all.zip"))
    assert names(result) == ["Your instructions", "Persona “Pirate”", "Prompt “Translate”"]
    assert {each["url"] for each in result["kept"]} == {PAGE}
    assert (result["left_out"], len(result["imported"])) == ([], 3)
    assert all(each["notes"] == [] for each in result["imported"])
    assert Persona.objects.filter(owner=cast.bob, **PIRATE).count() == 1
    assert bob.get("/api/prompts/").json()["prompts"][0]["text"] == TRANSLATE["text"]
    assert CustomInstructions.objects.filter(user=cast.bob, active=True, **SAILS).exists()
    mine = settings_of(bob, "Mine")
    assert (mine["persona"]["name"], mine["persona"]["own"], mine["settings"]) == ("Pirate", True, SETTINGS)
    assert mine["persona"]["id"] != str(pirate.pk)
    assert settings_of(bob, "Site's")["persona"]["id"] == str(sailor.pk)
    assert settings_of(bob, "Plain") == {"persona": None, "settings": {}}
    assert Persona.objects.filter(owner=cast.alice).count() == 1


def test_an_export_contains_only_a_persons_own_personas_and_prompts(cast: Cast, sailor: Persona) -> None:
    settled(cast)
    choose(cast.client("bob"), talk(cast.bob, "Hello"), persona=str(sailor.pk))
    found = whole(everything(cast.client("bob")))
    assert "personas.json" not in found  # bob keeps none
    assert b"the site's own words" not in b"".join(found.values())
    own = json.loads(whole(everything(cast.client("alice")))["personas.json"])
    assert own == written(instructions={**SAILS, "active": True}, personas=[PIRATE], prompts=[TRANSLATE])


def test_a_second_import_of_a_file_changes_nothing_and_says_so(cast: Cast) -> None:
    settled(cast)
    result = report(bring(cast.client("alice"), everything(cast.client("alice")), "all.zip"))
    assert (result["kept"], result["imported"]) == ([], [])
    assert {each["title"]: each["reason"] for each in result["left_out"]} == {
        "Your instructions": "They are here already.",
        "Persona “Pirate”": "It is here already.",
        "Prompt “Translate”": "It is here already.",
    }
    assert Persona.objects.filter(owner=cast.alice).count() == SavedPrompt.objects.count() == 1


def test_a_conversation_is_imported_with_its_persona(cast: Cast) -> None:
    pirate, alice, bob = settled(cast), cast.client("alice"), cast.client("bob")
    made = talk(cast.alice, "Hello", "Ahoy", title="Own")
    choose(alice, made, persona=str(pirate.pk), settings=SETTINGS)
    result = report(bring(bob, one(alice, made)))
    assert result["imported"][0]["notes"] == ["Its persona “Pirate” came with it."]
    assert settings_of(bob)["persona"]["name"] == "Pirate"
    assert settings_of(bob)["settings"] == SETTINGS
    assert not CustomInstructions.objects.filter(user=cast.bob).exists()  # those are no conversation's
    report(bring(bob, one(alice, talk(cast.alice, "Another"))))
    again = report(bring(bob, files.as_json(written(personas=[PIRATE]))))
    assert again["left_out"] == [{"title": "Persona “Pirate”", "reason": "It is here already."}]


def test_a_file_of_an_older_release_is_read(cast: Cast) -> None:
    instructions = {"about": "I sail.", "manner": "In one line.", "active": True}
    older = written(instructions=instructions, personas=[PIRATE]) | {"format": "grokweb.voice"}
    assert result_of(cast, older)["left_out"] == []
    assert CustomInstructions.objects.filter(user=cast.alice, active=True, **SAILS).exists()
    assert Persona.objects.filter(owner=cast.alice, **PIRATE).exists()


def test_the_order_of_personas_and_conversations_does_not_matter(cast: Cast) -> None:
    own = files.own(files.said(), persona={**PIRATE, "own": True})
    result = result_of(cast, own, own | {"title": "Two"}, written(personas=[PIRATE], prompts=[TRANSLATE]))
    assert (len(result["imported"]), names(result)) == (2, ["Prompt “Translate”"])
    assert Persona.objects.filter(owner=cast.alice).count() == 1
    assert ConversationSettings.objects.filter(persona__owner=cast.alice).count() == 2


@pytest.mark.parametrize("more", [{}, {"persona": None, "settings": {}}, {"settings": None, "mood": [1]}])
def test_older_files_can_still_be_imported(cast: Cast, more: dict[str, Any]) -> None:
    result = result_of(cast, files.own(files.said(), **more))
    assert result["imported"][0]["notes"] == []
    assert not ConversationSettings.objects.exists()


# --- Nothing is replaced ----------------------------------------------------------------------------------


def test_another_of_the_same_name_stays_as_it_is(cast: Cast) -> None:
    settled(cast)
    other = {**PIRATE, "prompt": "Talk like a captain."}
    result = result_of(
        cast,
        written(personas=[other, {**PIRATE, "name": "Cook"}], prompts=[{**TRANSLATE, "text": "Other"}]),
        files.own(files.said(), persona={**other, "own": True}),
    )
    reason = "Another one has this name here; it stays as it is."
    assert {each["title"]: each["reason"] for each in result["left_out"]} == {
        "Persona “Pirate”": reason,
        "Prompt “Translate”": reason,
    }
    assert names(result) == ["Persona “Cook”"]
    assert result["imported"][0]["notes"] == [f"Its persona “Pirate” was left out: {reason}"]
    assert not ConversationSettings.objects.exists()
    assert Persona.objects.get(owner=cast.alice, name="Pirate").prompt == PIRATE["prompt"]
    assert SavedPrompt.objects.get().text == TRANSLATE["text"]


def test_two_of_one_name_in_a_file_are_two(cast: Cast) -> None:
    record = written(personas=[PIRATE, {**PIRATE, "prompt": "Another"}])
    assert len(names(result_of(cast, record))) == 2
    assert {each["reason"] for each in result_of(cast, record)["left_out"]} == {"It is here already."}


def test_instructions_that_are_here_stay_and_empty_ones_are_filled(cast: Cast) -> None:
    write(cast.client("alice"), "", {"about": "I row.", "style": "", "active": "on"})
    record = written(instructions={**SAILS, "active": False})
    result = result_of(cast, record)
    assert result["left_out"] == [
        {"title": "Your instructions", "reason": "You have others here; they stay as they are."}
    ]
    assert CustomInstructions.objects.get().about == "I row."
    write(cast.client("alice"), "", {"about": "", "style": "", "active": "on"})
    assert names(result_of(cast, record)) == ["Your instructions"]
    kept = CustomInstructions.objects.get()
    assert (kept.about, kept.style, kept.active) == ("I sail.", "In one line.", False)


def test_somebody_elses_persona_is_not_found_by_its_words(cast: Cast) -> None:
    pirate = settled(cast)
    result_of(cast, files.own(files.said(), persona={**PIRATE, "own": True, "id": str(pirate.pk)}), who="bob")
    assert ConversationSettings.objects.get().persona != pirate
    assert Persona.objects.get(owner=cast.bob).prompt == PIRATE["prompt"]


def test_a_conversation_that_stays_out_leaves_no_persona(cast: Cast) -> None:
    own = files.own(files.said(), persona={**PIRATE, "own": True})
    result_of(cast, own)
    Persona.objects.filter(owner=cast.alice).delete()
    result = result_of(cast, own, files.own(title="Empty", persona={**PIRATE, "own": True}))
    assert (result["imported"], len(result["left_out"])) == ([], 2)
    assert not Persona.objects.filter(owner=cast.alice).exists()


def test_a_conversation_deleted_meanwhile_comes_back_to_its_persona(cast: Cast) -> None:
    pirate, alice = settled(cast), cast.client("alice")
    made = talk(cast.alice, "Hello", title="Own")
    choose(alice, made, persona=str(pirate.pk))
    sent = one(alice, made)
    delete_conversation(conversation=made)
    assert report(bring(alice, sent))["imported"][0]["notes"] == []
    assert settings_of(alice)["persona"]["id"] == str(pirate.pk)


# --- Limits, rules, and values that make no sense ---------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"name": ""}, "no name or no text"),
        ({"name": "\u200b\u202e"}, "no name or no text"),
        ({"name": ["x"]}, "no name or no text"),
        ({"name": "x" * 61}, "longer than 60"),
        ({"name": "x" * 1_000_000}, "longer than 60"),
        ({"prompt": " \n"}, "no name or no text"),
        ({"prompt": {"a": 1}}, "no name or no text"),
        ({"prompt": "x" * 4001}, "4,001 characters; it may have 4,000"),
    ],
)
def test_a_persona_that_stays_out_keeps_nothing_else_out(
    cast: Cast, words: dict[str, Any], reason: str
) -> None:
    bad = {**PIRATE, **words}
    result = result_of(
        cast,
        written(personas=[bad, {**PIRATE, "name": "Cook"}]),
        files.own(files.said(), persona={**bad, "own": True}, settings=SETTINGS),
    )
    assert names(result) == ["Persona “Cook”"]
    assert reason in result["left_out"][0]["reason"]
    assert reason in result["imported"][0]["notes"][0]
    assert len(result["left_out"][0]["title"]) < 100
    assert [each.name for each in Persona.objects.filter(owner=cast.alice)] == ["Cook"]
    assert (ConversationSettings.objects.get().persona, Message.objects.count()) == (None, 1)


@pytest.mark.parametrize("odd", [None, 1, "hello", [], ["x"], {}])
def test_entries_that_are_none_are_told(cast: Cast, odd: Any) -> None:
    result = result_of(cast, written(personas=[odd], prompts=[odd]), files.own(files.said(), persona=odd))
    assert [each["title"] for each in result["left_out"]] == ["Persona “…”", "Prompt “…”"]
    assert not Persona.objects.filter(owner=cast.alice).exists()
    assert len(result["imported"][0]["notes"]) == (odd is not None)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (written(personas=[PIRATE], version=2), "newer version"),
        (written(personas=[PIRATE], version=True), "newer version"),
        (written(personas=[PIRATE], version="1"), "newer version"),
        (written(personas=[PIRATE], prompts={"a": 1}), "malformed"),
        (written(personas="Pirate", prompts=[TRANSLATE]), "malformed"),
        (written(personas=[PIRATE], instructions=["I sail."]), "malformed"),
    ],
)
def test_a_record_that_is_not_sound_stays_out_whole(cast: Cast, record: Any, reason: str) -> None:
    result = result_of(cast, record, files.own(files.said()))
    assert (result["kept"], len(result["imported"])) == ([], 1)
    (left,) = result["left_out"]
    assert left["title"] == "Personas, instructions and prompts"
    assert reason in left["reason"]
    assert not Persona.objects.filter(owner=cast.alice).exists()
    assert not SavedPrompt.objects.exists()
    assert not CustomInstructions.objects.exists()


@pytest.mark.parametrize(
    "instructions", [{"about": 7, "style": None}, {}, None, {"about": " ", "active": True}]
)
def test_empty_instructions_are_none(cast: Cast, instructions: Any) -> None:
    result = result_of(cast, written(instructions=instructions, prompts=[TRANSLATE]))
    assert (names(result), result["left_out"]) == (["Prompt “Translate”"], [])
    assert not CustomInstructions.objects.exists()


def test_instructions_come_whole_or_not_at_all(cast: Cast) -> None:
    result = result_of(cast, written(instructions={"about": "I sail.", "style": "x" * 1501, "active": True}))
    assert "1,501 characters; it may have 1,500" in result["left_out"][0]["reason"]
    assert not CustomInstructions.objects.exists()


def test_there_are_no_more_than_by_hand(cast: Cast) -> None:
    Persona.objects.bulk_create(Persona(owner=cast.alice, name=str(n), prompt="x") for n in range(49))
    result = result_of(
        cast,
        written(personas=[{**PIRATE, "name": f"Pirate {n}"} for n in range(60)]),
        files.own(files.said(), persona={**PIRATE, "own": True}),
    )
    assert names(result) == ["Persona “Pirate 0”"]
    assert len(result["left_out"]) == 50
    assert result["left_out"][0]["reason"] == "You can keep at most 50 personas."
    assert result["left_out"][-1] == {"title": "10 more personas", "reason": "At most 50 are kept."}
    assert "at most 50 personas" in result["imported"][0]["notes"][0]
    assert Persona.objects.filter(owner=cast.alice).count() == 50


def test_two_hundred_prompts_are_enough(cast: Cast) -> None:
    result = result_of(cast, written(prompts=[{**TRANSLATE, "name": str(n)} for n in range(201)]))
    assert (len(result["kept"]), SavedPrompt.objects.count()) == (200, 200)
    assert result["left_out"] == [{"title": "1 more prompt", "reason": "At most 200 are kept."}]


def test_blocked_patterns_hold_for_what_comes_in(cast: Cast) -> None:
    Rule.objects.create(
        name="r", kind="pattern", options={"pattern": "pirate|sail"}, applies="prompt", words="No."
    )
    result = result_of(
        cast,
        written(instructions={**SAILS, "active": True}, personas=[PIRATE], prompts=[TRANSLATE]),
        files.own(files.said(), persona={**PIRATE, "own": True}),
    )
    assert names(result) == ["Prompt “Translate”"]
    assert result["left_out"] == [
        {"title": "Your instructions", "reason": "No."},
        {"title": "Persona “Pirate”", "reason": "No."},
    ]
    assert result["imported"][0]["notes"] == ["Its persona “Pirate” was left out: No."]
    assert not Persona.objects.filter(owner=cast.alice).exists()
    assert not CustomInstructions.objects.exists()


def test_a_persona_that_the_site_does_not_have(cast: Cast, sailor: Persona) -> None:
    """A file cannot make one of the site, nor words for one."""
    gone = {"name": "Gone", "own": False, "prompt": "Mine now"}
    result = result_of(cast, files.own(files.said(), persona=gone))
    assert result["imported"][0]["notes"] == [
        "Its persona “Gone” was left out: This site has no persona of this name."
    ]
    result_of(cast, files.own(files.said(), title="Two", persona={**gone, "name": "Sailor"}))
    assert ConversationSettings.objects.get().persona == sailor
    sailor.refresh_from_db()
    assert sailor.prompt == "the site's own words"
    assert not Persona.objects.filter(prompt="Mine now").exists()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({**SETTINGS, "temperature": 99}, "“Temperature” must be a number from 0.0 to 2.0."),
        ({**SETTINGS, "top_k": True}, "“Top-k” must be a whole number from 0 to 1000."),
        ({**SETTINGS, "seed": 2**63}, "“Seed” must be a whole number"),
        ({**SETTINGS, "heat\u202e\ud800\n": 1}, "There is no setting called “heat� ”."),
        ("hot", "The settings must be an object."),
        ([1], "The settings must be an object."),
        (True, "The settings must be an object."),
    ],
)
def test_settings_come_whole_or_not_at_all(cast: Cast, settings: Any, reason: str) -> None:
    result = result_of(cast, files.own(files.said(), settings=settings))
    (note,) = result["imported"][0]["notes"]
    assert note.startswith("Its settings of answers were left out: ")
    assert reason in note
    assert not ConversationSettings.objects.exists()
    assert Message.objects.count() == 1


def test_characters_that_cannot_be_stored_are_replaced(cast: Cast) -> None:
    odd = {"name": "Pi\ud800ra\x00te", "prompt": "a\ud800b\x00c"}
    assert len(names(result_of(cast, written(personas=[odd])))) == 1
    kept = Persona.objects.get(owner=cast.alice)
    assert (kept.name, kept.prompt) == ("Pi\ufffdra\ufffdte", "a\ufffdb\ufffdc")
    assert result_of(cast, written(personas=[odd]))["left_out"][0]["reason"] == "It is here already."


def test_the_report_speaks_french(cast: Cast) -> None:
    settled(cast)
    record = written(personas=[{**PIRATE, "prompt": "Autre"}, {**PIRATE, "name": "Cuisinier"}])
    own = files.own(files.said(), settings="hot")
    client = cast.client("alice")
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "fr"
    result = report(bring(client, files.as_json(record, own)))
    assert names(result) == ["Personnage «\u00a0Cuisinier\u00a0»"]
    assert result["left_out"][0]["reason"].startswith("Un autre porte ici le même nom")
    assert result["imported"][0]["notes"][0].startswith("Ses réglages des réponses")


def test_the_choices_for_new_chats_move_and_replace_none(cast: Cast, sailor: Persona) -> None:
    own = settled(cast)
    client = cast.client("alice")
    write(client, "new-chats/", {"model": "scripted", "persona": str(own.pk)})
    archive = everything(client)
    bob = cast.client("bob")
    assert "Choices for new chats" in names(report(bring(bob, archive, "all.zip")))
    assert PreferredModel.objects.get(user=cast.bob).model_id == "scripted"
    assert PreferredPersona.objects.get(user=cast.bob).persona.owner == cast.bob
    write(bob, "new-chats/", {"model": "", "persona": str(sailor.pk)})
    bring(bob, archive, "all.zip")
    assert PreferredPersona.objects.get(user=cast.bob).persona == sailor
