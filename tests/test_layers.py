"""Imports flow one way (the map in README.md): read from the code, and from what the web process loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Container, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
APPS = [
    "core",
    "accounts",
    "model_cards",
    "conversations",
    "quotas",
    "moderation",
    "search",
    "feedback",
    "files",
    "personas",
    "tools",
    "turns",
    "push",
    "sharing",
    "transfer",
    "account_deletion",
    "staff",
]
REDIS_SIDE = {
    "inference.wire.queue",
    "inference.wire.log",
    "inference.wire.lease",
    "inference.wire.scripts",
    "inference.wire.metrics",
    "inference.wire.outbound_counts",
}
PORTS = {
    f"chat/turns/{name}.py"
    for name in (
        "redis_client",
        "submission",
        "reply_state",
        "reconcile_rest",
        "served_models",
        "trial_marks",
        "reply_metrics",
        "hub",
    )
} | {"chat/staff/outbound.py"}
# Data types of the log that settlement and the consumer read; what queues or reads Redis stays in the ports.
TYPES_ONLY = {
    "inference.base",  # standard library, for any module
    "inference.contract",
    "inference.settings",
    "inference.wire.log",
    "inference.wire.lease",
    "inference.wire.metrics",
}
# A function of its argument that the prompt's rows need: in which order every template accepts messages.
PURE = {"chat/turns/prompts.py": "inference.text.alternate"}
# structlog has no dependencies, and one line a record is its trade: it formats the lines of every process.
NOT_STANDARD = {"inference/base/logs.py": ("structlog",)}
# Inside `inference` each package imports only those named here: from the bottom up, and no two each other.
INNER = {
    "contract": set(),
    "base": set(),
    "settings": {"base"},
    "outbound": {"base"},
    "wire": {"contract", "base", "settings"},
    "text": {"contract", "base"},
    "model_dir": {"contract", "base"},
    "networks": {"model_dir"},
    "hub": {"base", "settings", "outbound", "model_dir"},
    "servers": {"contract", "base", "text", "model_dir"},
    "grok1": {"base", "model_dir", "networks"},
    "native": {"base", "settings", "model_dir", "networks", "grok1"},
    "hf_models": {"base", "text", "model_dir", "networks"},
    "grok2": {"base", "model_dir", "networks", "grok1", "hf_models"},
    "core": {"contract", "base", "text"},
    "engines": {
        "contract",
        "base",
        "text",
        "model_dir",
        "networks",
        "grok1",
        "native",
        "hf_models",
        "grok2",
        "servers",
        "hub",
        "settings",
        "outbound",
        "core",
    },
    "worker": {
        "contract",
        "base",
        "settings",
        "wire",
        "text",
        "model_dir",
        "hub",
        "grok1",
        "core",
        "engines",
    },
    "xai_import": {"base", "model_dir", "grok1"},
    "demo": {"base", "model_dir", "grok1"},
}
# Inside an app: views, consumers, tasks and admin call services, which use access and models.
EDGES = {"views", "api", "consumers", "tasks", "admin"}
SERVICES = {
    "services",
    "attaching",
    "blocking",
    "breadth",
    "copying",
    "deciding",
    "deleting",
    "file_storage",
    "hiding",
    "imported_files",
    "links",
    "prompt_text",
    "read_jobs",
    "reporting",
    "rule_kinds",
    "uploading",
    "starting",
    "new_reply",
    "settlement",
    "stopping",
    "reconcile",
    "submission",
    "reply_state",
    "reconcile_rest",
    "served_models",
    "reply_metrics",
    "hub",
    "lifecycle",
    "purge",
}
RANKS = {"models": 0, "access": 1, **dict.fromkeys(SERVICES, 2), **dict.fromkeys(EDGES, 3)}
WIRING = {"urls", "routing", "apps"}  # name edges, for Django and Channels
BASES = {"chat.core.api", "chat.core.admin"}  # what edges of all apps are made of; neither answers a request


def files(folder: str) -> list[Path]:
    return [path for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts]


def is_code(path: Path) -> bool:
    return path.stem != "__init__" and (path.suffix == ".py" or (path / "__init__.py").exists())


def name_of(path: Path) -> str:
    """Returns a module's dotted name; that of a package for its __init__.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Dotted names, `from a import b` as a and a.b; imports of types count too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_modules(path: Path, modules: Container[str]) -> set[str]:
    """Returns which of `modules` a file imports; `from package import module` counts as the module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            within = {f"{node.module}.{alias.name}": alias.name for alias in node.names}
            found |= {name if name in modules else node.module for name in within}
    return {name for name in found if name in modules}


def needs_of(package: str) -> dict[str, set[str]]:
    """Returns which modules of a package each of its modules imports."""
    modules = {name_of(path): path for path in files(package)}
    return {name: imported_modules(path, modules) - {name} for name, path in modules.items()}


def circular(needs: dict[str, set[str]]) -> set[str]:
    """Returns the modules that import each other, and those that import them; empty if there is an order."""
    left = dict(needs)
    while free := [module for module in left if not left[module] & left.keys()]:
        for module in free:
            del left[module]
    return set(left)


def reachable(module: str, needs: dict[str, set[str]]) -> set[str]:
    """Returns what a module imports, directly or through others."""
    found: set[str] = set()
    new = needs[module]
    while new:
        found |= new
        new = {after for each in new for after in needs[each]} - found
    return found


def type_names(path: Path, module: str) -> set[str]:
    return {
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    }


def test_inference_never_imports_chat_grokweb_or_django() -> None:
    """tests/inference/worker/test_process.py reads what the real process of a worker has loaded."""
    for path in files("inference"):
        found = [name for name in imports(path) if name.split(".")[0] in {"chat", "grokweb", "django"}]
        assert not found, f"{path}: {found}"


def test_contract_and_base_need_the_standard_library_only() -> None:
    for path in [ROOT / "inference" / "contract.py", *files("inference/base")]:
        allowed = {*sys.stdlib_module_names, *NOT_STANDARD.get(path.relative_to(ROOT).as_posix(), ())}
        found = [name for name in imports(path) if name.split(".")[0] not in allowed]
        assert [name for name in found if not name.startswith("inference.base")] == [], path


@pytest.mark.parametrize("package", [path.stem for path in (ROOT / "inference").iterdir() if is_code(path)])
def test_a_package_of_inference_imports_only_those_below(package: str) -> None:
    """Imports inside functions and those for types alone count like any other."""
    assert package in INNER, f"inference/{package} has no place in INNER"
    paths = files(f"inference/{package}") or [ROOT / "inference" / f"{package}.py"]
    for path in paths:
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "inference" and len(parts) > 1 and parts[1] != package:
                assert parts[1] in INNER[package], f"{path} imports {name}"


@pytest.mark.parametrize("package", ["inference", "grokweb", *(f"chat/{app}" for app in APPS)])
def test_no_modules_of_a_package_import_each_other(package: str) -> None:
    """Imports inside functions and those for types alone count, too."""
    left = circular(needs_of(package))
    assert not left, f"these import each other: {sorted(left)}"


def test_a_circle_of_imports_is_found_and_what_only_leads_to_it_is_named_with_it() -> None:
    needs = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"e"}, "e": set()}
    assert circular(needs) == {"a", "b", "c"}
    assert reachable("a", needs) == {"b", "c"}


def test_tests_of_inference_mirror_its_packages_and_import_no_other_test() -> None:
    packages = {path.name for path in (ROOT / "inference").iterdir() if (path / "__init__.py").exists()}
    for path in files("tests/inference"):
        if path.name.startswith("test_"):
            assert path.parent.name in packages, path
        found = [name for name in imports(path) if any(part.startswith("test_") for part in name.split("."))]
        assert not [name for name in found if name.startswith("tests.")], f"{path}: {found}"


def test_chat_never_imports_grokweb() -> None:
    """Imports inside functions and those for types alone count, too."""
    for path in files("chat"):
        found = [name for name in imports(path) if name.split(".")[0] == "grokweb"]
        assert not found, f"{path}: {found}"


@pytest.mark.parametrize("app", APPS)
def test_an_app_imports_only_earlier_ones(app: str) -> None:
    for path in files(f"chat/{app}"):
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "chat" and len(parts) > 1 and parts[1] != app:
                assert parts[1] in APPS[: APPS.index(app)], f"{path} imports {name}"


def test_only_the_ports_reach_the_queue_and_the_log() -> None:
    for path in files("chat"):
        place = path.relative_to(ROOT).as_posix()
        for name in imports(path):
            if not name.startswith("inference.") or place in PORTS:
                continue
            if name == "inference.wire" or name.startswith(PURE.get(place, "-")):
                continue  # its modules follow, as inference.wire.queue
            module = ".".join(name.split(".")[: 3 if name.startswith("inference.wire.") else 2])
            assert module in TYPES_ONLY, f"{place} imports {name}"
            if module in REDIS_SIDE:
                kinds = type_names(path, module)
                assert all(kind[0].isupper() for kind in kinds), f"{place} imports {sorted(kinds)}"


def test_views_and_consumers_ask_no_database() -> None:
    """They call access functions and services: no manager, and no row's own save or delete."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} .{node.attr}"
        for path in files("chat")
        if path.stem in {"views", "api", "consumers"}
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"objects", "delete", "save", "raw", "cursor"}
        if not (isinstance(node.value, ast.Name) and node.value.id in {"services", "conversations", "form"})
    ]
    assert not found, found


