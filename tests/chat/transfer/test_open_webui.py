"""Exports of Open WebUI are read without thoughts and steps of tools."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat.conversations.models import Conversation
from chat.transfer.imported_conversation import ImportedConversation
from chat.transfer.markup import without_thoughts
from tests.chat.cast import Cast
from tests.chat.transfer import files
from tests.chat.transfer.importing import only
from tests.chat.transfer.other_services import DATA, came, said, shown_siblings


def webui(content: str, **more: Any) -> dict[str, Any]:
    messages = {
        "a": {"id": "a", "parentId": None, "childrenIds": ["b"], "role": "user", "content": "Why?"},
        "b": {"id": "b", "parentId": "a", "childrenIds": [], "role": "assistant", "content": content, **more},
    }
    return {"title": "W", "chat": {"history": {"currentId": "b", "messages": messages}}}


TOOL = (
    '<details type="tool_calls" done="true" id="1" arguments="&quot;{}&quot;">\n'
    "<summary>Ran</summary>\n</details>\n"
)
THOUGHT = (
    '<details type="reasoning" done="true">\n<summary>Thought</summary>\n> hm\n> </details>\n</details>\n'
)
ANSWERS = {
    "a thought": (THOUGHT + "Four.", "Four."),
    "a tool between": ("First.\n\n" + TOOL + "\nThen.", "First.\n\n\nThen."),
    "both": (THOUGHT + TOOL + "Four.", "Four."),
    "on one line": ('<details type="reasoning"><summary>T</summary>x</details>Four.', "Four."),
    "one in another": (
        '<details type="reasoning">\n<details>\nx\n</details>\ny\n</details>\nFour.',
        "Four.",
    ),
    "one that is open in another": ('<details type="reasoning">\n<details>\nx\n</details>\nFour.', "Four."),
    "a section of the answer": ("<details>\n<summary>More</summary>\nx\n</details>", None),
    "a lesson about them": ("```html\n" + THOUGHT + "```", None),
    "words in tags of thought": ("<think>\nhm\n</think>\n\nFour.", "Four."),
    "an answer about tags": ("Use <think> and </think>.", None),
    "a tag without its end": ("<think> is a tag.", None),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_imported_without_reasoning_and_tool_steps(cast: Cast, name: str) -> None:
    content, expected = ANSWERS[name]
    came(cast, webui(content))
    assert said(cast) == [("u", "Why?"), ("a", content if expected is None else expected)]


def test_thoughts_and_tools_are_counted(cast: Cast) -> None:
    notes = came(cast, webui(THOUGHT + TOOL + "Four."))["notes"]
    assert sorted(notes) == ["1 step of a tool was left out.", "1 thought of the model was left out."]


def test_an_answer_may_be_in_its_output(cast: Cast) -> None:
    output = [
        {"type": "reasoning", "content": [{"type": "output_text", "text": "hm"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Four."}]},
    ]
    came(cast, webui("", output=output))
    assert said(cast)[1] == ("a", "Four.")


@pytest.mark.parametrize(("place", "expected"), [("pinned", (True, False)), ("archived", (False, True))])
def test_pinned_and_archived_conversations_keep_that_state(
    cast: Cast, place: str, expected: tuple[bool, bool]
) -> None:
    came(cast, {**webui("Four."), place: True})
    found = only(cast)
    assert (found.pinned, found.archived) == expected


def test_answers_of_the_same_second_keep_their_order(cast: Cast) -> None:
    file = json.loads((DATA / "12_openwebui_siblings_same_second.json").read_text())
    messages = file[0]["chat"]["history"]["messages"]
    order = ["b3", "b1", "b5", "b0", "b4", "b2"]
    messages["a"]["childrenIds"] = order
    came(cast, json.dumps(file).encode())
    assert shown_siblings(cast) == [messages[key]["content"] for key in order]


def test_a_hostile_answer_is_read_once(cast: Cast) -> None:
    """A scan from each mark to the end would take hours."""
    for piece in ('<details type="reasoning">', "\ue200a\ue202", "<think>", "【1†", '<details type="'):
        text = piece * (900_000 // len(piece))
        assert len(without_thoughts(ImportedConversation("x"), text)) <= len(text)
        came(cast, files.chatgpt_answering("x " + text))
        Conversation.objects.all().delete()
