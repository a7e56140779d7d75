"""Any history becomes a prompt, whatever a model's chat template insists on.

The templates are rendered as in service: a tokenizer folder of transformers, HfTokenizer, the scheduler.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from inference.contract import Delta, Ended, ErrorCode, GenerationRequest, Reason, Sampling
from inference.core.scheduler import Scheduler
from inference.hf_models.tokenizer import HfTokenizer
from inference.text.alternate import SILENCE, alternate, in_words, separate
from inference.text.title import title_request

SPECIAL = ["<s>", "</s>", "[INST]", "[/INST]", "<start_of_turn>", "<end_of_turn>"]
IN_TURN = (
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if not m['content'] | trim %}{{ raise_exception('a message is empty') }}{% endif %}"
)
TEMPLATES = {
    # Mistral's: one system message, at the beginning only.
    "mistral": (
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}"
        "{% set talk = messages[1:] %}{% else %}{% set system = '' %}{% set talk = messages %}{% endif %}"
        "{% for m in talk %}" + IN_TURN + "{% if m['role'] == 'user' %}[INST]"
        "{% if loop.last and system %}{{ system }}\n\n{% endif %}{{ m['content'] }}[/INST]"
        "{% else %}{{ m['content'] | trim }}{{ eos_token }}{% endif %}{% endfor %}"
    ),
    # Gemma's: no system message at all.
    "gemma": (
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
        "{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}"
        + IN_TURN
        + "<start_of_turn>"
        "{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n{{ m['content'] | trim }}<end_of_turn>\n"
        "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
    ),
    # As Gemma's, for questions alone: an answer at the end is refused, so none could be continued.
    "question last": (
        "{{ bos_token }}{% if messages[-1]['role'] != 'user' %}"
        "{{ raise_exception('The last message must be from the user') }}{% endif %}"
        "{% for m in messages %}" + IN_TURN + "{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    ),
    # Qwen3's and DeepSeek's: an answer's reasoning is left out.
    "reasoning": (
        "{% for m in messages %}<start_of_turn>{{ m['role'] }}\n{{ m['content'].split('</think>')[-1] }}"
        "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>assistant\n{% endif %}"
    ),
}


def save(folder: Path, template: str) -> Path:
    """A tokenizer of single bytes."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({piece: i for i, piece in enumerate([*SPECIAL, *letters])}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=SPECIAL[2:],
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return folder


class EndsAtOnce:
    """A model whose every answer is empty: only the prompt is tested."""

    def __init__(self, vocab_size: int, end: int) -> None:
        self.logits = np.zeros(vocab_size, np.float32)
        self.logits[end] = 50
        self.prompt: list[int] = []

    def step(self, ids: list[int], row: Any, pos: list[int], hide: Any, out_at: Sequence[int]) -> Any:
        self.prompt = self.prompt[: pos[0]] + ids
        return (
            np.stack([self.logits] * len(out_at)) if out_at else np.zeros((0, self.logits.size), np.float32)
        )


class Model:
    """One model in service, without the network."""

    def __init__(self, folder: Path, context: int = 4096) -> None:
        self.tokenizer = HfTokenizer(folder, len(SPECIAL) + 256)
        self.step = EndsAtOnce(len(SPECIAL) + 256, min(self.tokenizer.stop_ids))
        self.scheduler = Scheduler(
            lambda: self.step,
            self.tokenizer,
            slots=1,
            context=context,
            vocab_size=len(SPECIAL) + 256,
            fingerprint="none",
            prefill_chunk=context,
        )

    def asked(self, messages: Sequence[dict[str, Any]], **more: Any) -> tuple[Ended, str]:
        """Returns how a reply to these messages ends, and the prompt that the model got."""
        return self.answer(request(messages, **more))

    def answer(self, wanted: GenerationRequest) -> tuple[Ended, str]:
        self.scheduler.submit(wanted, ())
        while True:
            for event in self.scheduler.turn():
                assert not isinstance(event, Delta)
                return event, self.tokenizer.inner.decode(self.step.prompt)


