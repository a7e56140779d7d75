"""Attaching over HTTP. Nothing runs Celery here: `read` does what the jobs worker would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from chat.files import read_jobs
from tests.chat.cast import Cast
from tests.chat.files.uploading import put


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """Files that a worker was asked to read."""
    found: list[UUID] = []
    monkeypatch.setattr(read_jobs, "ask_to_read", found.append)
    return found


@pytest.fixture
def attached(
    cast: Cast, asked: list[UUID], django_capture_on_commit_callbacks: Any
) -> Callable[..., dict[str, Any]]:
    """`attached(b"...")`: alice's file as JSON, read by the real child process."""

    def attach(content: bytes, name: str = "notes.txt", who: str = "alice") -> dict[str, Any]:
        with django_capture_on_commit_callbacks(execute=True):
            answer = put(cast.client(who), content, name)
        assert answer.status_code == 201, answer.content
        pk = answer.json()["file"]["id"]
        assert asked == [UUID(pk)]
        read_jobs.read(asked.pop())
        return cast.client(who).get(f"/api/files/{pk}/").json()["file"]

    return attach
