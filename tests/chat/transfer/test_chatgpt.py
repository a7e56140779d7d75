"""Exports of ChatGPT are read with their citations, canvases and pictures."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chat.cast import Cast
from tests.chat.transfer import files
from tests.chat.transfer.importing import only
from tests.chat.transfer.other_services import DATA, came, said

MARK = "\ue200cite\ue202turn0search0\ue201"
REFERENCES: dict[str, tuple[str, list[dict[str, Any]], str]] = {
    "its own words": (
        f"So it is {MARK}.",
        [{"matched_text": MARK, "alt": "([a.org](https://a.org/x))"}],
        "So it is ([a.org](https://a.org/x)).",
    ),
    "a page without words": (
        f"So it is {MARK}.",
        [{"matched_text": MARK, "alt": None, "items": [{"title": "A [b]", "url": "https://a.org/x"}]}],
        r"So it is ([A \[b\]](https://a.org/x)).",
    ),
    "an address nobody may follow": (
        f"So it is {MARK}.",
        [{"matched_text": MARK, "alt": "", "items": [{"title": "A", "url": "javascript:alert(1)"}]}],
        "So it is (A).",
    ),
    "nothing": (f"So it is {MARK}.", [], "So it is."),
    "spaces are no marks": (f"So it is. {MARK}", [{"matched_text": " ", "alt": "XX"}], "So it is."),
    "several in a row": (
        f"So it is.{MARK}\ue200filecite\ue202turn1file0\ue201 On",
        [{"matched_text": MARK, "alt": "(a)"}],
        "So it is.(a) On",
    ),
    "the brackets of older files": ("So it is【3†source】 and【12:0†a.pdf】.", [], "So it is and."),
    "cut off in a mark": ("So it is \ue200cite\ue202turn0", [], "So it is "),
    "a Chinese heading": ("【标题】 text", [], "【标题】 text"),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_source_marks_are_replaced_by_the_text_in_the_file(cast: Cast, name: str) -> None:
    text, references, expected = REFERENCES[name]
    came(cast, files.chatgpt_answering(text, content_references=references))
    assert said(cast)[1] == ("a", expected)


def test_a_person_keeps_private_characters_and_brackets(cast: Cast) -> None:
    text = "My icon \ue200cite\ue202x\ue201 and 【3†source】"
    record = files.chatgpt_answering("Fine")
    record["mapping"]["q"]["message"]["content"]["parts"] = [text]
    came(cast, record)
    assert said(cast)[0] == ("u", text)


def test_older_citations_name_their_page(cast: Cast) -> None:
    text = "So it is【3†source】."
    page = {"type": "webpage", "title": "A", "url": "https://a.org"}
    came(
        cast,
        files.chatgpt_answering(text, citations=[{"start_ix": 8, "end_ix": 18, "metadata": page}]),
    )
    assert said(cast)[1] == ("a", "So it is([A](https://a.org)).")


def test_code_on_the_canvas_is_in_a_fence_that_it_cannot_end(cast: Cast) -> None:
    record = files.chatgpt_answering("")
    written = {"name": "run.py", "type": "code/python", "content": 'x = """\n```\n"""'}
    record["mapping"]["a"]["message"] |= {
        "recipient": "canmore.create_textdoc",
        "content": {"content_type": "code", "text": json.dumps(written)},
    }
    came(cast, record)
    assert said(cast)[1] == ("a", '**run.py**\n\n````python\nx = """\n```\n"""\n````')


def test_a_canvas_that_was_written_anew(cast: Cast) -> None:
    record = files.chatgpt_answering("")
    updates = {"updates": [{"pattern": ".*", "multiple": False, "replacement": "The second version"}]}
    record["mapping"]["a"]["message"] |= {
        "recipient": "canmore.update_textdoc",
        "content": {"content_type": "code", "text": json.dumps(updates)},
    }
    came(cast, record)
    assert said(cast)[1] == ("a", "The second version")


def test_a_picture_that_a_tool_drew_is_the_answer(cast: Cast) -> None:
    record = files.chatgpt_answering("")
    record["mapping"]["a"]["message"] |= {
        "author": {"role": "tool", "name": "dalle.text2im"},
        "content": {
            "content_type": "multimodal_text",
            "parts": [{"content_type": "image_asset_pointer", "asset_pointer": "x"}],
        },
    }
    assert "1 picture or file was left out." in came(cast, record)["notes"]
    assert said(cast) == [("u", "A question"), ("a", "[picture]")]


def test_a_question_with_a_file_alone_keeps_its_place(cast: Cast) -> None:
    record = files.chatgpt_answering("A table.")
    asked = record["mapping"]["q"]["message"]
    asked["content"]["parts"] = [""]
    asked["metadata"] = {"attachments": [{"name": "a.csv"}]}
    assert came(cast, record)["notes"] == ["1 picture or file was left out."]
    assert said(cast) == [("u", "[file]"), ("a", "A table.")]


def test_discarded_drafts_are_reported(cast: Cast) -> None:
    one = came(cast, (DATA / "weight0.json").read_bytes())
    assert one["notes"] == ["1 discarded draft was left out."]


def test_the_usual_model_of_a_conversation_is_that_of_its_answers(cast: Cast) -> None:
    came(cast, {**files.chatgpt_answering("Hello"), "default_model_slug": "gpt-5"})
    page = cast.client("alice").get(f"/c/{only(cast).pk}/print/").content.decode()
    assert "Imported from ChatGPT, which names the model gpt-5" in page
