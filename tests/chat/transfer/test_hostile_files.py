"""Files made to hurt: each gets a clear answer, nothing comes in by halves, nothing is executed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings

from chat.conversations.models import Conversation, Message
from chat.transfer import upload
from chat.transfer.imported_conversation import MESSAGE_CHARS, MESSAGES
from chat.transfer.scan import DEPTH, RECORDS
from tests.chat.cast import Cast
from tests.chat.transfer import files
from tests.chat.transfer.importing import bring, report

GOOD = files.own(files.said(text="I am fine"), title="Good")


def plain(text: str) -> bytes:
    return f"[{text}]".encode()


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def bomb() -> bytes:
    return files.zipped({"conversations.json": b"[" + b" " * (30 << 20) + b"]"})


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


WHOLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "not JSON"),
    "not JSON": (lambda: b"%PDF-1.7 \x00\xff", "not JSON"),
    "a web page": (lambda: b"<html><script>alert(1)</script></html>", "not JSON"),
    "a number": (lambda: b"1" * 100_000, "not JSON"),
    "UTF-16 cut in a character": (lambda: json.dumps([GOOD]).encode("utf-16")[:-1], "cut off"),
    "UTF-16 of no JSON": (lambda: "Hello".encode("utf-16"), "not JSON"),
    "cut off": (lambda: cut(files.as_json(GOOD, GOOD)), "cut off"),
    "brackets that do not match": (lambda: b'[{"a": [1}', "cut off"),
    "closed too often": (lambda: b"[1]]]]", "cut off"),
    "closed by another": (lambda: b'{"a": 1]', "cut off"),
    "a string without end": (lambda: b'["' + b"a" * 1000 + b"]", "cut off"),
    "backslashes before the end": (lambda: b'["' + b"\\" * 9999 + b'"]', "cut off"),
    "deep": (lambda: nested(DEPTH + 2).encode(), "too deeply"),
    "a million deep": (lambda: nested(1_000_000).encode(), "too deeply"),
    "deep inside a conversation": (
        lambda: files.as_json({**GOOD, "x": json.loads(nested(DEPTH))}),
        "too deeply",
    ),
    "ten thousand commas too many": (lambda: b"[" + b"," * (RECORDS + 5) + b"]", "more than 10,000"),
    "an empty list": (lambda: b"[ ]", "no conversation"),
    "a zip bomb": (bomb, "unpacks to more"),
    "an empty zip": (lambda: files.zipped({}), "no conversation"),
    "a zip without JSON": (lambda: files.zipped({"a.txt": b"x", "b/": b""}), "no conversation"),
    "a zip in a zip": (lambda: files.zipped({"a.zip": zipped_good()}), "not opened"),
    "a zip cut off": (lambda: cut(files.zipped({"a.json": files.as_json(GOOD) * 100})), "broken"),
    "a zip whose bytes rot": (lambda: rotten(), "broken"),
    "a name that climbs": (lambda: files.zipped({"../../etc/a.json": files.as_json(GOOD)}), "points out"),
    "a name from the root": (lambda: files.zipped({"/etc/a.json": files.as_json(GOOD)}), "points out"),
    "a name of Windows": (lambda: files.zipped({"C:\\a\\..\\b.json": files.as_json(GOOD)}), "points out"),
    "a symbolic link": (lambda: files.link("a.json"), "link to another file"),
    "a password": (lambda: files.locked(files.as_json(GOOD)), "password"),
    "an odd packing": (lambda: zipped_good(zipfile.ZIP_LZMA), "compressed in a way"),
}  # fmt: skip


def zipped_good(method: int = zipfile.ZIP_DEFLATED) -> bytes:
    return files.zipped({"a.json": files.as_json(GOOD)}, method)


def rotten() -> bytes:
    packed = bytearray(files.zipped({"a.json": files.as_json(GOOD)}, zipfile.ZIP_STORED))
    packed[packed.index(b"fine")] ^= 1
    return bytes(packed)


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_is_refused_whole(cast: Cast, name: str) -> None:
    make, words = WHOLE[name]
    answer = bring(cast.client("alice"), make())
    assert answer.status_code == 400, answer.content
    assert words in answer.json()["error"]["words"]
    assert not Conversation.objects.exists()
    # and the next one comes in: no lock stayed, no limit was eaten up
    assert len(report(bring(cast.client("alice"), files.as_json(GOOD)))["imported"]) == 1


def circle() -> dict[str, Any]:
    return files.own(files.said("1", "2"), files.said("2", "1", "assistant"))


def too_many() -> dict[str, Any]:
    return files.own(*(files.said(str(n), text="x") for n in range(MESSAGES + 1)))


LEFT_OUT: dict[str, tuple[Callable[[], str], str]] = {
    "NaN": (lambda: '{"format": "grokweb.conversation", "version": NaN}', "not valid JSON"),
    "Infinity": (lambda: '{"mapping": {"a": -Infinity}}', "not valid JSON"),
    "a number of a million digits": (
        lambda: '{"mapping": {}, "create_time": ' + "9" * 1_000_000 + "}",
        "not valid",
    ),
    "the same name twice": (lambda: '{"mapping": {}, "mapping": {}}', "not valid JSON"),
    "a comma too many": (lambda: "", "not valid JSON"),
    "a trailing word": (lambda: '{"mapping": {}} x', "not valid JSON"),
    "a list": (lambda: "[[]]", "This kind of conversation"),
    "a text": (lambda: '"hello"', "This kind of conversation"),
    "an unknown object": (lambda: '{"a": 1, "__proto__": {"b": 2}}', "This kind of conversation"),
    "a newer version": (lambda: json.dumps({**GOOD, "version": 2}), "newer version"),
    "a version of another type": (lambda: json.dumps({**GOOD, "version": [True]}), "newer version"),
    "the same id twice": (lambda: json.dumps(files.own(files.said(), files.said())), "same id"),
    "a circle": (lambda: json.dumps(circle()), "in a circle"),
    "its own parent": (lambda: json.dumps(files.own(files.said("1", "1"))), "in a circle"),
    "a circle of ChatGPT": (
        lambda: json.dumps({"mapping": {"a": {"parent": "b"}, "b": {"parent": "a"}}}),
        "in a circle",
    ),
    "nothing to say": (lambda: json.dumps(files.own()), "no messages"),
    "only instructions": (lambda: json.dumps(files.own(files.said(role="system"))), "no messages"),
    "a message without end": (
        lambda: json.dumps(files.own(files.said(text="x" * (MESSAGE_CHARS + 1)))),
        "1,000,000 characters",
    ),
    "messages without end": (lambda: json.dumps(too_many()), "20,000 messages"),
    "17 MB of one conversation": (lambda: json.dumps({**GOOD, "x": "y" * (17 << 20)}), "too large"),
    "a million empty lists": (lambda: '{"mapping": [' + "[]," * 1_000_000 + "[]]}", "too large"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_conversation_that_is_left_out_beside_a_good_one(cast: Cast, name: str) -> None:
    make, words = LEFT_OUT[name]
    result = report(bring(cast.client("alice"), plain(f"{make()}, {json.dumps(GOOD)}")))
    assert [each["title"] for each in result["imported"]] == ["Good"]
    (left,) = result["left_out"]
    assert words in left["reason"]
    assert Message.objects.count() == 1


WRONG_TYPES: dict[str, Any] = {
    "title": {**GOOD, "title": {"a": 1}},
    "times": {**GOOD, "created_at": {"$date": 1}, "updated_at": [[]]},
    "leaf": {**GOOD, "leaf": {"id": "1"}},
    "model": {**GOOD, "model": ["../../etc/passwd"]},
    "status": files.own(files.said(status=["live"])),
    "parent": files.own(files.said(parent={"id": 1})),
    "owner": {**GOOD, "owner": "00000000-0000-0000-0000-000000000001", "user_id": 1, "id": "x" * 9999},
    "odd messages": files.own(
        None, 1, "text", [], files.said(key=7), files.said(key="2", text=5), files.said("3")
    ),
    "chatgpt": {
        "mapping": {**files.chatgpt()["mapping"], "x": None, "y": {"message": {"content": 1, "author": []}}}
    },
    "chatgpt parts": {
        "mapping": {"a": {"message": {"author": {"role": "user"}, "content": {"parts": [None, 1, {}, "hi"]}}}}
    },
    "open webui": {
        "chat": {"history": {"messages": {"1": {"role": "user", "content": [{"text": "hi"}, 3]}, "2": []}}}
    },
}


@pytest.mark.parametrize("name", WRONG_TYPES)
def test_values_of_the_wrong_type_harm_nobody(cast: Cast, name: str) -> None:
    result = report(bring(cast.client("alice"), files.as_json(WRONG_TYPES[name])))
    assert len(result["imported"]) == 1, result
    found = Conversation.objects.get()
    assert found.owner == cast.alice
    assert found.model_id == "scripted"
    assert cast.client("alice").get(f"/c/{found.pk}/").status_code == 200


def test_answers_to_nothing_begin_anew(cast: Cast) -> None:
    lost = files.own(
        files.said("1"), files.said("2", "gone", "assistant", "Lost"), files.said("3", "2", text="On")
    )
    result = report(bring(cast.client("alice"), files.as_json(lost)))
    note = "1 message starts a new branch: the message above it is not in the file."
    assert result["imported"][0]["notes"] == [note]
    assert Message.objects.filter(parent=None).count() == 2


def test_characters_that_cannot_be_stored_are_replaced(cast: Cast) -> None:
    odd = files.own(files.said(text="a\x00b \ud800 c 😀"))
    result = report(bring(cast.client("alice"), files.as_json(odd)))
    assert Message.objects.get().text == "a\ufffdb \ufffd c 😀"
    assert "replaced" in result["imported"][0]["notes"][0]


def test_a_chain_of_many_messages_is_no_recursion(cast: Cast) -> None:
    chain = (
        files.said(str(n), str(n - 1) if n else None, "assistant" if n % 2 else "user", f"m{n}")
        for n in range(5000)
    )
    result = report(bring(cast.client("alice"), files.as_json(files.own(*chain))))
    assert result["messages"] == 5000


def test_one_broken_file_in_a_zip_keeps_the_others(cast: Cast) -> None:
    content = files.zipped({"a.json": b"[{", "b/good.json": files.as_json(GOOD), "c.tar.gz": b"x"})
    result = report(bring(cast.client("alice"), content, "a.zip"))
    assert [each["title"] for each in result["imported"]] == ["Good"]
    assert [each["title"] for each in result["left_out"]] == ["c.tar.gz", "a.json"]


def test_a_directory_of_an_archive_is_bounded(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "ENTRIES", 3)
    content = files.zipped({f"{n}.json": files.as_json(GOOD) for n in range(4)})
    answer = bring(cast.client("alice"), content)
    assert answer.status_code == 400
    assert "too many files" in answer.json()["error"]["words"]


def test_the_total_unpacked_size_of_an_archive_is_limited(cast: Cast, settings: Any) -> None:
    settings.IMPORT_BYTES = 1 << 20
    content = files.zipped({f"{n}.json": b"[%s]" % (b" " * 900_000) for n in range(5)})
    assert bring(cast.client("alice"), content).status_code == 400


def test_a_file_larger_than_allowed_is_refused_with_the_limit(cast: Cast, settings: Any) -> None:
    settings.IMPORT_BYTES = 1 << 20
    answer = bring(cast.client("alice"), b"[" + b" " * (1 << 20) + b"]")
    assert answer.status_code == 400
    assert "1 MB" in answer.json()["error"]["words"]


def test_ten_megabytes_are_imported_from_a_file_on_disk(cast: Cast) -> None:
    """Django keeps small uploads in memory and large ones in a file: both are read."""
    assert settings.FILE_UPLOAD_MAX_MEMORY_SIZE < 10 << 20
    many = [files.own(files.said(text=f"{n} " + "word " * 2200), title=str(n)) for n in range(1000)]
    content = files.as_json(*many)
    assert len(content) > 10 << 20
    assert report(bring(cast.client("alice"), content))["messages"] == 1000
