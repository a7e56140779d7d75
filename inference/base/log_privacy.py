"""Keeps text written by users out of log records, whichever library logs them.

A record keeps what the code says (templates, types, locations, numbers) and loses what a request or a
database put into it. Our own loggers may also log short strings, which are ids and codes; exceptions lose
their message everywhere, unless it is known to come from the code or the operating system.
"""

from __future__ import annotations

import ast
import copy
import logging
import os
import re
import sys
import traceback
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import UUID

HIDDEN = "…"
OWN = {"grokweb", "chat", "inference"}  # first part of our loggers' names
STANDARD = {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"}
# Keys that a Celery record may keep: names and ids that the code gives, never arguments or results.
CELERY_KEYS = {"name", "id", "hostname", "runtime"}
PHRASES = {status.phrase for status in HTTPStatus}  # "Not Found"
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
CHAIN_LENGTH = 8

# Messages of databases and of Redis that hold names of the schema or of the server and nothing of a request.
SAFE_MESSAGES = re.compile(
    r"database is locked|database table is locked|disk I/O error|database or disk is full"
    r"|attempt to write a readonly database|database disk image is malformed|unable to open database file"
    r"|no such (?:table|column): [\w.]+"
    r"|(?:UNIQUE|NOT NULL|CHECK) constraint failed: [\w., ]+"
    r"|FOREIGN KEY constraint failed"
    r"|Error -?\d+ connecting to [\w.:/\[\]-]+\. [\w ]+\.?|Timeout (?:reading from|connecting to) [\w.:-]+"
)
# Redis begins an error with a code; the rest may quote what it was sent.
REDIS_CODE = re.compile(r"[A-Z]{2,20}\b")
WARNING_PLACE = re.compile(r"(.+?:\d+: \w+): ", re.DOTALL)


def private(record: logging.LogRecord) -> logging.LogRecord:
    """Returns a copy of `record` that can be written: text, fields and traceback without values."""
    own = record.name.partition(".")[0] in OWN
    made = copy.copy(record)
    event, from_code = _message(record, own)
    made.msg, made.args = event, None
    made.exc_info = made.exc_text = made.stack_info = None
    for name, value in record.__dict__.items():
        if name not in STANDARD:
            made.__dict__.pop(name)
            if own:
                made.__dict__[name] = safe_value(value, own=True)
    made.__dict__.update(_request_fields(record))
    error = record.exc_info[1] if record.exc_info else None
    if error is None and not from_code:
        error = sys.exc_info()[1]  # some libraries log a formatted traceback as the text
    if error is not None:
        made.__dict__["exception"] = format_error(error)
    return made


def _message(record: logging.LogRecord, own: bool) -> tuple[str, bool]:
    """Returns the text of a record, and whether it comes from the code.

    A text without arguments may have been put together from values, so that a library's must stand in its
    source as it is.
    """
    template: Any = record.msg
    place = f"{HIDDEN} ({Path(record.pathname).name}:{record.lineno})"
    if record.name == "py.warnings" and record.args:
        found = WARNING_PLACE.match(str(record.args[0]))  # type: ignore[index]
        return (found[1] if found else place), True
    if not isinstance(template, str):
        error = getattr(template, "value", template)  # Twisted's Failure
        return (describe(error) if isinstance(error, BaseException) else place), False
    if not own and template not in constants_of(record.pathname) and template.strip() not in KNOWN_TEMPLATES:
        return place, False
    if not record.args:
        return template, True
    try:
        return template % _safe_arguments(record, own), True
    except (TypeError, ValueError, KeyError):
        return template, True


def _safe_arguments(record: logging.LogRecord, own: bool) -> Any:
    if isinstance(record.args, dict):
        allowed = CELERY_KEYS if record.name.startswith("celery") else set()
        return {
            key: value if key in allowed else safe_value(value, own=own) for key, value in record.args.items()
        }
    return tuple(safe_value(value, own=own) for value in record.args or ())


def safe_value(value: Any, *, own: bool) -> Any:
    """Returns a value as a record may hold it: numbers, ids, types of exceptions, strings of our own code."""
    if value is None or isinstance(value, bool | int | float | UUID):
        return value
    if isinstance(value, BaseException):
        return describe(value)
    if isinstance(value, str) and value in PHRASES:
        return value
    if own and isinstance(value, list | tuple | set):
        return [safe_value(each, own=True) for each in value]
    if own and isinstance(value, dict):
        return {key: safe_value(each, own=True) for key, each in value.items()}
    return str(value) if own else HIDDEN


def _request_fields(record: logging.LogRecord) -> dict[str, Any]:
    """Returns status and route of the request that Django reports, instead of its address."""
    request = getattr(record, "request", None)
    if request is None:
        return {}
    fields: dict[str, Any] = {"route": route_of(request)}
    method = getattr(request, "method", None)
    if method in METHODS:
        fields["method"] = method
    if isinstance(status := getattr(record, "status_code", None), int):
        fields["status"] = status
    return fields


def route_of(request: Any) -> str:
    """Returns the pattern that the request's address matched, such as `s/<str:token>/`; empty without one."""
    match = getattr(request, "resolver_match", None)
    return str(getattr(match, "route", "") or "")


# --- exceptions -------------------------------------------------------------------------------------------


def describe(error: BaseException) -> str:
    """Returns the type of an exception, and its message if that is known to hold nothing of a request."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    message = safe_message(error)
    return f"{name}: {message}" if message else name


def safe_message(error: BaseException) -> str:
    if isinstance(error, OSError) and isinstance(error.errno, int):
        return f"[Errno {error.errno}] {os.strerror(error.errno)}"
    if type(error).__name__ in {"InvalidSetting", "ImproperlyConfigured", "SystemExit"}:
        return str(error)
    if sqlstate := getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None):
        return f"SQLSTATE {sqlstate}"
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a message that cannot be made is no message
        return ""
    if SAFE_MESSAGES.fullmatch(text.strip()):
        return text.strip()
    if type(error).__module__.partition(".")[0] == "redis" and (code := REDIS_CODE.match(text)):
        return code[0]
    return text if text in constants_of(_raised_in(error.__traceback__)) else ""


def _raised_in(trace: TracebackType | None) -> str:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename if trace is not None else ""


def format_error(error: BaseException) -> str:
    """Formats a traceback with its causes: files, lines and code, types, and only safe messages."""
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(seen) < CHAIN_LENGTH:
        seen.add(id(current))
        stack = "".join(traceback.StackSummary.extract(traceback.walk_tb(current.__traceback__)).format())
        ending = [describe(current)]
        if isinstance(current, BaseExceptionGroup):
            ending += [f"  with {describe(each)}" for each in current.exceptions[:CHAIN_LENGTH]]
        parts.append("Traceback (most recent call last):\n" + stack + "\n".join(ending))
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)
    return "\n\nwhich came after:\n\n".join(parts)


@lru_cache(maxsize=512)
def constants_of(path: str) -> frozenset[str]:
    """Returns every string literal of a source file; empty for anything but a readable file of Python."""
    if not path.endswith(".py"):
        return frozenset()
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return frozenset()
    found = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return frozenset(found - {""})


# Celery and Django pass these through a function in another module than the one that holds them.
KNOWN_TEMPLATES = {
    "Task %(name)s[%(id)s] received",
    "Task %(name)s[%(id)s] succeeded in %(runtime)ss: %(return_value)s",
    "Task %(name)s[%(id)s] %(description)s: %(exc)s",
    "Task %(name)s[%(id)s] retry: %(exc)s",
    "%s: %s",
    "Not Found: %s",
    "Gone: %s",
    "Method Not Allowed (%s): %s",
    "Forbidden (%s): %s",
    "Forbidden (Permission denied): %s",
    "Bad request (Unable to parse request body): %s",
    "Internal Server Error: %s",
}
