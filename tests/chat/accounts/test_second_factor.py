"""The settings say whether the second step of the login is switched on."""

from __future__ import annotations

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

from tests.chat.cast import Cast


@pytest.mark.django_db
def test_the_settings_say_whether_it_is_on(cast: Cast) -> None:
    alice = cast.client("alice")
    assert "switched off" in alice.get("/settings/").content.decode()
    TOTP.activate(cast.alice, generate_totp_secret())
    page = alice.get("/settings/").content.decode()
    assert "switched on" in page
    assert "switched off" not in page
    assert "switched off" in cast.client("bob").get("/settings/").content.decode()
