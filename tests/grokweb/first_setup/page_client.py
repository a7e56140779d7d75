"""Sends steps to the setup page, and reads what it says."""

from __future__ import annotations

import re
from typing import Any

from django.test import Client

from chat.core.models import StaffAction

PAGE = "/admin/setup/"


SECRET = "sk-never-shown-4711"


def post(client: Client, step: str, **fields: str) -> Any:
    return client.post(PAGE, {"step": step, **fields})


def line(response: Any) -> str:
    """Returns the one line with which a step was refused."""
    [found] = re.findall(r'<p class="errornote"[^>]*>(.*?)</p>', response.content.decode())
    return str(found)


def verbs() -> list[str]:
    return [row.verb for row in StaffAction.objects.order_by("pk")]
