"""Imports flow one way (the map in README.md): read from the code, and from what the web process loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
APPS = [
    "core",
    "accounts",
    "conversations",
    "search",
    "quotas",
    "moderation",
    "feedback",
    "files",
    "voice",
    "turns",
    "sharing",
    "transfer",
    "leaving",
    "desk",
]
LEFT_OF = {
    "core": [],
    "accounts": ["core"],
    "conversations": ["core", "accounts"],
    "search": ["core", "accounts", "conversations"],
    "quotas": ["core", "accounts", "conversations"],
    "moderation": ["core", "accounts", "conversations"],
    "feedback": ["core", "accounts", "conversations"],
    "files": ["core", "accounts", "conversations"],
    "voice": ["core", "accounts", "conversations", "moderation"],
    "turns": ["core", "accounts", "conversations", "quotas", "moderation", "files", "voice"],
    "sharing": ["core", "accounts", "conversations", "quotas", "moderation", "files", "voice", "turns"],
    "transfer": [
        "core",
        "accounts",
        "conversations",
        "quotas",
        "moderation",
        "files",
        "voice",
        "turns",
        "sharing",
    ],
    "leaving": ["core", "accounts", "conversations", "search", "quotas", "files", "voice", "turns"],
    "desk": [app for app in APPS if app != "desk"],
}
REDIS_SIDE = {"inference.queue", "inference.log", "inference.lease", "inference.scripts", "inference.figures"}
PORTS = {"chat/turns/port.py", "chat/turns/live.py"}
# Data types of the log that settlement and the consumer read; what queues or reads Redis stays in the ports.
TYPES_ONLY = {
    "inference.contract",
    "inference.settings",
    "inference.log",
    "inference.lease",
    "inference.figures",
}
EDGES = {"views", "api", "consumers", "tasks", "admin"}
ROOMS_BELOW = {"services", "access", "models", "port", "reconcile", "live"}


def files(folder: str) -> list[Path]:
    return [path for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts]


def imports(path: Path) -> Iterator[str]:
    """Dotted names, `from a import b` as a and a.b; imports of types count too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def type_names(path: Path, module: str) -> set[str]:
    return {
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    }


def test_inference_never_imports_chat_or_django() -> None:
    for path in files("inference"):
        found = [name for name in imports(path) if name.split(".")[0] in {"chat", "django"}]
        assert not found, f"{path}: {found}"


def test_the_contract_needs_the_standard_library_only() -> None:
    roots = {name.split(".")[0] for name in imports(ROOT / "inference" / "contract.py")}
    assert roots <= set(sys.stdlib_module_names) | {"__future__"}


@pytest.mark.parametrize("app", APPS)
def test_an_app_imports_only_those_to_its_left(app: str) -> None:
    for path in files(f"chat/{app}"):
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "chat" and len(parts) > 1 and parts[1] != app:
                assert parts[1] in LEFT_OF[app], f"{path} imports {name}"


def test_only_the_ports_reach_the_queue_and_the_log() -> None:
    for path in files("chat"):
        place = path.relative_to(ROOT).as_posix()
        for name in imports(path):
            if not name.startswith("inference.") or place in PORTS:
                continue
            module = ".".join(name.split(".")[:2])
            assert module in TYPES_ONLY, f"{place} imports {name}"
            if module in REDIS_SIDE:
                kinds = type_names(path, module)
                assert all(kind[0].isupper() for kind in kinds), f"{place} imports {sorted(kinds)}"


def test_services_do_not_import_their_edges() -> None:
    for path in files("chat"):
        if path.stem not in ROOMS_BELOW:
            continue
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "chat" and len(parts) > 2:
                assert parts[2] not in EDGES, f"{path} imports {name}"


def test_the_web_process_never_loads_torch() -> None:
    code = (
        "import sys, grokweb.asgi; from django.urls import reverse; reverse('home');"
        "print([m for m in ('torch', 'transformers', 'sentencepiece') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_a_model_worker_needs_no_django() -> None:
    code = "import sys, inference.writer, inference.queue; print('django.db' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.strip() == "False", done.stdout + done.stderr
