"""Configures intervals and time limits of the live path and of the supervisor."""

from __future__ import annotations

from inference.base import env

QUEUE_TIMEOUT = env.number(
    "GROKWEB_QUEUE_TIMEOUT",
    600,
    "Seconds that a reply waits for a model that no worker runs; then it fails.",
    low=1,
    high=86400,
)
# Timings of rule 7 and 9-11; they must agree (chat/turns/checks.py). Drills shorten them.
RECONCILE_SECONDS = env.number(
    "GROKWEB_RECONCILE_SECONDS",
    2,
    "Interval at which live replies are compared with Redis, in seconds.",
    low=0.2,
    high=60,
)
RECONCILE_AGE_SECONDS = env.number(
    "GROKWEB_RECONCILE_AGE_SECONDS",
    5,
    "Age of a live reply, in seconds, from which it is compared with Redis.",
    low=0.2,
    high=60,
)
REDIS_REST_SECONDS = env.number(
    "GROKWEB_REDIS_REST_SECONDS",
    10,
    "Seconds that reconcile waits after Redis started or lost its data; at least GROKWEB_LEASE_SECONDS.",
    low=0.5,
    high=120,
)
CALL_LEASE_SECONDS = env.number(
    "GROKWEB_CALL_LEASE_SECONDS",
    30,  # longer than a write waits for SQLite's lock
    "Seconds after which a call of a tool is lost if the process that runs it does not report it.",
    low=0.5,
    high=300,
)
APPROVAL_SECONDS = env.number(
    "GROKWEB_APPROVAL_SECONDS",
    600,
    "Seconds that a call waits for the person to allow it; then it is not carried out.",
    low=1,
    high=86400,
)
# Drills set it low: they kill one process many times, and each restart must be immediate.
HEALTHY_SECONDS = env.number(
    "GROKWEB_HEALTHY_SECONDS",
    30,
    "Seconds after which a process of `manage.py up` counts as healthy: if it then dies, "
    "it is restarted without delay.",
    low=1,
    high=3600,
)

# Token logs and HTML of shared pages expire in Redis after ten minutes. With this interval they leave its
# file within the fifteen minutes that docs/security.md promises.
ERASURE_SECONDS = env.integer(
    "GROKWEB_ERASURE_SECONDS",
    180,
    "Interval at which erased text is removed from the embedded Redis' file and from "
    "SQLite's log, in seconds.",
    low=1,
    high=240,
)
# The supervisor restarts a web process that no longer works (grokweb/watchdog.py).
WEB_LOOP_SECONDS = env.number(
    "GROKWEB_WEB_LOOP_SECONDS",
    20,
    "Seconds without progress of the web process' event loop, after which `manage.py up` restarts it.",
    low=1,
    high=600,
)
WEB_POOL_SECONDS = env.number(
    "GROKWEB_WEB_POOL_SECONDS",
    120,
    "Seconds in which requests wait and no thread of the web process finishes one, after "
    "which `manage.py up` restarts it.",
    low=1,
    high=3600,
)
BACKUP_CHECK_SECONDS = env.number(
    "GROKWEB_BACKUP_CHECK_SECONDS",
    60,
    "Interval at which the service asks whether a backup is due, in seconds.",
    low=1,
    high=3600,
)
