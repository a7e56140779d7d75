"""An export of everything is complete and the same elsewhere: files, folders, pins, settings, feedback."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from chat.accounts.views import PROFILE_FIELDS
from chat.conversations import bulk, folders
from chat.conversations.models import Conversation, Folder, Message
from chat.feedback import services as feedback
from chat.feedback.models import Feedback
from chat.files import attaching, file_storage, read_jobs, serializers, uploading
from chat.files.models import File
from chat.model_cards.models import ModelCard
from chat.moderation.models import Rule
from chat.personas.models import CustomInstructions
from chat.transfer import account, personas
from chat.transfer.imported_conversation import Unreadable
from chat.turns.models import Generation
from tests.chat.cast import Cast
from tests.chat.conversations.building import say, talk
from tests.chat.files import making
from tests.chat.transfer import files as made_files
from tests.chat.transfer.importing import bring, everything, report, whole

MIB = 1 << 20
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def attach(cast: Cast, message: Message, content: bytes, name: str = "notes.txt") -> File:
    """Alice's file, read as a worker does."""
    file = uploading.store(owner=cast.alice, content=ContentFile(content), name=name, size=len(content))
    read_jobs.read(file.pk)
    file.refresh_from_db()
    attaching.attach(message, [file])
    return file


def with_file(cast: Cast, content: bytes, name: str = "notes.txt", title: str = "With a file") -> Message:
    asked = talk(cast.alice, "Look", "I see", title=title).messages.get(text="Look")
    attach(cast, asked, content, name)
    return asked


def settled(cast: Cast) -> None:
    """Alice with one of everything."""
    folder = folders.new_folder(owner=cast.alice, name="Cooking 🍞")
    folders.new_folder(owner=cast.alice, name="Empty")
    first = talk(cast.alice, "Look at this", "A recipe", title="Bread")
    asked, answered = first.messages.get(role="user"), first.messages.get(role="assistant")
    recipe = attach(cast, asked, making.pdf("Flour and water"), "recipe.pdf")
    (edited,) = say(first, "Look at this again")
    attaching.attach(edited, [recipe])
    attach(cast, edited, "crème brûlée".encode("cp1252"), "list.txt")
    Generation.objects.create(message=answered, user=cast.alice, model="scripted", seed=1)
    feedback.save_feedback(user=cast.alice, message=answered, value=-1, reason="wrong", note="Too dry")
    Conversation.objects.filter(pk=first.pk).update(folder=folder, pinned=True)
    second = talk(cast.alice, "Old", "Words", title="Tea")
    Conversation.objects.filter(pk=second.pk).update(archived=True)
    second.messages.update(pinned=True)
    for number, message in enumerate(Message.objects.order_by("created_at", "-role")):
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
        Message.objects.filter(pk=message.pk).update(created_at=at)
    client = cast.client("alice")
    client.post("/settings/answers/personas/new/", {"name": "Pirate", "prompt": "Ahoy!"})
    client.post("/settings/answers/prompts/new/", {"name": "Short", "text": "In short: {{text}}"})
    # Without "compact": long conversations are not summarised.
    client.post("/settings/answers/", {"about": "I bake.", "style": "Warmly.", "active": "on"})
    cast.alice.theme, cast.alice.density = "dark", "compact"
    cast.alice.save()


def without_ids(text: str) -> str:
    """Each id becomes the number of its first place."""
    places: dict[str, str] = {}
    return _ID.sub(lambda found: places.setdefault(found[0], f"id {len(places)}"), text)


def comparable(packed: bytes) -> dict[str, Any]:
    """Returns an export without what an import must change: ids, the person, and the marks of imports."""
    found: dict[str, Any] = {}
    for name, content in whole(packed).items():
        if not name.endswith(".json") or name.startswith("files/"):
            found[name] = content if name.startswith("files/") else None
            continue
        result = json.loads(without_ids(content.decode()))
        for message in result.get("messages", []):
            message.pop("origin", None)
            message.pop("model")
        found[name] = {key: value for key, value in result.items() if key not in ("name", "email")}
    return found