def request(messages: Sequence[dict[str, Any]], **more: Any) -> GenerationRequest:
    defaults: dict[str, Any] = {"max_new_tokens": 20, "seed": 1, "sampling": Sampling(temperature=0)}
    return GenerationRequest("g", 1, "strict", tuple(messages), **(defaults | more))


@pytest.fixture(scope="module", params=TEMPLATES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(save(tmp_path_factory.mktemp(request.param), TEMPLATES[request.param]))


def user(content: str) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: str) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def system(content: str) -> dict[str, Any]:
    return {"role": "system", "content": content}


WORDS = st.sampled_from(
    [
        "",
        " ",
        "\n",
        "Hello",
        "été 🙂",
        "a\n\nb",
        " spaced ",
        "[INST] x",
        "<think>so</think>yes",
        "</think>",
        SILENCE,
    ]
)
MESSAGES = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant", "system"]),
    WORDS,
)
ENDS = st.one_of(
    WORDS.map(lambda text: [user(text)]),
    st.tuples(WORDS, WORDS).map(lambda pair: [user(pair[0]), assistant(pair[1])]),
)
HISTORIES = st.builds(lambda before, end: [*before, *end], st.lists(MESSAGES, max_size=9), ENDS)


@settings(max_examples=150, deadline=None)
@given(history=HISTORIES, limit=st.sampled_from([1, 20, 4000]))
def test_every_history_can_be_rendered(model: Model, history: list[dict[str, Any]], limit: int) -> None:
    end, _ = model.asked(history, max_new_tokens=limit)
    assert end.reason is Reason.STOP, (end.error, history)


@settings(max_examples=150, deadline=None)
@given(history=HISTORIES)
def test_roles_take_turns_and_no_visible_word_is_lost(history: list[dict[str, Any]]) -> None:
    ordered = alternate(history)
    talk = ordered[1:] if ordered[0]["role"] == "system" else ordered
    assert [each["role"] for each in talk] == ["user", "assistant"] * (len(talk) // 2) + ["user"] * (
        len(talk) % 2
    )
    assert all(each["content"].strip() for each in ordered)
    if history[-1]["role"] == "user":
        assert ordered[-1]["role"] == "user"
    for role in ("system", "user", "assistant"):
        said = "".join(each["content"] for each in ordered if each["role"] == role)
        wanted = [each["content"] for each in history if each["role"] == role and each["content"].strip()]
        places = [said.find(text) for text in wanted]
        assert -1 not in places
    assert alternate(ordered) == ordered
    assert alternate(separate(ordered)) == ordered


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 120), min_size=1, max_size=12),
    answered=st.lists(st.booleans(), min_size=12, max_size=12),
    context=st.integers(120, 600),
)
def test_turns_that_do_not_fit_are_left_out_and_the_rest_alternates(
    strict_by_context: dict[int, Model], sizes: list[int], answered: list[bool], context: int
) -> None:
    """Questions of random lengths, some of them never answered: only the newest itself may be too long."""
    model = strict_by_context[context]
    history = []
    for number, size in enumerate(sizes[:-1]):
        history.append(user(f"q{number} " * size))
        history += [assistant(f"a{number}")] * answered[number]
    last = "x" * sizes[-1]
    end, _ = model.asked([*history, user(last)])
    alone, _ = model.asked([user(last)])
    assert (end.reason, end.error) == (alone.reason, alone.error)
    assert alone.reason is Reason.STOP or alone.error == ErrorCode.TOO_LONG


@pytest.fixture(scope="module")
def strict_by_context(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Model]:
    folder = save(tmp_path_factory.mktemp("contexts"), TEMPLATES["mistral"])

    class Made(dict[int, Model]):
        def __missing__(self, context: int) -> Model:
            self[context] = Model(folder, context)
            return self[context]

    return Made()


