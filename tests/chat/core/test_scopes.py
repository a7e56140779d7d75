"""Person and language of a scope come from the cookies that Django itself would read."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

from chat.core import scopes

SESSION = "abcdefghijklmnopqrstuvwxyz012345"


def scope_of(*cookies: str) -> dict[str, Any]:
    return {"headers": [(b"cookie", each.encode("latin-1")) for each in cookies]}


def test_two_session_cookies_count_as_django_reads_them() -> None:
    scopes.remember_person(SESSION, "alice")
    name = settings.SESSION_COOKIE_NAME
    other = "z" * 32
    assert scopes.person_of(scope_of(f"{name}={other}; {name}={SESSION}")) == "alice"
    assert scopes.person_of(scope_of(f"{name}={SESSION}; {name}={other}")) is None
    assert scopes.person_of(scope_of()) is None


@pytest.mark.parametrize("value", ["", "short", "x" * 65, "a b c d e f g h i j", "<script>alert(1)</script>"])
def test_a_cookie_that_no_session_can_have_is_none(value: str) -> None:
    assert scopes.has_session(f"{settings.SESSION_COOKIE_NAME}={SESSION}")
    assert not scopes.has_session(f"{settings.SESSION_COOKIE_NAME}={value}")


def test_the_language_cookie_is_read_beside_cookies_that_are_malformed() -> None:
    name = settings.LANGUAGE_COOKIE_NAME
    assert scopes.language_of(scope_of(f"bad[name]=1; =; {name}=fr")) == "fr"
    assert scopes.language_of(scope_of(f"{name}=xx")) == settings.LANGUAGE_CODE
