"""Uploads a file as the page does."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

Answer = Any


def put(client: Client, content: bytes, name: str = "notes.txt", kind: str = "text/plain") -> Answer:
    return client.post("/api/files/", {"file": SimpleUploadedFile(name, content, content_type=kind)})
