"""Configures where data lie, where the web process listens, and the key that signs."""

from __future__ import annotations

import os
import secrets

from grokweb import data_directory
from inference import settings as live
from inference.base import env
from inference.base.env import InvalidSetting

BASE_DIR = live.BASE_DIR
DATA_DIR, RUN_DIR = live.DATA_DIR, live.RUN_DIR
try:
    data_directory.make(DATA_DIR)
except OSError as error:
    raise InvalidSetting(f"GROKWEB_DATA: {DATA_DIR}: {error.strerror}") from None
BIND = env.text(
    "GROKWEB_BIND", "127.0.0.1", "Address on which the web process listens; 0.0.0.0 for all interfaces."
)
PORT = env.integer("PORT", 8000, "TCP port of the web process.", low=1, high=65535)


def _secret_key() -> str:
    """Returns the configured key, or one generated once and stored in the data directory (mode 0600)."""
    configured = env.text(
        "GROKWEB_SECRET_KEY",
        "",
        "Key that signs sessions and links. If empty, one is generated in the data directory.",
    )
    if configured:
        return configured
    path = DATA_DIR / "secret_key"
    if not path.exists():
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            try:
                with os.fdopen(handle, "w") as file:
                    file.write(secrets.token_urlsafe(48))
            except OSError:  # a full disk: half a key must not be taken for one later
                path.unlink()
                raise
    return path.read_text().strip()


SECRET_KEY = _secret_key()
DEBUG = env.flag(
    "GROKWEB_DEBUG", False, "1: show Django's debug pages. Never on a host that others can reach."
)
