"""Modules of static/js import one way: each folder only from those before it in LAYERS."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "static" / "js"
LAYERS = {
    "base": "text, numbers, translations: no DOM, no network",
    "wire": "what the browser and the server exchange: JSON requests, uploads, the websocket and its frames",
    "state": "what the page knows: pure transitions over replies, messages and questions",
    "markdown": "text to tokens to HTML, without a document",
    "ui": "elements, menus, notices, keys: nothing of them knows a conversation",
    "view": "draws messages",
    "parts": "the rest of the page, one part a file: message box, sidebar, palette, dialogs",
    "chat": "handlers of the chat page: navigation, questions, frames, connection",
    "pages": "the modules that templates name",
}
IMPORT = re.compile(r"""(?:\bfrom\s*|\bimport\s*\(?\s*)["']([^"'\s]+)["']""")
# `import("…")` in a comment names a type for tsc and loads nothing.
COMMENT = re.compile(r"/\*.*?\*/|(?<![:\"'`\\])//[^\n]*", re.DOTALL)
MODULES = sorted(path.relative_to(SCRIPTS).as_posix() for path in SCRIPTS.rglob("*.js"))


def imports(module: str) -> list[str]:
    """Returns the paths below static/js that `module` imports, at once or later, without third parties."""
    names = IMPORT.findall(COMMENT.sub("", (SCRIPTS / module).read_text()))
    assert all(name.startswith(("grokweb/", "vendor/")) for name in names), f"{module}: {names}"
    return [name.removeprefix("grokweb/") for name in names if name.startswith("grokweb/")]


def layer(module: str) -> int:
    return list(LAYERS).index(module.split("/")[0])


def test_every_module_is_in_a_layer() -> None:
    assert {module.split("/")[0] for module in MODULES} == set(LAYERS)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_layer_or_below(module: str) -> None:
    for name in imports(module):
        assert name in MODULES, f"{module} imports {name}, which does not exist"
        assert layer(name) <= layer(module), f"{module} imports {name}"


def test_no_module_imports_itself_through_others() -> None:
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module in done:
            return
        for name in imports(module):
            walk(name, (*path, module))
        done.add(module)

    for module in MODULES:
        walk(module, ())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('import { a } from "grokweb/base/text.js";', ["grokweb/base/text.js"]),
        ('import "grokweb/base/text.js";', ["grokweb/base/text.js"]),
        ('export { a } from "grokweb/base/text.js";', ["grokweb/base/text.js"]),
        ('(await import("grokweb/base/text.js")).a();', ["grokweb/base/text.js"]),
        ('/** @typedef {import("grokweb/wire/frames").Frame} Frame */', []),
    ],
)
def test_imports_are_read(text: str, found: list[str]) -> None:
    assert IMPORT.findall(COMMENT.sub("", text)) == found
