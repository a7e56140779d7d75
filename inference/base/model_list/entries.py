"""Reads `models.toml` in the data directory: the default, and one table for each model.

    default = "qwen3"            # the model of new chats; without this line, GROKWEB_MODEL or the first table

    [qwen3]                      # the slug: names the queue, the model card and the chats that use it
    source = "http://localhost:11434/v1#qwen3:30b"
    key = "QWEN_KEY"             # the NAME of an environment variable, or the path of a file: never the key

A wrong line yields a problem that names its table and field, and leaves out that table alone. A file that is
not TOML is refused as a whole.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from inference.base.lines import english, line_of

FILE_NAME = "models.toml"
DEFAULT = "default"
DEMO = "demo"  # the source that means the demo model
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
LONGEST_SLUG = 64
LONGEST_SOURCE = 2000  # characters
LARGEST_FILE = 2**20  # bytes
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,127}")
DEVICE = re.compile(r"auto|cpu|cuda(?::[0-9]{1,3})?")


class Unreadable(ValueError):
    """The file as a whole cannot be read. The message is one line that begins with its name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One table of the file. 0 and "" mean that its field is not set."""

    slug: str
    source: str
    slots: int = 0
    threads: int = 0
    context: int = 0
    device: str = ""
    dtype: str = ""
    key: str = ""

    @property
    def is_remote(self) -> bool:
        """Returns whether the model is computed by a server, so that its worker needs no threads."""
        return re.match(r"https?:", self.source, re.IGNORECASE) is not None

    @property
    def needs_threads(self) -> bool:
        return not self.is_remote and self.source != DEMO


@dataclass(frozen=True, slots=True)
class ModelList:
    """Holds what the file says. `wrong` are the slugs of tables that cannot be used."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    default: str = ""  # empty: the file names none
    problems: tuple[str, ...] = ()
    wrong: frozenset[str] = frozenset()


class _Wrong(ValueError):
    """A field cannot be used: its name, and what to do."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__(english("%(field)s: %(why)s", field=name, why=words))


def path_in(data: Path) -> Path:
    return data / FILE_NAME


def read(data: Path) -> ModelList:
    """Returns what `models.toml` of a data directory says; an empty list without the file.

    Raises Unreadable.
    """
    try:
        with path_in(data).open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        return ModelList()
    except OSError as error:
        raise Unreadable(f"{FILE_NAME}: {error.strerror or error}") from None
    if len(raw) > LARGEST_FILE:
        raise Unreadable(
            english(
                "%(file)s: it is larger than %(size)s bytes: remove what is no model",
                file=FILE_NAME,
                size=LARGEST_FILE,
            )
        )
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise Unreadable(
            english("%(file)s: it is not UTF-8 text: write it again as UTF-8", file=FILE_NAME)
        ) from None
    return parse(text)


def parse(text: str) -> ModelList:
    """Raises Unreadable for a text that is not TOML."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is no TOMLDecodeError
        raise Unreadable(english("%(file)s: %(why)s: correct this line", file=FILE_NAME, why=error)) from None
    entries: dict[str, Entry] = {}
    problems: list[str] = []
    wrong: set[str] = set()
    for name, value in document.items():
        if name == DEFAULT and not isinstance(value, dict):
            continue
        try:
            entries[name] = _entry(name, value)
        except _Wrong as error:
            wrong.add(name)
            problems.append(
                english("%(file)s: [%(slug)s] %(why)s", file=FILE_NAME, slug=_shown(name), why=line_of(error))
            )
    default = document.get(DEFAULT, "")
    if isinstance(default, dict):
        default = ""  # the table [default] is a problem already
    elif default != "" and (not isinstance(default, str) or default not in entries.keys() | wrong):
        slugs = ", ".join(entries) or english("none")
        problems.append(
            english(
                "%(file)s: %(field)s: no table has this slug; the slugs are: %(slugs)s",
                file=FILE_NAME,
                field=DEFAULT,
                slugs=slugs,
            )
        )
        default = ""
    return ModelList(entries, default, tuple(problems), frozenset(wrong))


def make_entry(slug: str, values: Mapping[str, Any]) -> Entry:
    """Returns a checked entry. Raises ValueError with one line that names the field."""
    try:
        return _entry(slug, dict(values))
    except _Wrong as error:
        raise ValueError(english("[%(slug)s] %(why)s", slug=_shown(slug), why=line_of(error))) from None


def _shown(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:LONGEST_SLUG]


def _entry(slug: str, table: object) -> Entry:
    if not isinstance(table, dict):
        raise _Wrong(
            "table", english("a model is a table: write [%(slug)s] on a line of its own", slug=_shown(slug))
        )
    if slug == DEFAULT or not SLUG.fullmatch(slug) or len(slug) > LONGEST_SLUG:
        raise _Wrong(
            "slug",
            english(
                "use a-z, 0-9 and single dashes, at most %(number)s, not “%(default)s”",
                number=LONGEST_SLUG,
                default=DEFAULT,
            ),
        )
    known = [each.name for each in fields(Entry) if each.name != "slug"]
    for name in table:
        if name not in CHECKS:
            raise _Wrong(
                _shown(name),
                english("there is no such field; the fields are: %(fields)s", fields=", ".join(known)),
            )
    if "source" not in table:
        raise _Wrong("source", english("it is missing: write a folder, a URL with #model, or demo"))
    return Entry(slug, **{name: CHECKS[name](name, value) for name, value in table.items()})


