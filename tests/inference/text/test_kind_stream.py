"""Thoughts and text are told apart by the marks of chat templates, the same after any cut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.contract import Kind, Reason, ReplyRule
from inference.text.kind_stream import KindStream
from inference.text.reply_rules import compile_rules
from inference.text.thought_marks import HARMONY, Channels, Marks, Tags, Thinker, marks_of

THINK = Tags("<think>", "</think>")
OPENED = "assistant\n<think>\n"
PLAIN = "assistant\n"
ANSWERS = (
    "<think>\nfirst I add\n</think>\n\nFour é 😀.",
    "<think></think>Four.",
    "\n<think>\nis 1 < 2 </thin or </ more?</think>Four, not <think>five</think>.",
    "Four < five, and <think> stays.",
    "<thinking of it> four",
    "<think>never done",
    "",
)


class Spelled:
    """A vocabulary of which each piece is a token, as given."""

    def __init__(self, pieces: Sequence[bytes], marks: Marks = THINK, control: Sequence[str] = ()) -> None:
        self.pieces = [*pieces, *(b"" for _ in control)]
        names = [(len(pieces) + i, name) for i, name in enumerate(control)]
        self.thinker = Thinker(marks, lambda token, first: self.pieces[token], names)


def streamed(
    vocabulary: Spelled,
    tokens: Sequence[int],
    *,
    prompt: str = PLAIN,
    begun: Kind | None = None,
    emitted: Sequence[int] = (),
    end: Reason = Reason.STOP,
    **options: Any,
) -> tuple[list[tuple[Kind, str]], list[int], tuple[Reason, str]]:
    """Returns stretches of one kind, the ids of all pieces, and the end; numbers are checked."""
    parser = vocabulary.thinker.marks.parser(prompt, begun=begun)
    stream = KindStream(vocabulary.thinker.spell, parser, emitted=emitted, **options)
    told: list[tuple[Kind, str]] = []
    ids: list[int] = []

    def take() -> None:
        while piece := stream.take():
            assert (piece.after, piece.seq) == (
                len(emitted) + len(ids),
                len(emitted) + len(ids) + len(piece.ids),
            )
            ids.extend(piece.ids)
            if told and told[-1][0] is piece.kind:
                told[-1] = (piece.kind, told[-1][1] + piece.text)
            else:
                told.append((piece.kind, piece.text))

    reason = None
    for token in tokens:
        if reason := stream.push(token):
            break
        take()
    finished = stream.finish(reason or end)
    take()
    assert stream.seq == len(emitted) + len(ids)
    return told, ids, finished


def cut(text: str, places: Sequence[int]) -> list[bytes]:
    """Cuts text into tokens. None holds a tag and words behind it: no vocabulary has such a token."""
    data = text.encode()
    ends = {found.end() for found in re.finditer(rb"</?think>\s*", data)}
    borders = [0, *sorted({place % (len(data) + 1) for place in places} | ends), len(data)]
    return [data[a:b] for a, b in zip(borders, borders[1:], strict=False) if b > a]


def joined(*told: Sequence[tuple[Kind, str]]) -> list[tuple[Kind, str]]:
    found: list[tuple[Kind, str]] = []
    for kind, text in (each for stretches in told for each in stretches):
        if found and found[-1][0] is kind:
            found[-1] = (kind, found[-1][1] + text)
        elif text:
            found.append((kind, text))
    return found


@pytest.mark.parametrize(
    ("answer", "prompt", "thought", "text"),
    [
        (ANSWERS[0], PLAIN, "first I add\n", "Four é 😀."),
        (ANSWERS[1], PLAIN, "", "Four."),
        (ANSWERS[2], PLAIN, "is 1 < 2 </thin or </ more?", "Four, not <think>five</think>."),
        (ANSWERS[3], PLAIN, "", "Four < five, and <think> stays."),
        (ANSWERS[4], PLAIN, "", "<thinking of it> four"),
        (ANSWERS[5], PLAIN, "never done", ""),
        ("add\n</think>\n\nFour.", OPENED, "add\n", "Four."),
        ("</think>Four.", OPENED, "", "Four."),
        ("\n  Four.", PLAIN, "", "\n  Four."),
    ],
)
@settings(max_examples=40, deadline=None)
@given(places=st.lists(st.integers(0, 200), max_size=60))
def test_tags_are_found_wherever_tokens_are_cut(
    answer: str, prompt: str, thought: str, text: str, places: list[int]
) -> None:
    pieces = cut(answer, places)
    told, ids, end = streamed(Spelled(pieces), range(len(pieces)), prompt=prompt)
    assert joined(told) == [each for each in ((Kind.THOUGHT, thought), (Kind.TEXT, text)) if each[1]]
    assert ids == list(range(len(pieces)))
    assert end == (Reason.STOP, "")


@settings(max_examples=150, deadline=None)
@given(
    answer=st.sampled_from(ANSWERS),
    prompt=st.sampled_from([PLAIN, OPENED]),
    places=st.lists(st.integers(0, 200), max_size=60),
    hold_back=st.integers(0, 6),
    pattern=st.sampled_from(["", "five", "add", "😀"]),
    stop=st.sampled_from([(), ("not",), ("add",)]),
    end=st.sampled_from([Reason.STOP, Reason.LENGTH, Reason.STOPPED]),
)
def test_a_resume_at_every_cut_equals_the_undisturbed_reply(
    answer: str, prompt: str, places: list[int], hold_back: int, pattern: str, stop: Any, end: Reason
) -> None:
    pieces = cut(answer, places)
    vocabulary, tokens = Spelled(pieces), list(range(len(pieces)))
    rules = compile_rules((ReplyRule("r", pattern),) if pattern else ())
    options: dict[str, Any] = {
        "prompt": prompt,
        "hold_back": hold_back,
        "rules": rules,
        "stop": stop,
        "end": end,
    }
    told, ids, finished = streamed(vocabulary, tokens, **options)
    log: list[tuple[int, list[tuple[Kind, str]]]] = []
    parser = vocabulary.thinker.marks.parser(prompt, begun=None)
    stream = KindStream(vocabulary.thinker.spell, parser, hold_back=hold_back, rules=rules, stop=stop)
    for token in tokens:
        if stream.push(token):
            break
        while piece := stream.take():
            log.append((piece.seq, [(piece.kind, piece.text)]))
    for count in range(len(log) + 1):
        after = log[count - 1][0] if count else 0
        shown = [each for _, stretches in log[:count] for each in stretches]
        again = streamed(vocabulary, tokens[after:], emitted=ids[:after], **options)
        assert joined(shown, again[0]) == joined(told)
        assert (ids[:after] + again[1], again[2]) == (ids, finished)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([b"hm", b"</think", b">Four"], [(Kind.THOUGHT, "hm"), (Kind.TEXT, "Four")]),
        ([b"hm", b"</think", b">Four", b"."], [(Kind.THOUGHT, "hm"), (Kind.TEXT, "Four.")]),
        ([b"hm", b" so</think>Four"], [(Kind.THOUGHT, "hm"), (Kind.TEXT, "Four")]),
        ([b"hm", b" so</think>Four", b"."], [(Kind.THOUGHT, "hm so"), (Kind.TEXT, "Four.")]),
        ([b"hm", b"</think", b">\n\n"], [(Kind.THOUGHT, "hm")]),
    ],
)
def test_words_behind_a_mark_in_its_token_are_kept_also_where_it_is_the_last(
    pieces: list[bytes], expected: list[tuple[Kind, str]]
) -> None:
    tokens = range(len(pieces))
    told, ids, _ = streamed(Spelled(pieces), tokens, prompt=OPENED)
    assert (joined(told), ids) == (expected, list(tokens))
    told, ids, _ = streamed(Spelled(pieces), tokens[1:], prompt=OPENED, emitted=[0])
    assert (joined([(Kind.THOUGHT, "hm")], told), ids) == (expected, list(tokens[1:]))


def test_a_thought_that_is_one_token_with_its_mark_is_kept() -> None:
    assert streamed(Spelled([b"<think>hm"]), [0])[:2] == ([(Kind.THOUGHT, "hm")], [0])


def test_an_answer_that_is_continued_opens_no_thought() -> None:
    vocabulary = Spelled([b"<think>", b"x", b"</think>"])
    told, _, _ = streamed(vocabulary, [0, 1, 2], begun=Kind.TEXT)
    assert told == [(Kind.TEXT, "<think>x</think>")]


def test_a_thought_that_is_continued_is_closed_by_its_tag() -> None:
    vocabulary = Spelled([b" more", b"</think>", b"Four."])
    told, _, _ = streamed(vocabulary, [0, 1, 2], begun=Kind.THOUGHT)
    assert joined(told) == [(Kind.THOUGHT, " more"), (Kind.TEXT, "Four.")]


def test_a_control_token_that_is_a_tag_is_read_and_never_shown() -> None:
    vocabulary = Spelled([b"hm", b"Four."], control=THINK.texts)
    told, ids, _ = streamed(vocabulary, [2, 0, 3, 1])
    assert (joined(told), ids) == ([(Kind.THOUGHT, "hm"), (Kind.TEXT, "Four.")], [2, 0, 3, 1])


def test_a_rule_holds_within_a_thought_and_a_stop_string_does_not() -> None:
    vocabulary = Spelled([b"<think>", b"secret ", b"END ", b"</think>", b"ok ", b"END"])
    rules = compile_rules((ReplyRule("r", "secret"),))
    assert streamed(vocabulary, range(6), rules=rules)[2] == (Reason.REFUSED, "r")
    told, _, end = streamed(vocabulary, range(6), stop=("END",), end=Reason.LENGTH)
    assert joined(told) == [(Kind.THOUGHT, "secret END "), (Kind.TEXT, "ok ")]
    assert end == (Reason.STOP, "")


# -- Harmony -------------------------------------------------------------------------------------------

START, CHANNEL, MESSAGE, END = range(10, 14)
WORDS = [b"assistant", b"analysis", b"final", b"I ", b"add.", b"Four", b".", b"commentary", b" to=f", b"\xf0"]


def harmony(tokens: Sequence[int], begun: Kind | None = None, **options: Any) -> Any:
    told, ids, end = streamed(Spelled(WORDS, Channels(), HARMONY), tokens, begun=begun, **options)
    assert ids == list(tokens)
    return joined(told), end[0]


def test_the_analysis_channel_is_a_thought_and_the_final_one_the_answer() -> None:
    answer = [CHANNEL, 1, MESSAGE, 3, 4, END, START, 0, CHANNEL, 2, MESSAGE, 5, 6]
    assert harmony(answer) == ([(Kind.THOUGHT, "I add."), (Kind.TEXT, "Four.")], Reason.STOP)


def test_commentary_is_shown_unless_it_is_for_a_tool() -> None:
    assert harmony([CHANNEL, 7, MESSAGE, 5])[0] == [(Kind.TEXT, "Four")]
    assert harmony([CHANNEL, 7, 8, MESSAGE, 5])[0] == [(Kind.THOUGHT, "Four")]


def test_an_answer_without_channels_is_text() -> None:
    assert harmony([5, 6])[0] == [(Kind.TEXT, "Four.")]


def test_half_a_character_before_a_border_is_counted() -> None:
    assert harmony([CHANNEL, 1, MESSAGE, 3, 9, END, START, 0, CHANNEL, 2, MESSAGE, 5])[0] == [
        (Kind.THOUGHT, "I \ufffd"),
        (Kind.TEXT, "Four"),
    ]


def test_a_reply_that_ends_within_a_header_shows_nothing_of_it() -> None:
    assert harmony([CHANNEL, 1, MESSAGE, 3, END, START, 0, CHANNEL, 2], end=Reason.LENGTH) == (
        [(Kind.THOUGHT, "I ")],
        Reason.LENGTH,
    )


def test_a_continued_final_message_goes_on_as_text() -> None:
    assert harmony([5, 6], begun=Kind.TEXT)[0] == [(Kind.TEXT, "Four.")]


# -- which marks a template has ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "added", "expected"),
    [
        ("{{ c.split('</think>')[-1] }}", (), Tags("<think>", "</think>")),
        ("{{ m.content }}", ("[THINK]", "[/THINK]"), Tags("[THINK]", "[/THINK]")),
        ("<|start|>{{ r }}<|channel|>final<|message|>", HARMONY, Channels()),
        ("<|start|>{{ r }}<|channel|>final<|message|>", (), None),
        ("{{ m.content }}", ("<think>",), None),
    ],
)
def test_marks_are_read_from_template_and_vocabulary(template: str, added: Any, expected: Any) -> None:
    assert marks_of(template, added) == expected
