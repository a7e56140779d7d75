"""JSON Lines: a conversation or a message on each line, as OpenAI's fine-tuning has them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat.conversations.branches import current_leaf
from chat.conversations.models import Conversation, Message
from chat.conversations.tree import path_to
from chat.transfer.formats import FORMATS, format_of, readers, writers
from tests.chat.cast import Cast
from tests.chat.transfer.importing import bring, report

Record = dict[str, Any]
ASKED: Record = {"role": "user", "content": "How do I bake bread?"}
ANSWER: Record = {"role": "assistant", "content": "With time."}
OTHER: list[Record] = [
    {"role": "user", "content": "And fish?"},
    {"role": "assistant", "content": "In the oven."},
]

pytestmark = pytest.mark.django_db


def lines(*records: Any, end: str = "\n") -> bytes:
    return (end.join(json.dumps(each, ensure_ascii=False) for each in records) + end).encode()


def imported(cast: Cast, content: bytes, name: str) -> Any:
    return report(bring(cast.client("alice"), content, name))


def texts(conversation: Conversation) -> list[tuple[str, str]]:
    leaf = current_leaf(conversation.owner, conversation)
    return [(message.role, message.text) for message in path_to(leaf, 100)] if leaf else []


def titles() -> list[str]:
    return sorted(Conversation.objects.values_list("title", flat=True))


@pytest.mark.parametrize("name", ["training.jsonl", "renamed.json", "lines.ndjson", "no-ending"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_each_line_becomes_a_conversation(cast: Cast, name: str, end: str) -> None:
    result = imported(cast, lines({"messages": [ASKED, ANSWER]}, {"messages": OTHER}, end=end), name)
    assert [each["messages"] for each in result["imported"]] == [2, 2]
    assert titles() == ["And fish?", "How do I bake bread?"]
    bread = Conversation.objects.get(title="How do I bake bread?")
    assert texts(bread) == [("user", "How do I bake bread?"), ("assistant", "With time.")]
    answer = Message.objects.get(conversation=bread, role="assistant")
    assert answer.parent == Message.objects.get(conversation=bread, role="user")
    assert answer.source == "file"


def test_one_line_alone_is_a_conversation(cast: Cast) -> None:
    result = imported(cast, lines({"messages": [ASKED, ANSWER], "tools": []}), "one.jsonl")
    assert len(result["imported"]) == 1


def test_a_message_on_each_line_makes_one_conversation(cast: Cast) -> None:
    imported(cast, lines(ASKED, ANSWER, *OTHER), "chat.jsonl")
    assert texts(Conversation.objects.get()) == [
        ("user", "How do I bake bread?"),
        ("assistant", "With time."),
        ("user", "And fish?"),
        ("assistant", "In the oven."),
    ]


def test_a_broken_line_is_named_and_the_others_are_imported(cast: Cast) -> None:
    file = lines({"messages": [ASKED, ANSWER]}, {"messages": OTHER}) + b'{"messages": [\n'
    result = imported(cast, file, "training.jsonl")
    assert len(result["imported"]) == 2
    assert result["left_out"] == [{"title": "Conversation 3", "reason": "This is not valid JSON."}]


def test_a_broken_line_of_a_message_is_named_by_its_number(cast: Cast) -> None:
    result = imported(cast, lines(ASKED, ANSWER) + b"{]\n" + lines(ASKED), "chat.jsonl")
    assert result["imported"] == []
    assert [each["reason"] for each in result["left_out"]] == ["Line 3 is not valid JSON."]


def test_parts_are_read_and_pictures_tools_and_instructions_are_left_out(cast: Cast) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]},
        {"role": "tool", "content": "a cat", "tool_call_id": "1"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "A cat."}], "weight": 1},
        {"role": "user", "content": [picture]},
        {"role": "assistant", "content": None, "refusal": "I would rather not."},
    ]
    result = imported(cast, lines({"messages": messages, "model": "gpt-x"}), "training.jsonl")
    assert texts(Conversation.objects.get()) == [
        ("user", "What is this?"),
        ("assistant", "A cat."),
        ("user", "[picture]"),
        ("assistant", "I would rather not."),
    ]
    assert result["imported"][0]["notes"] == [
        "1 instruction to the model was left out.",
        "2 pictures or files were left out.",
        "2 steps of tools were left out.",
    ]
    assert set(Message.objects.filter(role="assistant").values_list("source_model", flat=True)) == {"gpt-x"}


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "Hi", "completion": "Hello"},
        {"input": {"messages": [ASKED]}, "preferred_output": [ANSWER], "non_preferred_output": [ANSWER]},
        {"messages": []},
        {"messages": "Hi"},
        {"messages": [{"content": "Hi"}]},
        [ASKED, ANSWER],
        {"messages": [{"role": "system", "content": "Be brief."}]},
    ],
)
def test_other_lines_are_left_out_with_a_reason(cast: Cast, record: Any) -> None:
    result = imported(cast, lines({"messages": [ASKED, ANSWER]}, {"messages": OTHER}, record), "x.jsonl")
    assert len(result["imported"]) == 2
    assert [each["title"] for each in result["left_out"]] == ["Conversation 3"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"messages": [\n', 400),
        (b"{\n{\n", 400),
        (b"[" * 5000, 400),
        (b"{}\n{}\n", 200),
        (b'{"role": 1}\n{"role": 2}\n', 200),
        (b"{}\n" * 20_000, 400),
        (b'{"a": ' * 100_000 + b"}\n{}\n", 200),
    ],
)
def test_hostile_lines_store_nothing(cast: Cast, content: bytes, status: int) -> None:
    assert bring(cast.client("alice"), content, "x.jsonl").status_code == status
    assert not Conversation.objects.exists()


def test_lines_of_our_own_export_are_recognised(cast: Cast) -> None:
    """A line is recognised by its shape, whichever format took the file apart."""
    imported(cast, lines({"messages": [ASKED, ANSWER]}), "one.jsonl")
    made = Conversation.objects.get()
    sent = cast.client("alice").get(f"/api/conversations/{made.pk}/export/?format=json").json()
    Conversation.objects.all().delete()
    result = imported(cast, lines(sent, {"messages": OTHER}), "mixed.jsonl")
    assert sorted(each["source"] for each in result["imported"]) == ["GrokWeb", "file"]


# --- The table --------------------------------------------------------------------------------------------


def test_every_format_of_the_table_is_offered_where_it_belongs(cast: Cast) -> None:
    client = cast.client("alice")
    settings = client.get("/settings/").content.decode()
    for one in readers().values():
        assert str(one.label) in settings
        assert all(suffix in settings for suffix in one.suffixes)
    chat = client.get("/").content.decode()
    for name, one in writers().items():
        assert f'data-name="{name}"' in chat
        assert str(one.export_label) in chat
    assert set(readers()) | set(writers()) | {"gemini"} == set(FORMATS)


def test_no_format_takes_the_record_of_another() -> None:
    assert format_of({"messages": [ASKED]}).__class__.__name__ == "JsonLines"
    assert format_of({"chat": {"messages": [ASKED]}}).__class__.__name__ == "OpenWebUI"
    assert format_of({"messages": [ASKED], "conversationId": "x"}).__class__.__name__ == "LibreChat"
    assert format_of({"header": "Gemini Apps"}) is None
