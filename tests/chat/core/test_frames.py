"""Frames for an answer's code are closed whoever opens their address."""

from __future__ import annotations

import re

import pytest
from django.test import Client

PATHS = ("/frame/preview/", "/frame/diagram/")


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_a_frame_is_cut_off_from_everything(client: Client, path: str) -> None:
    answer = client.get(path)
    policy = dict(each.strip().partition(" ")[::2] for each in answer["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["sandbox"] == "allow-scripts"
    assert policy["form-action"] == policy["base-uri"] == "'none'"
    assert policy["frame-ancestors"] == "'self'"
    assert "connect-src" not in policy
    assert "http" not in answer["Content-Security-Policy"]
    assert answer["Connection-Allowlist"] == ("()" if "preview" in path else "(response-origin)")
    assert "X-Frame-Options" not in answer
    assert not answer.cookies


@pytest.mark.django_db
def test_only_the_diagrams_own_scripts_run(client: Client) -> None:
    first, second = (client.get("/frame/diagram/") for _ in range(2))
    [nonce] = re.findall(r"script-src 'nonce-([\w-]+)';", first["Content-Security-Policy"])
    assert f'nonce="{nonce}"' in first.content.decode()
    assert nonce not in second["Content-Security-Policy"]


@pytest.mark.django_db
def test_pages_hold_no_other_frame(client: Client) -> None:
    policy = client.get("/accounts/login/")["Content-Security-Policy"]
    [sources] = re.findall(r"frame-src ([^;]+)", policy)
    assert all(re.fullmatch(r"https?://[^/]+/frame/", each) for each in sources.split())
