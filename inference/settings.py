"""What the web side and the model workers must agree on; read once, without Django's settings.

A GPU host runs `celery -A inference.worker worker` with REDIS_URL and GROKWEB_MODEL and nothing else.
"""

from __future__ import annotations

from pathlib import Path

from grokweb import env

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(
    env.text(
        "GROKWEB_DATA", str(BASE_DIR / "data"), "Directory of the database, Redis' file, pids and the key"
    )
).resolve()
RUN_DIR = DATA_DIR / "run"


def _redis_url() -> str:
    configured = env.text("REDIS_URL", "", "Redis 6.2 or newer; embedded (under `manage.py up`) if empty")
    published = RUN_DIR / "redis.url"  # written by the supervisor, so that other commands find it
    if not configured and published.exists():
        configured = published.read_text().strip()
    return configured or "redis://127.0.0.1:6379/0"


REDIS_URL = _redis_url()
REDIS_PREFIX = env.text(
    "GROKWEB_REDIS_PREFIX", "gw", "Prefix of every Redis key, so that two services can share one"
)

MODEL = env.text(
    "GROKWEB_MODEL",
    str(BASE_DIR / "inference" / "demo" / "model"),
    "Directory of the model, or `scripted` in tests",
)
TEST_ENGINES = env.flag("GROKWEB_TEST_ENGINES", False, "Allows GROKWEB_MODEL=scripted; /healthz then says so")
SLOTS = env.integer("GROKWEB_SLOTS", 4, "Generations one model worker runs at once", low=1, high=256)
THREADS = env.integer("GROKWEB_THREADS", 1, "CPU threads of the engine", low=1, high=256)
CACHE_MB = env.integer(
    "GROKWEB_CACHE_MB",
    256,
    "Memory to keep the beginnings of conversations for their next turn, beside the slots'",
    low=0,
    high=2**24,
)
NATIVE = env.flag("GROKWEB_NATIVE", True, "Run Grok-1 in C++ on a CPU that fits what was built; 0: in torch")

TITLES = env.flag(
    "GROKWEB_TITLES", True, "Titles of new conversations by the model, where its folder does not forbid it"
)

# Timings of rules 7 to 11 in docs/live-path.md. They must agree; drills shorten them.
LEASE_SECONDS = env.number(
    "GROKWEB_LEASE_SECONDS", 5, "Life of a worker's lease on a reply", low=0.5, high=60
)
RENEW_SECONDS = LEASE_SECONDS / 5
HANDOVER_SECONDS = env.number(
    "GROKWEB_HANDOVER_SECONDS",
    8,
    "How long a stopping model worker goes on before it hands over",
    low=0,
    high=60,
)
HANG_SECONDS = env.number(
    "GROKWEB_HANG_SECONDS",
    20,
    "Engine at work without a step for this long: its process ends",
    low=1,
    high=600,
)
LOG_KEEP_SECONDS = env.integer(
    "GROKWEB_LOG_KEEP_SECONDS", 600, "Life of a token log after its text was saved", low=1, high=86400
)
LOG_FORMAT = env.choice(
    "GROKWEB_LOG_FORMAT", "json", "json or logfmt (key=value), one line a record", among=("json", "logfmt")
)
LOG_LEVEL = env.text("GROKWEB_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR")
