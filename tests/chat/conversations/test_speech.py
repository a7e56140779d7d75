"""The operator decides whether the page offers the browser's own speech services."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

pytestmark = pytest.mark.django_db


def given(cast: Any) -> tuple[dict[str, Any], str]:
    html = cast.client("alice").get("/").content.decode()
    found = re.search(r'<script id="page" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found[1]), html


def test_speech_is_offered(cast: Any, model_card: Any) -> None:
    page, html = given(cast)
    assert page["speech"] is True
    assert "data-dictate" in html


def test_speech_is_removed(cast: Any, model_card: Any, settings: Any) -> None:
    """Without it the page neither dictates nor reads aloud (static/js/view/speech.js)."""
    settings.SPEECH = False
    page, html = given(cast)
    assert page["speech"] is False
    assert "data-dictate" not in html