def test_an_imported_archive_equals_the_exported_one(cast: Cast) -> None:
    settled(cast)
    packed = everything(cast.client("alice"))
    result = report(bring(cast.client("bob"), packed, "all.zip"))
    assert result["left_out"] == []
    assert [each["notes"] for each in result["imported"]] == [[], []]
    assert {each["title"] for each in result["kept"]} >= {
        "Your settings",
        "Folder “Cooking 🍞”",
        "Folder “Empty”",
        "Persona “Pirate”",
    }
    again = everything(cast.client("bob"))
    assert comparable(again) == comparable(packed)
    bread = Conversation.objects.get(owner=cast.bob, title="Bread")
    assert (bread.pinned, bread.folder and bread.folder.name) == (True, "Cooking 🍞")
    tea = Message.objects.filter(conversation__owner=cast.bob, pinned=True)
    assert sorted(tea.values_list("text", flat=True)) == ["Old", "Words"]
    assert CustomInstructions.objects.get(user=cast.bob).compact is False
    assert File.objects.filter(owner=cast.bob).count() == 2  # two versions of a question share one
    report(bring(cast.client("stranger"), again, "all.zip"))  # and once more
    assert everything(cast.client("stranger")) is not None
    assert comparable(everything(cast.client("stranger"))) == comparable(again)


def test_the_original_bytes_can_be_downloaded_after_the_import(cast: Cast) -> None:
    content = making.pdf("Flour and water")
    with_file(cast, content, "recipe.pdf")
    report(bring(cast.client("bob"), everything(cast.client("alice")), "all.zip"))
    file = File.objects.get(owner=cast.bob)
    answer = cast.client("bob").get(f"/api/files/{file.pk}/original/")
    assert answer.content == content
    assert (file.kind, file.size) == ("pdf", len(content))


def test_remarks_about_reading_a_file_survive_the_transfer(cast: Cast) -> None:
    """The label of the file shows them: its encoding is a guess."""
    result = []
    with_file(cast, "La crème brûlée à la vanille est déjà prête, où êtes-vous ?\n".encode("cp1252"))
    report(bring(cast.client("bob"), everything(cast.client("alice")), "all.zip"))
    for owner in (cast.alice, cast.bob):
        file = File.objects.get(owner=owner)
        result.append(serializers.file_json(file)["remarks"])
    assert result[0] == result[1] != []


@pytest.mark.parametrize(
    "odd",
    [
        "text",
        {"encoding": "<b>", "guessed": True},
        {"empty": [1], "pages": "2"},
        {"empty": [3], "pages": 2},
        {"unreadable": [2, 1], "pages": 2},
        {"unreadable": ["x"]},
        {"flaws": -1},
        {"flaws": 10**30},
    ],
)
def test_an_invalid_report_about_reading_is_ignored(cast: Cast, odd: Any) -> None:
    asked = made_files.said(files=[{"name": "a.txt", "text": "x", "report": odd}])
    result = report(bring(cast.client("alice"), made_files.as_json(made_files.own(asked))))
    assert result["left_out"] == []
    pk = result["imported"][0]["id"]
    (message,) = cast.client("alice").get(f"/api/conversations/{pk}/messages/").json()["messages"]
    assert message["files"][0]["remarks"] == []


def test_a_zip_repacked_by_the_finder_is_imported_with_its_files(cast: Cast) -> None:
    with_file(cast, b"milk, eggs")
    packed = {f"GrokWeb/{name}": content for name, content in whole(everything(cast.client("alice"))).items()}
    beside = {f"__MACOSX/GrokWeb/{name}": b"\x00\x05" for name in packed}
    result = report(bring(cast.client("bob"), made_files.zipped(packed | beside), "all.zip"))
    assert (result["left_out"], result["imported"][0]["notes"]) == ([], [])
    assert File.objects.get(owner=cast.bob).stored


def test_an_attached_json_file_is_no_conversation(cast: Cast) -> None:
    with_file(cast, json.dumps(made_files.own(made_files.said())).encode(), "conversations.json")
    result = report(bring(cast.client("bob"), everything(cast.client("alice")), "all.zip"))
    assert [each["title"] for each in result["imported"]] == ["With a file"]
    assert result["left_out"] == []


def test_only_own_visible_files_are_exported(cast: Cast) -> None:
    asked = with_file(cast, b"hidden words")
    Message.objects.filter(pk=asked.pk).update(hidden_at=timezone.now())
    with_file(cast, b"open words", title="Open")
    found = whole(everything(cast.client("alice")))
    assert [content for name, content in found.items() if name.startswith("files/")] == [b"open words"]
    assert not any(name.startswith("files/") for name in whole(everything(cast.client("bob"))))