@pytest.mark.parametrize("app", APPS)
def test_modules_of_an_app_import_only_downwards(app: str) -> None:
    """Edges reach services, services reach access, access reaches models, and none of them the other way.

    Modules without a rank are followed: what they import counts for those who import them. Only wiring
    reaches edges, and no edge reaches another one.
    """
    needs = needs_of(f"chat/{app}")
    for module in needs:
        name = module.rpartition(".")[2]
        below = {each for each in reachable(module, needs) - BASES if each.rpartition(".")[2] in RANKS}
        if name in WIRING or ".management." in module:
            continue
        rank = RANKS.get(name, 2)
        wrong = {each for each in below if RANKS[each.rpartition(".")[2]] > min(rank, 2)}
        assert not wrong, f"{module} reaches {sorted(wrong)}"


def test_only_edges_and_wiring_import_edges_of_other_apps() -> None:
    for path in files("chat"):
        if path.stem in EDGES | WIRING:
            continue
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "chat" and len(parts) > 2 and ".".join(parts[:3]) not in BASES:
                assert parts[2] not in EDGES, f"{path} imports {name}"


def test_the_web_process_never_loads_torch() -> None:
    code = (
        "import sys, grokweb.asgi; from django.urls import reverse; reverse('home');"
        "print([m for m in ('torch', 'transformers', 'sentencepiece') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_commands_and_workers_load_no_web_server() -> None:
    code = (
        "import sys, django; django.setup();"
        "print([m for m in ('autobahn', 'daphne', 'twisted.internet.reactor') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_no_test_imports_from_another_test_file() -> None:
    """Helpers live in modules of their own; only a conftest.py imports another one, to pass fixtures on."""
    for path in files("tests"):
        modules = {name for name in imports(path) for part in name.split(".") if part.startswith("test_")}
        assert not modules, f"{path} imports {sorted(modules)}"
        if path.name != "conftest.py":
            found = [name for name in imports(path) if "conftest" in name.split(".")]
            assert not found, f"{path} imports {found}"
