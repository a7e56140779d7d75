"""Configures database, cache, channel layer and broker."""

from __future__ import annotations

from urllib.parse import urlsplit

import environ

from grokweb.settings.places import DATA_DIR
from inference import settings as live
from inference.base import env
from inference.base.env import InvalidSetting

REDIS_URL, REDIS_PREFIX = live.REDIS_URL, live.REDIS_PREFIX

DATABASE_SCHEMES = ("sqlite", "postgres", "postgresql", "psql", "pgsql")
DATABASE_URL = env.text(
    "DATABASE_URL",
    f"sqlite:///{DATA_DIR / 'grokweb.sqlite3'}",
    "SQLite file, or postgres://user:password@host/name.",
)
if urlsplit(DATABASE_URL).scheme not in DATABASE_SCHEMES:  # the value may hold a password: it is not shown
    raise InvalidSetting(
        f"DATABASE_URL begins with none of: {', '.join(f'{each}://' for each in DATABASE_SCHEMES)}"
    )
DATABASES = {"default": environ.Env.db_url_config(DATABASE_URL)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",  # a writer waits instead of failing in the middle of its transaction
        "timeout": 20,
        # secure_delete: what was deleted is overwritten in the file, not only left out of it.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA mmap_size=134217728; "
        "PRAGMA secure_delete=ON;",
    }
else:
    # Every page is answered in a thread of its own, which would leave its connection open; those of
    # the pool are borrowed, checked and returned.
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {"min_size": 1, "max_size": 16, "timeout": 10}
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": REDIS_PREFIX,
        "OPTIONS": {
            "serializer": "grokweb.cache.JSONSerializer",
            "pool_class": "grokweb.cache.ProcessPool",
        },
    }
}
# Control events only (the sidebar, a socket to close). Tokens never pass here (rule 4).
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "socket_timeout": None}],
            "prefix": f"{REDIS_PREFIX}:layer",
        },
    }
}

# Celery has JSON only, acknowledges early and stores no results (rule 6).
CELERY_BROKER_URL = REDIS_URL