def _source(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise _Wrong(name, english("it must be a text: a folder, a URL with #model, or demo"))
    if len(value) > LONGEST_SOURCE:
        raise _Wrong(
            name,
            english(
                "it has %(number)s characters; at most %(most)s are possible",
                number=len(value),
                most=LONGEST_SOURCE,
            ),
        )
    return value.strip()


def _number(low: int, high: int) -> Callable[[str, object], int]:
    def check(name: str, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise _Wrong(
                name, english("it must be a whole number from %(low)s to %(high)s", low=low, high=high)
            )
        return value

    return check


def _device(name: str, value: object) -> str:
    if not isinstance(value, str) or not DEVICE.fullmatch(value):
        raise _Wrong(name, english("it must be auto, cpu, cuda, or cuda: with a number, as in cuda:1"))
    return value


def _dtype(name: str, value: object) -> str:
    if not isinstance(value, str) or value not in DTYPES:
        raise _Wrong(name, english("it must be one of: %(names)s", names=", ".join(DTYPES)))
    return value


def _key(name: str, value: object) -> str:
    """Refuses anything that may be the key itself, and does not repeat it."""
    is_path = isinstance(value, str) and value.startswith("/") and value.isprintable()
    if not isinstance(value, str) or not (VARIABLE.fullmatch(value) or is_path):
        raise _Wrong(
            name,
            english("it must be the NAME of an environment variable, or the path of a file, not a key"),
        )
    return value


DTYPES = ("auto", "int8", "bfloat16", "float32")
CHECKS: dict[str, Callable[[str, object], Any]] = {
    "source": _source,
    "slots": _number(1, 256),
    "threads": _number(1, 256),
    "context": _number(256, 2**24),
    "device": _device,
    "dtype": _dtype,
    "key": _key,
}


# --- What a worker of an entry gets -----------------------------------------------------------------------


def threads_of(entry: Entry, entries: Mapping[str, Entry], budget: int) -> int:
    """Returns the threads of an entry's worker: its own number, or an equal share of what others leave.

    Models on servers and the demo model count with one thread.
    """
    if entry.threads:
        return entry.threads
    if not entry.needs_threads:
        return 1
    local = [each for each in entries.values() if each.needs_threads]
    sharing = sum(1 for each in local if not each.threads)
    left = budget - sum(each.threads for each in local)
    return max(1, left // max(1, sharing))


def cores() -> int:
    """Returns the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


HUB_SECRETS = frozenset({"HF_TOKEN", "HF_TOKEN_PATH"})
# The secrets of GROKWEB_MODEL.
OWN_SECRETS = HUB_SECRETS | {"GROKWEB_MODEL_KEY", "GROKWEB_MODEL_KEY_FILE"}


def secret_names(entries: Iterable[Entry]) -> frozenset[str]:
    """Returns the names of all variables that hold keys or name their files."""
    return OWN_SECRETS | {entry.key for entry in entries if entry.key and not entry.key.startswith("/")}


def worker_environment(
    entry: Entry,
    environment: Mapping[str, str],
    *,
    demo: str,
    data: Path,
    threads: int,
    secret: Set[str] = OWN_SECRETS,
) -> dict[str, str]:
    """Returns the whole environment of an entry's worker. Raises ValueError for a key that is not there.

    `secret`: names of variables that hold keys. They belong to other servers and are left out, but for the
    hub's token where the model comes from there. Context and dtype of GROKWEB_MODEL do not apply, either.
    """
    left_out = secret | {"GROKWEB_CONTEXT", "GROKWEB_DTYPE"}
    if entry.source.startswith("hf:"):
        left_out = left_out - HUB_SECRETS
    made = {name: value for name, value in environment.items() if name not in left_out}
    made |= {
        "GROKWEB_MODEL": model_of(entry, demo=demo, data=data),
        "GROKWEB_MODEL_SLUG": entry.slug,
        "GROKWEB_THREADS": str(threads),
    }
    numbers = {"GROKWEB_SLOTS": entry.slots, "GROKWEB_CONTEXT": entry.context}
    made |= {name: str(value) for name, value in numbers.items() if value}
    if entry.dtype:
        made["GROKWEB_DTYPE"] = entry.dtype
    if entry.device == "cpu":
        made["CUDA_VISIBLE_DEVICES"] = ""
    elif entry.device.startswith("cuda:"):
        made["CUDA_VISIBLE_DEVICES"] = entry.device.partition(":")[2]
    if entry.key.startswith("/"):
        made["GROKWEB_MODEL_KEY_FILE"] = entry.key
    elif entry.key:
        made["GROKWEB_MODEL_KEY"] = _secret(entry, environment)
    return made


def _secret(entry: Entry, environment: Mapping[str, str]) -> str:
    if not environment.get(entry.key):
        raise ValueError(
            english(
                "%(file)s: [%(slug)s] key: %(name)s is not in the environment: set it where `manage.py up` "
                "is started, or name a file",
                file=FILE_NAME,
                slug=entry.slug,
                name=entry.key,
            )
        )
    return environment[entry.key]


def model_of(entry: Entry, *, demo: str, data: Path) -> str:
    """Returns the value of GROKWEB_MODEL for an entry. A folder that begins with a dot lies in the data
    directory."""
    if entry.source == DEMO:
        return demo
    if entry.source.startswith(("./", "../")):
        return str((data / entry.source).resolve())
    return str(Path(entry.source).expanduser()) if entry.source.startswith("~/") else entry.source