def test_a_large_file_is_sent_in_small_pieces(cast: Cast) -> None:
    content = os.urandom(3 * MIB // 2).hex().encode()
    with_file(cast, content)
    sent = list(cast.client("alice").get("/api/export/"))
    assert max(map(len, sent)) < MIB // 4
    assert content in whole(b"".join(sent)).values()


# --- What does not fit --------------------------------------------------------------------------------------


def notes_of(result: Any) -> list[str]:
    assert result["left_out"] == []
    (one,) = result["imported"]
    return list(one["notes"])


def test_files_are_imported_up_to_the_limit_of_a_person(cast: Cast, settings: Any) -> None:
    asked = with_file(cast, b"a" * 900_000)
    attach(cast, asked, b"b" * 900_000, "second.txt")
    packed = everything(cast.client("alice"))
    settings.FILES_BYTES = MIB + MIB // 2
    result = report(bring(cast.client("bob"), packed, "all.zip"))
    assert notes_of(result) == ["1 file was left out: your files may take 1 MB together."]
    assert File.objects.get(owner=cast.bob).name == "notes.txt"


def test_a_file_over_the_limit_is_left_out(cast: Cast, settings: Any) -> None:
    with_file(cast, b"a" * 900_000 + b"\n" * 900_000)
    packed = everything(cast.client("alice"))
    settings.FILE_BYTES = MIB
    result = report(bring(cast.client("bob"), packed, "all.zip"))
    assert notes_of(result) == ["1 file was left out: a file may have at most 1 MB here."]


def stored_files() -> set[str]:
    kept = file_storage.storage()
    if not kept.exists(""):
        return set()
    return {f"{folder}/{name}" for folder in kept.listdir("")[0] for name in kept.listdir(folder)[1]}


def changed(packed: bytes, change: Any) -> bytes:
    """The zip with other bytes in its files."""
    found = whole(packed)
    return made_files.zipped(
        {name: change(content) if name.startswith("files/") else content for name, content in found.items()}
    )


@pytest.mark.parametrize(
    "change", [lambda content: content + b"!", lambda content: b"", lambda content: b"\0" * 9]
)
def test_bytes_that_are_not_what_was_exported_stay_out(cast: Cast, change: Any) -> None:
    with_file(cast, b"milk, eggs")
    packed = changed(everything(cast.client("alice")), change)
    before = stored_files()
    result = report(bring(cast.client("bob"), packed, "all.zip"))
    words = "Only the text of 1 file was imported: its bytes are missing or changed."
    assert notes_of(result) == [words]
    file = File.objects.get(owner=cast.bob)
    assert (file.text, file.stored) == ("milk, eggs", "")
    assert stored_files() == before


def test_a_conversation_alone_has_the_texts_of_its_files(cast: Cast) -> None:
    asked = with_file(cast, b"milk, eggs")
    sent = cast.client("alice").get(f"/api/conversations/{asked.conversation_id}/export/?format=json").content
    result = report(bring(cast.client("bob"), sent))
    assert "Only the text" in notes_of(result)[0]
    assert File.objects.get(owner=cast.bob).text == "milk, eggs"


def test_a_conversation_that_fails_leaves_no_bytes(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    with_file(cast, b"milk, eggs")
    packed, before = everything(cast.client("alice")), stored_files()

    def fail(*_: Any) -> None:
        raise Unreadable("no")

    monkeypatch.setattr(personas, "import_settings", fail)
    result = report(bring(cast.client("bob"), packed, "all.zip"))
    assert [each["reason"] for each in result["left_out"]] == ["no"]
    assert stored_files() == before
    assert not File.objects.filter(owner=cast.bob).exists()


def test_a_file_that_thousands_of_messages_name_is_read_once(cast: Cast) -> None:
    """Each would be unpacked anew: hours of work from a small archive."""
    with_file(cast, b"milk, eggs")
    found = whole(everything(cast.client("alice")))
    (name,) = (name for name in found if name.startswith("files/"))
    sha256 = name.split("/")[1]
    named = {"name": "a.txt", "text": "x", "sha256": sha256}
    asked = [made_files.said(str(n), text="x", files=[named]) for n in range(3000)]
    packed = made_files.zipped(
        {"a.json": made_files.as_json(made_files.own(*asked)), name: b"\0" * (9 << 20)}
    )
    result = report(bring(cast.client("bob"), packed, "all.zip"))
    assert result["messages"] == 3000
    assert File.objects.filter(owner=cast.bob, stored="").count() == 3000


def test_rules_are_asked_for_names_and_texts_of_files_and_folders(cast: Cast) -> None:
    settled(cast)
    packed = everything(cast.client("alice"))
    Rule.objects.create(name="no bread", options={"pattern": "Cooking"}, words="Not here.")
    result = report(bring(cast.client("bob"), packed, "all.zip"))
    assert [(each["title"], each["reason"]) for each in result["left_out"]] == [
        ("Folder “Cooking 🍞”", "Not here.")
    ]
    notes = {each["title"]: each["notes"] for each in result["imported"]}
    assert notes["Bread"] == ["Its folder “Cooking 🍞” was left out: Not here."]
    assert set(Folder.objects.filter(owner=cast.bob).values_list("name", flat=True)) == {"Empty"}


def test_pins_beyond_the_limit_are_reported(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PINS", 1)
    records = [made_files.own(made_files.said(text=str(n)), title=str(n), pinned=True) for n in range(2)]
    result = report(bring(cast.client("alice"), made_files.as_json(*records)))
    notes = [each["notes"] for each in result["imported"]]
    assert notes == [[], ["It is not pinned: the limit of pinned conversations is reached."]]


def test_imported_settings_do_not_replace_settings_chosen_here(cast: Cast) -> None:
    settled(cast)
    cast.bob.theme, cast.bob.language = "light", "en"
    cast.bob.save()
    folders.new_folder(owner=cast.bob, name="Empty")
    result = report(bring(cast.client("bob"), everything(cast.client("alice")), "all.zip"))
    assert result["left_out"] == [
        {"title": "Your settings", "reason": "You chose others here; they stay as they are."}
    ]
    cast.bob.refresh_from_db()
    assert (cast.bob.theme, cast.bob.density, cast.bob.language) == ("light", "compact", "en")
    assert cast.bob.display_name == "Bob"
    assert Folder.objects.filter(owner=cast.bob, name="Empty").count() == 1


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"version": 2}, "newer version"),
        ({"settings": {"theme": "<script>"}}, "no such choice"),
        ({"settings": {"language": "xx"}}, "not offered"),
        ({"folders": ["x" * 61]}, "at most 60 characters"),
    ],
)
def test_settings_that_are_not_sound_stay_out(cast: Cast, record: dict[str, Any], reason: str) -> None:
    whole_record = {"format": "grokweb.account", "version": 1, **record}
    result = report(bring(cast.client("alice"), made_files.as_json(whole_record)))
    assert reason in result["left_out"][0]["reason"]
    assert result["kept"] == []
    cast.alice.refresh_from_db()
    assert (cast.alice.theme, cast.alice.language) == ("system", "")


