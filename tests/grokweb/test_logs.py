"""Tests what logs must not contain."""

from __future__ import annotations

import io
import json
import logging
import secrets
import smtplib
import sys
import traceback
from types import TracebackType
from typing import Any

import pytest
import redis
from django.core.exceptions import ValidationError
from django.db import IntegrityError, OperationalError
from django.test import Client

from grokweb.process_log import read_line
from grokweb.raw_output import RawOutputFilter
from inference.base.logs import line_formatter

LogRecordError = tuple[type[BaseException], BaseException, TracebackType]

pytestmark = pytest.mark.django_db


def test_a_refused_request_is_logged_by_its_route(client: Client) -> None:
    """Its address may contain the token of a shared link, which opens the page."""
    token = secrets.token_urlsafe(24)
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(line_formatter())
    logger = logging.getLogger("django.request")
    logger.addHandler(handler)
    try:
        client.get(f"/s/{token}/")
        client.get(f"/s/{token}/report/")
    finally:
        logger.removeHandler(handler)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [(each["event"], each["route"], each["status"]) for each in lines] == [
        ("Not Found: …", "s/<slug:token>/", 404),
        ("Method Not Allowed (…): …", "s/<slug:token>/report/", 405),
    ]
    assert token not in written.getvalue()


def record(**extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "grokweb.x", "levelname": "WARNING", "levelno": 30})
    made.msg = 'it said "no" twice'
    made.__dict__.update(extra)
    return made


@pytest.mark.parametrize("style", ["json", "logfmt"])
def test_the_supervisor_reads_both_kinds_of_line(style: str) -> None:
    line = line_formatter(style).format(record(generation="g-1", model="m"))
    assert "\n" not in line
    level, event = read_line(line)
    assert level == "warning"
    assert event.replace("\\", "") == 'it said "no" twice'


def test_a_line_has_keys_and_values() -> None:
    line = line_formatter("logfmt").format(record(generation="g-1", tokens=3))
    assert line.endswith(
        r'level=warning logger=grokweb.x event="it said \"no\" twice" generation=g-1 tokens=3'
    )
    assert line.startswith("timestamp=")


# --- what a record may not hold, whoever logs it ----------------------------------------------------------

CANARY = f"zebrafinch{secrets.token_hex(4)}"  # no constant of this file


def failed(error: Exception, cause: Exception | None = None) -> LogRecordError:
    try:
        raise error from cause
    except type(error):
        return sys.exc_info()  # type: ignore[return-value]


def logged(
    name: str,
    message: object,
    *args: object,
    error: LogRecordError | None = None,
    **extra: object,
) -> dict[str, Any]:
    """Returns the line of a record that a module logs."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(line_formatter())
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    try:
        logger.error(message, *args, exc_info=error, extra=extra)
    finally:
        logger.removeHandler(handler)
    line: dict[str, Any] = json.loads(written.getvalue())
    return line


@pytest.mark.parametrize(
    "error",
    [
        ValueError(CANARY),
        KeyError(CANARY),
        UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY),
        OSError(2, "no such file", f"/{CANARY}"),
        redis.ResponseError(f"unknown command '{CANARY}'"),
        IntegrityError(f"Key (email)=({CANARY}) already exists."),
        OperationalError(f'fts5: syntax error near "{CANARY}"'),
        ValidationError(f"{CANARY} is not an address"),
        smtplib.SMTPRecipientsRefused({CANARY: (550, CANARY.encode())}),
        ExceptionGroup(CANARY, [ValueError(CANARY), KeyError(CANARY)]),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("name", ["grokweb.x", "chat.x", "django.request", "celery.app.trace", "asyncio"])
def test_an_exception_is_logged_by_type_and_place(name: str, error: Exception) -> None:
    line = logged(name, "it failed: %s", error, error=failed(RuntimeError(CANARY), failed(error)[1]))  # type: ignore[arg-type]
    assert CANARY not in json.dumps(line)
    assert type(error).__name__ in line["exception"]
    assert "test_logs.py" in line["exception"]


def test_texts_from_the_source_code_are_logged() -> None:
    line = logged(
        "grokweb.x", "not mended: %s of %d", "id-1", 3, error=failed(ValueError("the code says so"))
    )
    assert line["event"] == "not mended: id-1 of 3"
    assert line["exception"].endswith("ValueError: the code says so")
    assert (
        "Connection refused"
        in logged("chat.x", "no answer: %s", ConnectionRefusedError(111, CANARY))["event"]
    )
    locked = logged("chat.x", "not looked: %s", OperationalError("database is locked"))
    assert locked["event"].endswith("OperationalError: database is locked")


def test_a_library_s_template_and_numbers_are_logged_without_its_texts() -> None:
    line = logged("kombu.x", "refused %s after %d of %r", CANARY, 7, {"body": CANARY}, data={"args": CANARY})
    assert line["event"] == "refused … after 7 of '…'"
    assert "data" not in line
    for text in (f"Task exception was never retrieved {CANARY}", ValueError(CANARY), [CANARY]):
        assert CANARY not in json.dumps(logged("asyncio", text))


def test_a_library_that_logs_a_traceback_as_text_gets_a_real_one() -> None:
    try:
        int(CANARY)
    except ValueError:
        line = logged("daphne.x", traceback.format_exc())
    assert CANARY not in json.dumps(line)
    assert line["exception"].endswith("ValueError")


def test_a_traceback_that_a_child_prints_loses_its_message() -> None:
    printed = f"""before
Traceback (most recent call last):
  File "a.py", line 3, in b
    int(text)
ValueError: invalid literal: {CANARY}
  more of {CANARY}
DETAIL: {CANARY}

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 5, in b
django.core.exceptions.ImproperlyConfigured: PORT='x' is not a whole number
{{"event": "after"}}
/x/y.py:3: UserWarning: {CANARY}
plain"""
    raw = RawOutputFilter()
    kept = [line for each in printed.splitlines() if (line := raw.clean(each)) is not None]
    assert CANARY not in "\n".join(kept)
    assert kept[0] == "before"
    assert "ValueError" in kept
    assert "django.core.exceptions.ImproperlyConfigured: PORT='x' is not a whole number" in kept
    assert kept[-3:] == ['{"event": "after"}', "/x/y.py:3: UserWarning", "plain"]
