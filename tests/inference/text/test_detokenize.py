"""Text that may be shown: whole characters, no stop string, nothing forbidden, the same after any cut."""

from __future__ import annotations

from codecs import getincrementaldecoder
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.contract import Reason, ReplyRule
from inference.text.detokenize import TextStream
from inference.text.reply_rules import compile_rules
from tests.inference.engine_fakes import ID, PIECES, FakeTokenizer, decoded, streamed

tokens = st.lists(st.sampled_from([i for i in PIECES if i >= 7]), max_size=24)
stops = st.lists(st.sampled_from(["END", "Human:", "\nHu", "D and", "😀", "é\n"]), max_size=2)
rule_lists = st.lists(
    st.sampled_from([r"secret", r"\bcat\b", r"(?i)THE .*sat", r"sat\.$", r"a+", "é{2}", r"word\s"]),
    max_size=2,
)
ends = st.sampled_from([Reason.STOP, Reason.LENGTH, Reason.STOPPED])


def rules(*patterns: Any) -> Any:
    return compile_rules(tuple(ReplyRule(f"r{i}", pattern) for i, pattern in enumerate(patterns)))


def ids_of(*pieces: Any) -> list[Any]:
    return [ID[piece.encode() if isinstance(piece, str) else piece] for piece in pieces]


@settings(max_examples=300, deadline=None)
@given(tokens=tokens, stop=stops, patterns=rule_lists, hold_back=st.integers(0, 12), end=ends)
def test_a_resume_at_every_cut_equals_the_undisturbed_text(
    tokens: Any, stop: Any, patterns: Any, hold_back: Any, end: Any
) -> None:
    options = {"stop": stop, "rules": rules(*patterns), "hold_back": hold_back, "end": end}
    ids, text, reason, rule = streamed(tokens, **options)
    assert list(ids) == tokens[: len(ids)]
    assert decoded(ids) == text
    for cut in range(len(ids) + 1):
        # A cut inside a character (which no log has, but ids can) leaves the whole character to the resume.
        begun = b"".join(PIECES[i] for i in ids[:cut])
        shown = text if cut == len(ids) else getincrementaldecoder("utf-8")("mark_per_byte").decode(begun)
        again = streamed(tokens[cut:], emitted=ids[:cut], **options)
        assert (ids[:cut] + again[0], shown + again[1], *again[2:]) == (ids, text, reason, rule)


@settings(max_examples=200, deadline=None)
@given(tokens=tokens)
def test_text_is_what_the_ids_decode_to(tokens: Any) -> None:
    ids, text, *_ = streamed(tokens, end=Reason.LENGTH)
    assert list(ids) == tokens
    assert text == decoded(tokens)


@settings(max_examples=200, deadline=None)
@given(tokens=tokens, stop=stops)
def test_nothing_of_a_stop_string_is_shown(tokens: Any, stop: Any) -> None:
    _, text, reason, _ = streamed(tokens, stop=stop, end=Reason.LENGTH)
    whole = decoded(tokens)
    places = [whole.find(s) for s in stop if s in whole]
    if reason is Reason.STOP:
        assert not any(s in text for s in stop)
        assert whole.startswith(text)
    else:
        assert not places
        assert text == whole


def test_an_emoji_split_over_three_tokens_comes_whole() -> None:
    stream = TextStream(FakeTokenizer().piece_bytes)
    pieces = []
    for token in ids_of("a", b"\xf0\x9f", b"\x98", b"\x80", "a"):
        assert stream.push(token) is None
        piece = stream.take()
        pieces.append((piece.ids, piece.text) if piece else None)
    assert pieces == [((22,), "a"), None, None, ((14, 16, 17), "😀"), ((22,), "a")]


def test_half_a_character_at_the_end() -> None:
    half = ids_of("a", b"\xf0\x9f")
    assert streamed(half, end=Reason.LENGTH)[:2] == (tuple(half), "a\ufffd\ufffd")
    assert streamed(half, end=Reason.STOP)[:2] == (tuple(half[:1]), "a")
    assert streamed(half, end=Reason.STOPPED)[:2] == (tuple(half[:1]), "a")


