"""Publishes what `manage.py up` does with each model, in `run/models.json`; pages and commands read it.

`up` knows processes, not models: whether a started worker answers, Redis tells.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from inference.base import private_files
from inference.base.lines import Line, from_data, to_data

FILE_NAME = "models.json"


class Step(StrEnum):
    """Lists what the supervisor does with a model's worker."""

    STARTED = "started"  # its process runs
    RESTARTING = "restarting"  # it died, and starts again after a delay
    REFUSED = "refused"  # it cannot be served: `problem` says why, and what to do
    STOPPING = "stopping"  # its table was removed or changed


@dataclass(frozen=True, slots=True)
class WorkerState:
    step: Step
    since: float = 0.0  # Unix time
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ServiceState:
    """Holds the published state; `problems` are those of the file itself.

    A problem that is a Line is published with what pages translate it from.
    """

    default: str = ""  # slug
    models: Mapping[str, WorkerState] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


_cached: dict[Path, tuple[tuple[int, ...], ServiceState]] = {}


def publish(run: Path, state: ServiceState) -> None:
    """Replaces the file in one step. Raises OSError."""
    path = run / FILE_NAME
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(json.dumps({**asdict(state), "lines": _lines(state)}))
    new.replace(path)


def _lines(state: ServiceState) -> dict[str, Any]:
    """Returns what its problems are translated from, by their English text."""
    said = [*state.problems, *(worker.problem for worker in state.models.values())]
    return {str(each): to_data(each) for each in said if isinstance(each, Line)}


def withdraw(run: Path) -> None:
    """Removes the file: no `up` runs here any more."""
    (run / FILE_NAME).unlink(missing_ok=True)


def published(run: Path) -> ServiceState | None:
    """Returns the published state, None where no `up` runs. Reads the file again only when it has changed."""
    path = run / FILE_NAME
    try:
        about = path.stat()
        mark = (about.st_mtime_ns, about.st_ino, about.st_size)
        known = _cached.get(path)
        if known is None or known[0] != mark:
            known = _cached[path] = (mark, _parsed(json.loads(path.read_text())))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return known[1]


def _parsed(data: Mapping[str, Any]) -> ServiceState:
    lines = data.get("lines", {})

    def read(text: object) -> str:
        return from_data(str(text), lines.get(str(text)))

    models = {
        slug: WorkerState(Step(each["step"]), float(each["since"]), read(each["problem"]))
        for slug, each in data["models"].items()
    }
    return ServiceState(str(data["default"]), models, tuple(map(read, data["problems"])))


# --- What a worker says before it ends --------------------------------------------------------------------


def note_refusal(run: Path, slug: str, line: str) -> None:
    """Keeps why a worker ends, for `up` to find it with what pages translate it from. Raises OSError."""
    private_files.replace(_refusal(run, slug), json.dumps({"text": line, "line": to_data(line)}))


def take_refusal(run: Path, slug: str, printed: str) -> str:
    """Returns the last line that a worker printed, as it kept it, and forgets that."""
    path = _refusal(run, slug)
    try:
        kept = json.loads(path.read_text())
        path.unlink(missing_ok=True)
        line = from_data(str(kept["text"]), kept["line"])
    except (OSError, ValueError, KeyError, TypeError):
        return printed
    return line if line == printed else printed


def _refusal(run: Path, slug: str) -> Path:
    return run / f"refused.{slug}.json"
