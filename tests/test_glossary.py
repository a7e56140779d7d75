"""docs/glossary.md has a line for every model and every frame, and retired names do not come back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps

from chat.turns import frames

ROOT = Path(__file__).parent.parent
LINES = (ROOT / "docs" / "glossary.md").read_text().splitlines()
ENTRY = re.compile(r"- \*\*([^*]+)\*\*: (.+)")
ENTRIES = {found[1]: found[2] for line in LINES if (found := ENTRY.fullmatch(line))}
MODELS = [model for model in apps.get_models() if model.__module__.startswith("chat.")]
FRAMES = [*frames.FrameIn.__subclasses__(), *frames.OUTGOING]

# Each of these has a standard name today, which the glossary explains.
RETIRED_MODULES = {
    *("voice", "leaving", "desk", "brief", "wishes", "start", "news", "installed"),
    *("budget", "gate", "lookups", "figures", "stock", "release", "modelfiles", "wrongfolders"),
}
RETIRED_NAMES = {
    *("Manner", "Instructions", "Wishes", "Brief", "Start", "Departure", "Verdict", "Budget"),
    *("VoiceConfig", "LeavingConfig", "DeskConfig", "HttpGate", "HandshakeGate", "Crowded"),
    *("brief_for", "go_on", "judge", "verdict", "verdicts", "manner_of", "manner_json", "choices_of"),
    *("begin_with", "instructions_of", "save_instructions", "check_may_leave", "tidy"),
}

DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def own_modules() -> Iterator[Path]:
    for package in ("chat", "grokweb", "inference"):
        for path in (ROOT / package).rglob("*.py"):
            if "migrations" not in path.parts and "demo" not in path.parts:
                yield path


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_model_is_in_the_glossary(model: type) -> None:
    named = [term for term, text in ENTRIES.items() if f"(`{model.__name__}`)" in text]
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.__name__).lower()
    assert named or words in ENTRIES, f"docs/glossary.md has no line for {model.__name__}"


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame.__name__)
def test_every_frame_is_in_the_glossary(frame: type) -> None:
    tag = frame.__struct_config__.tag  # type: ignore[attr-defined]  # msgspec sets it
    assert tag in ENTRIES, f"docs/glossary.md has no line for the frame {tag}"
    assert "rame" in ENTRIES[tag], f"docs/glossary.md does not say that {tag} is a frame"


def test_there_are_models_and_frames() -> None:
    assert len(MODELS) > 20
    assert len(FRAMES) > 15


def test_the_glossary_is_sorted_and_each_line_is_an_entry() -> None:
    listed = [line for line in LINES if line.startswith("- ")]
    assert len(listed) == len(ENTRIES), "a line is not `- **term**: one sentence.`, or a term is there twice"
    keys = [term.lower().replace("_", " ").replace("-", " ") for term in ENTRIES]
    assert keys == sorted(keys)
    assert [text for text in ENTRIES.values() if not text.endswith(".")] == []


def test_no_module_has_a_retired_name() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in own_modules()
        if path.stem in RETIRED_MODULES or path.parent.name in RETIRED_MODULES
    ]
    assert found == []


def test_no_class_or_function_has_a_retired_name() -> None:
    found = []
    for path in own_modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, DEFINITIONS) and node.name in RETIRED_NAMES:
                found.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert found == []


WITHOUT_VERB = re.compile(r"(Of|What|Whose|Who|Which|Whether|Where|How|The same|True if|False if)\b")


def test_docstrings_begin_with_a_subject_or_a_verb() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {said}"
        for package in ("chat", "grokweb", "inference", "tests")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (*DEFINITIONS, ast.Module))
        and (said := ast.get_docstring(node) or "")
        and WITHOUT_VERB.match(said)
    ]
    assert not found


QUESTION = re.compile(r"test_(what|who|whom|whose|where|when|which|how|why|of)_")


def test_names_of_tests_state_a_fact() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, DEFINITIONS) and QUESTION.match(node.name)
    ]
    assert not found
