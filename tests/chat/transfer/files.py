"""Files of other services as they look, written for these tests, and zips around them."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

AT = 1_700_000_000.5


def chatgpt(title: str = "Bread", question: str = "How long does dough rise?") -> dict[str, Any]:
    """Returns a file with typical content: an empty root, an instruction, a tool's step, a picture, a second
    answer.
    """
    return {
        "title": title,
        "create_time": AT,
        "update_time": AT + 60,
        "current_node": "a2",
        "conversation_id": "c-1",
        "user_id": "somebody-else",
        "mapping": {
            "root": {"id": "root", "message": None, "parent": None, "children": ["s"]},
            "s": _node("s", "root", ["q"], "system", [""]),
            "q": _node("q", "s", ["t1", "a3"], "user", [question, {"content_type": "image_asset_pointer"}]),
            "t1": _node("t1", "q", ["t2"], "assistant", ["search('dough')"], recipient="web"),
            "t2": _node("t2", "t1", ["a1"], "tool", ["1 hour"]),
            "a1": _node("a1", "t2", ["h"], "assistant", ["About an hour."]),
            "h": _thought("h", "a1", ["a2"]),
            "a2": _node("a2", "h", [], "assistant", ["In a warm **kitchen**."]),
            "a3": _node("a3", "q", [], "assistant", ["A night in the fridge."], create_time=AT + 9),
        },
    }


def _node(
    key: str, parent: str, children: list[str], role: str, parts: list[Any], **more: Any
) -> dict[str, Any]:
    kind = "text" if all(isinstance(part, str) for part in parts) else "multimodal_text"
    message = {
        "id": key,
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": AT + len(key),
        "content": {"content_type": kind, "parts": parts},
        "status": "finished_successfully",
        "metadata": {},
        "recipient": "all",
        **more,
    }
    return {"id": key, "message": message, "parent": parent, "children": children}


def _thought(key: str, parent: str, children: list[str]) -> dict[str, Any]:
    node = _node(key, parent, children, "assistant", [])
    node["message"]["content"] = {"content_type": "thoughts", "thoughts": [{"summary": "warm"}]}
    return node


def openwebui(title: str = "Tea") -> dict[str, Any]:
    messages = {
        "1": _said("1", None, ["2", "3"], "user", "Which tea?"),
        "2": _said("2", "1", [], "assistant", "Green."),
        "3": _said("3", "1", ["4"], "assistant", "Black."),
        "4": {**_said("4", "3", [], "user", "Why?"), "files": [{"type": "image"}]},
    }
    return {
        "id": "w-1",
        "user_id": "somebody-else",
        "title": title,
        "chat": {"title": title, "models": ["x"], "history": {"messages": messages, "currentId": "2"}},
        "created_at": 1_700_000_000,
        "updated_at": 1_700_000_100,
        "archived": False,
    }


def _said(key: str, parent: str | None, children: list[str], role: str, content: str) -> dict[str, Any]:
    return {
        "id": key,
        "parentId": parent,
        "childrenIds": children,
        "role": role,
        "content": content,
        "timestamp": 1_700_000_000 + int(key),
    }


def own(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {
        "format": "grokweb.conversation",
        "version": 1,
        "title": "Own",
        "messages": list(messages),
        **fields,
    }


def said(
    key: Any = "1", parent: Any = None, role: Any = "user", text: Any = "Hello", **more: Any
) -> dict[str, Any]:
    return {"id": key, "parent": parent, "role": role, "text": text, **more}


def as_json(*records: Any) -> bytes:
    return json.dumps(list(records)).encode()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def link(name: str) -> bytes:
    """A zip that holds a symbolic link."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return packed.getvalue()


def locked(content: bytes) -> bytes:
    """The bit that says "encrypted", in both places."""
    packed = bytearray(zipped({"a.json": content}, zipfile.ZIP_STORED))
    packed[6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


def chatgpt_answering(text: str, **metadata: Any) -> dict[str, Any]:
    """One question and its answer."""
    return {
        "title": "Bread",
        "create_time": AT,
        "current_node": "a",
        "mapping": {
            "q": _node("q", "", ["a"], "user", ["A question"]) | {"parent": None},
            "a": _node("a", "q", [], "assistant", [text], metadata=metadata),
        },
    }


def grokweb_with_file(name: str, text: str) -> dict[str, Any]:
    file = {"name": name, "size": len(text), "kind": "text", "text": text}
    message = {"id": "q", "parent": None, "role": "user", "text": "Look", "files": [file]}
    return {
        "format": "grokweb.conversation",
        "version": 1,
        "title": f"With {len(text)}",
        "messages": [message],
    }
