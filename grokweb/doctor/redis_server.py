"""Checks Redis: version, eviction of keys, what it stores on disk, clock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from django.conf import settings
from django.utils.translation import gettext as _

from grokweb.doctor import clocks
from grokweb.doctor.results import CheckResult, ok, problem, reason, warning

LOWEST = (6, 2)
SECONDS = 3
NO_EVICTION = "noeviction"


@contextmanager
def connected() -> Iterator[Any]:
    url, seconds = settings.REDIS_URL, SECONDS
    with redis.Redis.from_url(
        url, socket_timeout=seconds, socket_connect_timeout=seconds, decode_responses=True
    ) as client:
        yield client


def answers() -> CheckResult:
    try:
        with connected() as client:
            about = client.info("server")
    except (redis.RedisError, ValueError) as error:
        words = _("does not answer (%(why)s): start the service, or correct REDIS_URL")
        return problem(words % {"why": reason(error)})
    name = "Valkey" if "valkey_version" in about else "Redis"
    version = str(about.get("valkey_version") or about["redis_version"])
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    found = {"name": name, "version": version}
    if numbers < LOWEST:
        return problem(_("%(name)s %(version)s is too old: install 6.2 or newer") % found)
    return ok(_("%(name)s %(version)s answers") % found)


def keeps_every_key() -> CheckResult:
    with connected() as client:
        memory = client.info("memory")
        policy = _setting(client, "maxmemory-policy") or str(memory.get("maxmemory_policy", ""))
    if policy != NO_EVICTION:
        words = _(
            "maxmemory-policy is %(policy)s, so replies that are waiting can vanish: set it to noeviction"
        )
        return problem(words % {"policy": policy or "?"})
    limit, used = int(memory.get("maxmemory", 0)), int(memory.get("used_memory", 0))
    if limit and used > 0.8 * limit:
        words = _("%(percent)d %% of maxmemory is in use: raise maxmemory before writes are refused")
        return warning(words % {"percent": 100 * used // limit})
    return ok(_("no key is evicted"))


def retention() -> CheckResult:
    with connected() as client:
        appends = client.info("persistence").get("aof_enabled") == 1
        replicas = int(client.info("replication").get("connected_slaves", 0))
        snapshots = _setting(client, "save")
        rewrites = _setting(client, "auto-aof-rewrite-percentage")
    if not os.environ.get("REDIS_URL"):
        return ok(_("embedded; its append-only file is in the data directory"))
    retained = []
    if appends and rewrites == "0":
        retained.append(
            _("the append-only file is never rewritten by itself (auto-aof-rewrite-percentage 0)")
        )
    if snapshots:
        retained.append(_("snapshots are written (save %(save)s)") % {"save": snapshots})
    if replicas:
        retained.append(_("%(count)d replicas hold copies") % {"count": replicas})
    if retained:
        words = _("%(kept)s: erased text stays there until it is rewritten (BGREWRITEAOF, BGSAVE)")
        return warning(words % {"kept": "; ".join(retained)})
    if not appends:
        words = _("nothing is stored on disk: a restart loses running replies; set appendonly yes")
        return warning(words)
    return ok(
        _(
            "an append-only file, which contains erased text until it is rewritten "
            "(BGREWRITEAOF does it at once)"
        )
    )


def clock() -> CheckResult:
    with connected() as client:

        def there() -> float:
            seconds, micro = client.time()
            return float(seconds) + float(micro) / 1e6

        return clocks.compare(there)


def _setting(client: Any, name: str) -> str:
    """Returns a setting, or "" if the server does not reveal its settings, as hosted ones do."""
    try:
        return str(client.config_get(name).get(name, ""))
    except redis.ResponseError:
        return ""