def test_a_stop_string_across_token_borders() -> None:
    ids, text, reason, _ = streamed(ids_of("cat ", "\n", "Hu", "man:", "a"), stop=["\nHuman:"])
    assert (ids, text, reason) == ((8,), "cat ", Reason.STOP)


def test_the_beginning_of_a_stop_string_is_shown_once_it_is_none() -> None:
    stream = TextStream(FakeTokenizer().piece_bytes, stop=["END"])
    shown = []
    for token in ids_of("E", "N", "a"):
        stream.push(token)
        piece = stream.take()
        shown.append(piece.text if piece else "")
    assert shown == ["", "", "ENa"]


def test_a_token_that_ends_the_text_and_begins_the_stop_string_is_left_out() -> None:
    ids, text, reason, _ = streamed(ids_of("cat ", "sat.", "\n"), stop=[".\n"])
    assert (ids, text, reason) == ((8,), "cat ", Reason.STOP)


def test_the_earliest_stop_string_cuts() -> None:
    assert streamed(ids_of("the ", "cat ", "sat."), stop=["sat", "cat sat"])[1] == "the "


def test_a_rule_refuses_before_anything_of_its_match_is_shown() -> None:
    word = ids_of("the ", "secret", " word", "a", "a")
    ids, text, reason, rule = streamed(word, rules=rules("nothing", r"secret word"), hold_back=11)
    assert (reason, rule) == (Reason.REFUSED, "r1")
    assert "the ".startswith(text)
    assert "secret" not in text
    assert len(ids) <= 1


def test_a_match_that_the_next_token_undoes_is_no_match() -> None:
    assert streamed(ids_of("cat ", "E", "N"), rules=rules(r"\bE\b"), end=Reason.STOP)[2] is Reason.STOP
    assert streamed(ids_of("cat ", "E"), rules=rules(r"\bE\b"), end=Reason.STOP)[2:] == (Reason.REFUSED, "r0")


def test_a_match_at_the_very_end_keeps_a_stopped_reply_stopped_and_hidden() -> None:
    ids, text, reason, rule = streamed(ids_of("cat ", "E"), rules=rules(r"\bE\b"), end=Reason.STOPPED)
    assert (ids, text, reason, rule) == ((8,), "cat ", Reason.STOPPED, "")


def test_a_rule_sees_text_of_the_earlier_attempt() -> None:
    result = streamed(ids_of(" word"), emitted=ids_of("the ", "secret"), rules=rules("secret word"))
    assert result == ((), "", Reason.REFUSED, "r0")


def test_text_behind_a_stop_string_is_not_judged() -> None:
    assert streamed(ids_of("cat ", "END", "secret"), stop=["END"], rules=rules("secret"))[1:3] == (
        "cat ",
        Reason.STOP,
    )


def test_hold_back_delays_and_the_end_releases() -> None:
    stream = TextStream(FakeTokenizer().piece_bytes, hold_back=6)
    for token in ids_of("cat ", "the "):
        stream.push(token)
        assert stream.take() is None
    stream.push(ID[b"the "])
    assert stream.take().text == "cat "
    assert stream.finish(Reason.STOP) == (Reason.STOP, "")
    assert stream.take().text == "the the "


def test_the_space_before_the_first_word_follows_the_tokenizer() -> None:
    stream = TextStream(
        lambda token, first: [b"", b"Hi", b"Hi"][token] if first else [b"", b" Hi", b"Hi"][token]
    )
    text = ""
    for token in (0, 1, 1, 2):
        stream.push(token)
        piece = stream.take()
        text += piece.text if piece else ""
    assert text == "Hi HiHi"


def test_an_unreadable_rule_is_an_error() -> None:
    with pytest.raises(ValueError, match="rule r0"):
        rules("(")