def test_an_ordinary_conversation_is_the_same_objects() -> None:
    """So its prompt is the same bytes, and the kept prefix of the turn before still serves."""
    history = [
        system("Be brief."),
        user("One?"),
        assistant(" 1 "),
        user("Two?"),
        assistant("2"),
        user("Three?"),
    ]
    for ordinary in (history, history[1:], history[:-1], history[1:2]):
        ordered = alternate(ordinary)
        assert len(ordered) == len(ordinary)
        assert all(made is given for made, given in zip(ordered, ordinary, strict=True))


def test_questions_without_an_answer_are_one(model: Model) -> None:
    _, prompt = model.asked([user("First."), assistant(""), user("Second."), user("Third?")])
    assert "First.\n\nSecond.\n\nThird?" in prompt


def test_an_answer_whose_question_cannot_be_shown_stays_an_answer_of_its_own(model: Model) -> None:
    history = [
        assistant("Welcome."),
        user("Hi"),
        assistant("Hello."),
        user(""),
        assistant("Indeed."),
        user("So?"),
    ]
    shown = ["Welcome.", "Hi", "Hello.", SILENCE, "Indeed.", "So?"]
    assert [each["content"] for each in alternate(history)] == [SILENCE, *shown]
    _, prompt = model.asked(history)
    places = [prompt.index(text) for text in ("Welcome.", "Hi", "Hello.", "Indeed.", "So?")]
    assert all(before < after for before, after in pairwise(places))


def test_system_messages_from_anywhere_are_one_in_front() -> None:
    history = [user("Hi"), system("Later."), assistant("Hello."), system("Last."), user("So?")]
    assert alternate([system("First."), *history])[0] == system("First.\n\nLater.\n\nLast.")


def test_an_answer_is_continued_where_the_template_would_change_it(model: Model) -> None:
    """Cut in the middle of its reasoning, and after a space that templates trim."""
    for said in ("<think>one, two", "<think>so</think>It is ", "It is"):
        end, prompt = model.asked([user("What?"), assistant(said)])
        assert end.reason is Reason.STOP
        assert prompt.rstrip().endswith(said.rstrip())


def test_a_title_can_be_asked_for_after_an_empty_answer(model: Model) -> None:
    for history in ([user("Hi")], [user("Hi"), assistant("Hel")], [user("One"), user("Two")]):
        end, _ = model.answer(title_request(request(alternate(history)), ""))
        assert end.reason is Reason.STOP


def test_a_shorter_question_after_one_that_was_too_long_gets_its_answer(tmp_path: Path) -> None:
    model = Model(save(tmp_path, TEMPLATES["gemma"]), context=200)
    assert model.asked([user("x" * 300)])[0].error == ErrorCode.TOO_LONG
    end, prompt = model.asked(alternate([user("x" * 300), assistant(""), user("In short?")]))
    assert (end.reason, "In short?" in prompt, "xx" in prompt) == (Reason.STOP, True, False)


CALL = {"id": "c1", "name": "echo", "arguments": '{"text": "a"}'}
STEPS: list[dict[str, Any]] = [
    {"role": "user", "content": "one"},
    {"role": "user", "content": "two"},
    {"role": "assistant", "content": "", "calls": [CALL, CALL]},
    {"role": "tool", "call": "c1", "name": "echo", "content": "a"},
    {"role": "tool", "call": "c1", "name": "echo", "content": ""},
    {"role": "assistant", "content": "I see", "calls": [CALL]},
    {"role": "tool", "call": "c1", "name": "echo", "content": "a"},
]


def test_calls_and_results_stay_messages_of_their_own() -> None:
    joined = alternate(STEPS)
    assert joined[0]["content"] == "one\n\ntwo"
    assert joined[1:] == STEPS[2:]
    assert alternate(joined) == joined
    assert separate(joined) == STEPS


def test_calls_and_results_can_be_said_in_words() -> None:
    said = alternate(in_words(STEPS))
    assert [message["role"] for message in said] == ["user", "assistant"] * 2 + ["user"]
    assert said[1]["content"] == 'echo({"text": "a"})\necho({"text": "a"})'
    assert said[2]["content"] == "Result of echo:\na\n\nResult of echo:\n"
    assert said[3]["content"] == 'I see\n\necho({"text": "a"})'
