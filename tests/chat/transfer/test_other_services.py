"""Exports of other services come in with their words alone, in their order, and say what stayed out."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from typing import Any

import pytest

from chat.conversations.models import Message
from tests.chat.cast import Cast
from tests.chat.transfer import files
from tests.chat.transfer.importing import bring, only, report
from tests.chat.transfer.other_services import DATA, came, said, shown_siblings

EXPECTED: dict[str, list[tuple[str, str]]] = {
    "13_openwebui_reasoning.json": [("u", "Why?"), ("a", "The answer is 4.")],
    "14_chatgpt_citation_marks.json": [("u", "news?"), ("a", "A fact. And Town.")],
    "canvas.json": [
        ("u", "Write a poem in canvas"),
        (
            "a",
            "**poem**\n\nRoses are red,\nthe whole document text\n\nI wrote the poem. Want changes?",
        ),
    ],
    "claude.json": [("u", "Hi"), ("a", "Hello")],
    "grok_com.json": [("u", "Hi"), ("a", "Hello")],
    "image_only_question.json": [
        ("u", "[picture]"),
        ("a", "This is a cat."),
        ("u", "Which breed?"),
        ("a", "A tabby."),
    ],
    "librechat.json": [("u", "Hi"), ("a", "Hello")],
    "think_tags.json": [("u", "Hi think"), ("a", "Hello **you**")],
    "utf16.json": [("u", "Hi zip"), ("a", "Hello zip")],
    "weight0.json": [("u", "Hi"), ("a", "final")],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_seen_in_the_field(cast: Cast, name: str) -> None:
    came(cast, (DATA / name).read_bytes(), name)
    assert said(cast) == EXPECTED[name]


@pytest.mark.parametrize(
    ("name", "source", "model"),
    [
        ("claude.json", "Claude", ""),
        ("grok_com.json", "grok.com", ""),
        ("librechat.json", "LibreChat", "m"),
    ],
)
def test_the_service_of_a_file_is_named(cast: Cast, name: str, source: str, model: str) -> None:
    assert came(cast, (DATA / name).read_bytes())["source"] == source
    answer = Message.objects.get(role="assistant")
    assert (answer.source, answer.source_model) == (source, model)


def test_a_placeholder_is_in_the_language_of_the_importer(cast: Cast) -> None:
    file = (DATA / "image_only_question.json").read_bytes()
    cast.alice.language = "fr"
    cast.alice.save()
    came(cast, file)
    assert said(cast)[0] == ("u", "[image]")
    cast.alice.language = "en"
    cast.alice.save()
    result = report(bring(cast.client("alice"), file))
    assert result["imported"] == []  # recognised in every language


# --- Claude, grok.com, LibreChat, DeepSeek ------------------------------------------------------------------


def claude(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"uuid": "1", "name": "C", "created_at": "2026-01-01T00:00:00Z", "chat_messages": list(messages)}


def test_claude_keeps_texts_of_attachments_and_documents(cast: Cast) -> None:
    asked = {
        "uuid": "q",
        "sender": "human",
        "text": "",
        "attachments": [{"file_name": "notes.txt", "extracted_content": "milk, eggs"}],
        "files": [{"file_name": "a.png"}],
    }
    made = {"title": "list.py", "type": "application/vnd.ant.code", "language": "python", "content": "x = 1"}
    answered = {
        "uuid": "a",
        "sender": "assistant",
        "content": [
            {"type": "text", "text": "Here:"},
            {"type": "tool_use", "name": "artifacts", "input": made},
        ],
    }
    notes = came(cast, claude(asked, answered))["notes"]
    assert notes == ["1 picture or file was left out."]
    assert said(cast) == [("u", "[file]"), ("a", "Here:\n\n**list.py**\n\n```python\nx = 1\n```")]
    question = Message.objects.get(role="user")
    assert [(each.file.name, each.file.text) for each in question.attachments.all()] == [
        ("notes.txt", "milk, eggs")
    ]


def test_claude_keeps_its_branches(cast: Cast) -> None:
    first = "00000000-0000-4000-8000-000000000000"
    came(
        cast,
        claude(
            {"uuid": "q", "sender": "human", "text": "Hi", "parent_message_uuid": first},
            {"uuid": "a", "sender": "assistant", "text": "One", "parent_message_uuid": "q"},
            {"uuid": "b", "sender": "assistant", "text": "Two", "parent_message_uuid": "q"},
        ),
    )
    assert shown_siblings(cast) == ["One", "Two"]


def grok(*responses: dict[str, Any], **about: Any) -> dict[str, Any]:
    inside = [{"response": each} for each in responses]
    return {"conversation": {"title": "G", **about}, "responses": inside}


def test_grok_com_keeps_models_pins_and_branches(cast: Cast) -> None:
    render = '<grok:render type="render_inline_citation"><argument name="id">0</argument></grok:render>'
    artifact = '<xaiArtifact artifact_id="1" title="a.py" contentType="text/x-python">\nx = 1\n</xaiArtifact>'
    first = {"_id": "1", "sender": "human", "message": "Hi"}
    result = grok(
        first,
        {
            "_id": "2",
            "sender": "ASSISTANT",
            "message": f"Yes.{render}",
            "parent_response_id": "1",
            "model": "grok-3",
        },
        {"_id": "3", "sender": "assistant", "message": f"See:\n{artifact}", "parent_response_id": "1"},
        starred=True,
    )
    wrapped = json.dumps({"projects": [{"conversations": []}], "conversations": [result], "tasks": []})
    came(cast, wrapped.encode(), "prod-grok-backend.json")
    assert shown_siblings(cast)[0] == "Yes."
    assert "**a.py**\n\n```python\nx = 1\n```" in shown_siblings(cast)[1]
    assert Message.objects.get(text="Yes.").source_model == "grok-3"
    assert only(cast).pinned


def test_a_list_inside_an_object_is_read_one_by_one(cast: Cast) -> None:
    """It may be larger than one conversation may be."""
    many = [grok({"_id": "1", "sender": "human", "message": f"{n} " + "x" * 900_000}) for n in range(20)]
    result = report(bring(cast.client("alice"), json.dumps({"conversations": many}).encode()))
    assert len(result["imported"]) == 20


def test_a_zip_of_grok_com_is_read_for_its_conversations_alone(cast: Cast) -> None:
    result = {"conversations": [grok({"_id": "1", "sender": "human", "message": "Hi"})]}
    folder = "ttl/30d/export_data/x"
    packed = files.zipped(
        {
            f"{folder}/prod-mc-billing.json": b'{"balance": 1}',
            f"{folder}/prod-grok-backend.json": json.dumps(result).encode(),
        }
    )
    assert came(cast, packed)["source"] == "grok.com"


def test_libre_chat_keeps_long_conversations_that_nest(cast: Cast) -> None:
    inside: list[Any] = []
    for number in reversed(range(150)):
        about = {
            "messageId": str(number),
            "parentMessageId": str(number - 1),
            "isCreatedByUser": number % 2 == 0,
        }
        inside = [{**about, "text": f"m{number}", "children": inside}]
    assert came(cast, {"conversationId": "x", "title": "L", "messages": inside})["messages"] == 150
    assert [text for _role, text in said(cast)] == [f"m{number}" for number in range(150)]


def test_libre_chat_leaves_thoughts_and_tools_out(cast: Cast) -> None:
    flat = [
        {"messageId": "1", "isCreatedByUser": True, "text": "Why?", "files": [{"type": "image/png"}]},
        {
            "messageId": "2",
            "parentMessageId": "1",
            "isCreatedByUser": False,
            "model": "gpt-x",
            "text": "",
            "content": [
                {"type": "think", "think": "hm"},
                {"type": "tool_call", "tool_call": {}},
                {"type": "text", "text": {"value": "Four."}},
            ],
        },
        {"messageId": "3", "parentMessageId": "2", "isCreatedByUser": True, "text": "On"},
        {
            "messageId": "4",
            "parentMessageId": "3",
            "isCreatedByUser": False,
            "text": ":::thinking\nhm\n:::\n\nFive.",
        },
    ]
    notes = came(cast, {"conversationId": "x", "title": "L", "messages": flat})["notes"]
    assert said(cast) == [("u", "Why?"), ("a", "Four."), ("u", "On"), ("a", "Five.")]
    assert len(notes) == 3
    assert Message.objects.get(text="Four.").source_model == "gpt-x"


def deepseek() -> dict[str, Any]:
    def node(key: str, parent: str, children: list[str], *fragments: dict[str, Any]) -> dict[str, Any]:
        message = {"model": "deepseek-reasoner", "inserted_at": "2026-01-01T08:00:00+08:00"}
        return {
            "id": key,
            "parent": parent,
            "children": children,
            "message": {**message, "files": [], "fragments": list(fragments)},
        }

    search = {"type": "SEARCH", "results": [{"url": "https://a.org", "title": "A", "cite_index": 1}]}
    mapping = {
        "root": {"id": "root", "parent": None, "children": ["1"], "message": None},
        "1": node("1", "root", ["2", "3"], {"type": "REQUEST", "content": "Why?"}),
        "3": node("3", "1", [], {"type": "RESPONSE", "content": "Second."}),
        "2": node(
            "2",
            "1",
            [],
            {"type": "THINK", "content": "hm"},
            search,
            {"type": "RESPONSE", "content": "Four[citation:1] [citation:2]."},
        ),
    }
    return {"id": "d", "title": "D", "inserted_at": "2026-01-01T08:00:00+08:00", "mapping": mapping}


def test_an_export_of_deepseek_is_imported(cast: Cast) -> None:
    one = came(cast, deepseek())
    assert one["source"] == "DeepSeek"
    assert sorted(one["notes"]) == ["1 step of a tool was left out.", "1 thought of the model was left out."]
    assert shown_siblings(cast) == ["Four([A](https://a.org)).", "Second."]
    assert Message.objects.get(text="Second.").source_model == "deepseek-reasoner"


def test_a_file_of_a_known_service_is_named_when_it_cannot_be_read(cast: Cast) -> None:
    broken = {**claude(), "name": "Empty"}
    gemini = {"header": "Gemini Apps", "title": "Prompted something"}
    result = report(bring(cast.client("alice"), files.as_json(broken, gemini, files.openwebui())))
    assert [each["reason"] for each in result["left_out"]] == [
        "Claude: It has no messages that can be shown here.",
        "This comes from Gemini and holds no conversation that can be read here.",
    ]


def test_an_answer_keeps_its_service_and_model_through_an_export_from_here(cast: Cast) -> None:
    came(cast, files.chatgpt_answering("Hello", model_slug="gpt-4o"))
    sent = cast.client("alice").get(f"/api/conversations/{only(cast).pk}/export/?format=json").content
    report(bring(cast.client("bob"), sent))
    answer = Message.objects.get(conversation__owner=cast.bob, role="assistant")
    assert (answer.source, answer.source_model) == ("ChatGPT", "gpt-4o")


def test_an_unknown_service_is_not_accepted_as_origin(cast: Cast) -> None:
    origin = {"source": "the director", "model": "m", "continued": False}
    came(cast, files.own(files.said(), files.said("2", "1", "assistant", "Hi", origin=origin)))
    answer = Message.objects.get(role="assistant")
    assert (answer.source, answer.source_model) == ("GrokWeb", "m")


# --- Files as other systems write them ----------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_may_have_any_encoding_of_unicode(cast: Cast, encoding: str, packed: bool) -> None:
    content = json.dumps([files.own(files.said(text="é 漢字 😀" * 30_000))], ensure_ascii=False).encode(
        encoding
    )
    came(cast, files.zipped({"a.json": content}) if packed else content)
    assert said(cast) == [("u", "é 漢字 😀" * 30_000)]


def test_a_zip_made_on_a_mac(cast: Cast) -> None:
    result = report(bring(cast.client("alice"), (DATA / "macos_grokweb.zip").read_bytes(), "a.zip"))
    assert (len(result["imported"]), result["left_out"]) == (1, [])
    beside = b"\x00\x05\x16\x07"
    packed = files.zipped(
        {
            "Été/a.json": files.as_json(files.own(files.said())),
            "Été/._a.json": beside,
            "__MACOSX/Été/._a.json": beside,
            "Été/__MACOSX/b.json": beside,
            "Été/.DS_Store": beside,
            "Été/16:30.json": files.as_json(files.own(files.said(text="At half past four"))),
        }
    )
    result = report(bring(cast.client("alice"), packed, "b.zip"))
    assert (len(result["imported"]), result["left_out"]) == (2, [])


def test_names_from_a_mac_are_read_as_they_were_written(cast: Cast) -> None:
    packed = bytearray(files.zipped({"Été.json": b"[{", "b.json": files.as_json(files.own(files.said()))}))
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag that says UTF-8
        at = packed.index(sign) + place
        (flags,) = struct.unpack_from("<H", packed, at)
        struct.pack_into("<H", packed, at, flags & ~0x800)
    result = report(bring(cast.client("alice"), bytes(packed), "a.zip"))
    assert [each["title"] for each in result["left_out"]] == ["Été.json"]


def test_a_conversation_that_repeats_itself_is_no_bomb(cast: Cast) -> None:
    talk = files.own(*(files.said(str(n), text="again and again " * 20_000) for n in range(30)))
    packed = files.zipped({"a.json": files.as_json(talk)})
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        (info,) = archive.infolist()
    assert info.file_size > 200 * info.compress_size
    assert came(cast, packed)["messages"] == 30