def test_invalid_settings_are_ignored(cast: Cast) -> None:
    odd = {"format": "grokweb.account", "version": 1, "settings": [1], "folders": [None, {}, "", "Good"]}
    result = report(bring(cast.client("alice"), made_files.as_json(odd)))
    assert [each["title"] for each in result["kept"]] == ["Folder “Good”"]


def test_every_setting_of_a_person_is_exported() -> None:
    assert set(account.FIELDS) == set(PROFILE_FIELDS) - {"display_name"}


# --- Feedback -----------------------------------------------------------------------------------------------


def test_feedback_is_imported_and_staff_do_not_count_it(cast: Cast) -> None:
    settled(cast)
    report(bring(cast.client("bob"), everything(cast.client("alice")), "all.zip"))
    found = Feedback.objects.get(user=cast.bob)
    assert (found.value, found.reason, found.note) == (-1, "wrong", "Too dry")
    assert feedback.counts() == [("Scripted", "poor", "not correct", 1)]  # alice's
    page = cast.client("staff").get("/admin/feedback/feedback/").content.decode()
    assert f"/admin/feedback/feedback/{found.pk}/" not in page


@pytest.mark.parametrize(
    "feedback",
    ["good", {"value": 7}, {"value": True}, {"value": 1, "reason": "x"}, {"value": 1, "note": "x" * 2001}],
)
def test_invalid_feedback_is_left_out(cast: Cast, feedback: Any) -> None:
    record = made_files.own(made_files.said(), made_files.said("2", "1", "assistant", feedback=feedback))
    result = report(bring(cast.client("alice"), made_files.as_json(record)))
    assert notes_of(result) == ["Feedback on 1 answer could not be read and was left out."]
    assert not Feedback.objects.exists()


