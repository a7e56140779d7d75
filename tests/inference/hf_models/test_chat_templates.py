"""Chat templates of other people are tried out at start and given what they take."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from inference.engines.local import LocalEngine
from inference.hf_models.tokenizer import HfTokenizer
from inference.model_dir.describe import ModelUnusable
from tests.inference.hf_folders import PLAIN, VOCAB, change_json, make_folder

Messages = Sequence[dict[str, str]]
ONE = {"role": "user", "content": "one"}
RULES = {"role": "system", "content": "SECRET RULES"}


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def prompt(folder: Path, messages: Messages, *, continue_last: bool = False) -> str:
    tokenizer = HfTokenizer(folder, VOCAB)
    return str(tokenizer.inner.decode(tokenizer.render_chat(messages, continue_last=continue_last)))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelUnusable) as refused:
        LocalEngine(folder, slots=1, threads=1)
    line = str(refused.value)
    assert "\n" not in line
    return line


# -- the trial at start --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% for m in messages %}{{ m.content }", "unexpected '}'"),
        ("{{ messages[0].content }}{{ date_string.strip() }}", "'date_string' is undefined"),
        ("{% for m in messages %}{{ m.content }}{% endfor %}{{ today() }}", "'today' is undefined"),
        ("{% for m in messages %}{{ m.content + 1 }}{% endfor %}", "can only concatenate"),
        ("{% include 'other.jinja' %}", "no loader"),
        ("{{ messages[0].content }}", "leaves out a message of the assistant"),
        (
            "{% for m in messages %}{% if m.role != 'user' %}{{ m.content }}{% endif %}{% endfor %}",
            "of the user",
        ),
        ("{{ raise_exception('only with tools') }}", "only with tools"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused(tmp_path: Path, template: str, words: str) -> None:
    make_folder(tmp_path / "model", template=template)
    assert re.search(
        f"the chat template in .* cannot be used: .*{re.escape(words)}", refusal(tmp_path / "model")
    )


def test_ids_that_the_network_lacks_are_refused(tmp_path: Path) -> None:
    added = [*(f"<x{i}>" for i in range(160)), "<begin>"]
    folder = make_folder(tmp_path / "model", added=added, template=PLAIN.replace("<|a|>", "<begin>"))
    assert re.search(
        "the chat template in .* needs an id above 407, the last of the network", refusal(folder)
    )


def test_typed_pieces_beyond_the_network_are_spelled_out(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "model", added=[f"<x{i}>" for i in range(160)])
    tokenizer = HfTokenizer(folder, VOCAB)
    ids = tokenizer.render_chat([{"role": "user", "content": "one <x150> two"}])
    assert max(ids) < VOCAB
    assert "one <x150> two" in tokenizer.inner.decode(ids)


def test_a_tokenizer_of_a_larger_model_is_refused(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "model")
    with pytest.raises(
        ModelUnusable, match=r"tokenizer.json in .* has ids up to 2\d\d, the network up to 99"
    ):
        HfTokenizer(folder, 100)


# -- what templates can take ---------------------------------------------------------------------------

NO_SYSTEM = (
    "{% for m in messages %}{% if m['role'] == 'user' %}<|a|>{{ m['content'] }}<|z|>"
    "{% elif m['role'] == 'assistant' %}{{ m['content'] }}<|z|>{% endif %}{% endfor %}"
)
PARTS = (
    "{% for m in messages %}<|a|>{{ m['role'] }}\n{% for p in m['content'] %}{{ p.text }}{% endfor %}<|z|>\n"
    "{% endfor %}"
)
INDEXED = "{% for m in messages %}<|a|>{{ m['role'] }}:{{ m['content'][0]['text'] + '<|z|>' }}{% endfor %}"


def test_a_system_text_that_a_template_swallows_joins_the_question(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "model", template=NO_SYSTEM)
    assert prompt(folder, [RULES, ONE]) == "<|a|>SECRET RULES\n\none<|z|>"
    assert prompt(folder, [RULES, ONE, said("two"), ONE]) == (
        "<|a|>SECRET RULES\n\none<|z|>two<|z|><|a|>one<|z|>"
    )
    assert prompt(folder, [RULES, ONE, said("tw")], continue_last=True) == "<|a|>SECRET RULES\n\none<|z|>tw"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (PARTS, "<|a|>system\nSECRET RULES<|z|>\n<|a|>user\none<|z|>\n"),
        (INDEXED, "<|a|>system:SECRET RULES<|z|><|a|>user:one<|z|>"),
    ],
)
def test_a_template_that_takes_parts_gets_parts(tmp_path: Path, template: str, expected: str) -> None:
    folder = make_folder(tmp_path / "model", template=template)
    assert prompt(folder, [RULES, ONE]) == expected


def test_the_template_of_older_folders_is_read(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "model")
    (folder / "chat_template.jinja").unlink()
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": PLAIN}))
    assert prompt(folder, [ONE]) == "<|a|>user\none<|z|>\n<|a|>assistant\n"
    (folder / "chat_template.json").write_text("{}")
    assert "chat_template.json in" in refusal(folder)


def named(folder: Path, *names: str) -> None:
    """Puts several templates into tokenizer_config.json, as folders with one for tools have them."""
    (folder / "chat_template.jinja").unlink()
    templates = [{"name": name, "template": f"{name} {PLAIN}"} for name in names]
    change_json(folder, "tokenizer_config.json", chat_template=templates)


def test_the_default_is_used_among_several_templates(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "model")
    named(folder, "tool_use", "default")
    assert prompt(folder, [ONE]) == "default <|a|>user\none<|z|>\n<|a|>assistant\n"


def test_several_templates_without_a_default_are_refused(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "model")
    named(folder, "tool_use", "rag")
    assert "several chat templates and none called default: ['rag', 'tool_use']" in refusal(folder)


# -- an answer that goes on ----------------------------------------------------------------------------

THINKS = (
    "{% for m in messages %}<|a|>{{ m.role }}\n{% if m.role == 'assistant' and loop.last %}"
    "{% if '</think>' in m.content %}{% set r = m.content.split('</think>')[0].split('<think>')[-1] %}"
    "{% set c = m.content.split('</think>')[-1].lstrip('\n') %}{% else %}{% set r = '' %}"
    "{% set c = m.content %}{% endif %}<think>\n{{ r.strip('\n') }}\n</think>\n\n{{ c }}"
    "{% else %}{{ m.content }}{% endif %}<|z|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|a|>assistant\n{% endif %}"
)
OPENS = THINKS.replace("<|a|>assistant\n{% endif", "<|a|>assistant\n<think>\n{% endif")
TRIMS = PLAIN.replace("m['content'] }}", "m['content'] | trim }}")
ALTERNATES = (
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('alternate') }}{% endif %}<|a|>{{ m['content'] }}{% endfor %}"
)
BEGUN = (
    "List:\n\n",
    " with spaces around ",
    "\n\nafter lines",
    "<think>\nfirst I",
    "<think>\n\n</think>\n\nThe answer is  ",
    "<think>\nyes\n</think>\n\nOne.\n",
    "half a wor",
)


@pytest.mark.parametrize("begun", BEGUN)
@pytest.mark.parametrize("template", [PLAIN, THINKS, TRIMS, ALTERNATES, PARTS, None])
def test_an_answer_is_continued_from_exactly_the_shown_text(
    tmp_path: Path, template: str | None, begun: str
) -> None:
    folder = make_folder(tmp_path / "model", template=template, added=("<think>", "</think>"))
    fresh = prompt(folder, [ONE])
    start = f"{fresh} " if template is None else fresh
    assert prompt(folder, [ONE, said(begun)], continue_last=True) == start + begun


def test_reasoning_that_the_prompt_opens_is_not_opened_twice(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "model", template=OPENS, added=("<think>", "</think>"))
    start = "<|a|>user\none<|z|>\n<|a|>assistant\n<think>\n"
    assert prompt(folder, [ONE]) == start
    assert prompt(folder, [ONE, said("<think>\nfirst I")], continue_last=True) == start + "first I"


def test_reasoning_that_the_prompt_opens_is_closed_before_the_text_of_an_answer(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "model", template=OPENS, added=("<think>", "</think>"))
    start = "<|a|>user\none<|z|>\n<|a|>assistant\n<think>\n"
    continued = prompt(folder, [ONE, said("The answer")], continue_last=True)
    assert continued == start + "\n</think>\n\nThe answer"
