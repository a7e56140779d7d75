"""Configures notifications that an answer is ready (Web Push); without a key there are none."""

from __future__ import annotations

from chat.push import keys
from grokweb.settings.accounts import DEFAULT_FROM_EMAIL
from grokweb.settings.addresses import SITE_URLS
from inference.base import env
from inference.base.env import InvalidSetting
from inference.base.outbound import Listed
from inference.base.secret_file import read_secret


def configured_key() -> str:
    """Returns the key from the variable or the file; "" for none. Raises InvalidSetting, without the key."""
    key = env.text(
        "GROKWEB_PUSH_KEY",
        "",
        "Private key for notifications that an answer is ready, as `manage.py push_key` makes one. If empty, "
        "there are none.",
    )
    path = env.text("GROKWEB_PUSH_KEY_FILE", "", "File that holds this key, instead of GROKWEB_PUSH_KEY.")
    key = read_secret("GROKWEB_PUSH_KEY", key, path)
    if key:
        _check(f"GROKWEB_PUSH_KEY_FILE={path}" if path else "GROKWEB_PUSH_KEY", key)
    return key


def _check(name: str, key: str) -> None:
    try:
        keys.number(key)
    except keys.UnusableKey:
        raise InvalidSetting(f"{name} is no key: `manage.py push_key` makes one") from None


PUSH_KEY = configured_key()
# How push services reach the operator if something goes wrong; RFC 8292 wants https: or mailto:.
PUSH_CONTACT = next((url for url in SITE_URLS if url.startswith("https://")), f"mailto:{DEFAULT_FROM_EMAIL}")
PUSH_LISTED = Listed()  # no private address is ever allowed: browsers name the endpoints
PUSH_TLS = None  # the usual authorities
PUSH_IN_BACKGROUND = True  # False in tests: sent before the task ends