# --- Sizes --------------------------------------------------------------------------------------------------


def test_a_zip_may_be_as_large_as_the_files_of_a_person(cast: Cast, settings: Any) -> None:
    with_file(cast, os.urandom(MIB // 4).hex().encode())
    packed = everything(cast.client("alice"))
    settings.IMPORT_BYTES, settings.IMPORT_ZIP_BYTES = MIB // 5, MIB
    assert notes_of(report(bring(cast.client("bob"), packed, "all.zip"))) == []
    settings.IMPORT_ZIP_BYTES = len(packed) - 1
    assert bring(cast.client("stranger"), packed, "all.zip").status_code == 400


def test_json_alone_is_held_to_its_own_limit(cast: Cast, settings: Any) -> None:
    settings.IMPORT_BYTES, settings.IMPORT_ZIP_BYTES = MIB, 4 * MIB
    answer = bring(cast.client("alice"), b"[" + b" " * MIB + b"]")
    assert answer.status_code == 400
    assert "1 MB" in answer.json()["error"]["words"]


def test_the_digests_of_a_zip_are_those_of_its_files(cast: Cast) -> None:
    with_file(cast, b"milk, eggs", "CON")
    with zipfile.ZipFile(io.BytesIO(everything(cast.client("alice")))) as archive:
        (name,) = (name for name in archive.namelist() if name.startswith("files/"))
    assert name.split("/")[1] == File.objects.get(owner=cast.alice).sha256
    assert name.endswith("/file CON")


def test_pins_beyond_the_limits_are_not_imported(cast: Cast) -> None:
    ModelCard.objects.update(context_tokens=32_768)
    long = talk(cast.alice, *(["Keep this"] * 52), title="Pins")
    long.messages.update(pinned=True)
    large = talk(cast.alice, "w " * 20_000, "Yes", title="Large")
    large.messages.filter(role="user").update(pinned=True)
    result = report(bring(cast.client("bob"), everything(cast.client("alice")), "all.zip"))
    assert {each["title"]: each["notes"] for each in result["imported"]} == {
        "Pins": ["2 messages are no longer pinned: too many were."],
        "Large": ["1 message is no longer pinned: too many were."],
    }
    assert Message.objects.filter(conversation__owner=cast.bob, pinned=True).count() == 50


def test_a_pinned_answer_of_a_pinned_question_is_imported_pinned(cast: Cast) -> None:
    ModelCard.objects.update(context_tokens=4096)
    both = talk(cast.alice, "v " * 600, "w " * 500, title="Both")  # 403 and 335 tokens, of 1,024
    both.messages.update(pinned=True)
    result = report(bring(cast.client("bob"), everything(cast.client("alice")), "all.zip"))
    assert [each["notes"] for each in result["imported"]] == [[]]
    assert Message.objects.filter(conversation__owner=cast.bob, pinned=True).count() == 2


def test_pins_of_different_branches_are_imported_as_each_branch_has_room_for_them(cast: Cast) -> None:
    ModelCard.objects.update(context_tokens=4096)
    talked = talk(cast.alice, "w " * 1000, "One")  # 668 tokens, of 1,024
    say(talked, "v " * 1000, "Two")  # a branch of its own
    talked.messages.filter(role="assistant").update(pinned=True)
    result = report(bring(cast.client("bob"), everything(cast.client("alice")), "all.zip"))
    assert notes_of(result) == []
    pinned = Message.objects.filter(conversation__owner=cast.bob, pinned=True)
    assert set(pinned.values_list("text", flat=True)) == {"One", "Two"}


def test_only_a_person_who_turned_summaries_off_has_that_in_the_archive(cast: Cast) -> None:
    talk(cast.alice, "One", "Two")
    assert "personas.json" not in whole(everything(cast.client("alice")))
    CustomInstructions.objects.create(user=cast.alice, compact=False)
    packed = everything(cast.client("alice"))
    assert json.loads(whole(packed)["personas.json"])["compact"] is False
    kept = report(bring(cast.client("bob"), packed, "all.zip"))["kept"]
    assert [each["title"] for each in kept] == ["Long conversations are not summarised"]
