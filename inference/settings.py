"""Holds the settings of the model workers, some of which the web side reads too; read once, without Django.

A GPU host runs `python -m inference.worker` with REDIS_URL and GROKWEB_MODEL and nothing else.
"""

from __future__ import annotations

from pathlib import Path

from inference.base import env

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(
    env.text(
        "GROKWEB_DATA",
        str(BASE_DIR / "data"),
        "Directory of the SQLite file, attached files, Redis' file, logs and the signing key.",
    )
).resolve()
RUN_DIR = DATA_DIR / "run"
REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


def _redis_url() -> str:
    configured = env.text(
        "REDIS_URL",
        "",
        "A Redis of your own, 6.2 or newer: redis://:password@host:6379/0. If empty, "
        "`manage.py up` starts one.",
    )
    published = RUN_DIR / "redis.url"  # written by the supervisor, so that other commands find it
    if not configured and published.exists():
        configured = published.read_text().strip()
    if configured and not configured.startswith(REDIS_SCHEMES):  # it may hold a password, so it is not shown
        raise env.InvalidSetting(f"REDIS_URL begins with none of: {', '.join(REDIS_SCHEMES)}")
    return configured or "redis://127.0.0.1:6379/0"


REDIS_URL = _redis_url()
REDIS_PREFIX = env.text(
    "GROKWEB_REDIS_PREFIX", "gw", "Prefix of every Redis key, so that two installations can share a server."
)

DEMO_MODEL = str(BASE_DIR / "inference" / "demo" / "model")
MODEL = env.text(
    "GROKWEB_MODEL",
    DEMO_MODEL,
    "Directory of the model, `hf:owner/name` for one that is fetched from a hub, `URL#model` for an "
    "OpenAI-compatible server, or `<engine>:<model>` for an added engine; `scripted` in tests.",
)
MODEL_SLUG = env.text(
    "GROKWEB_MODEL_SLUG",
    "",
    "Slug of the model. If empty, its folder or its server's name for it decides. `manage.py up` sets it.",
)
MODEL_KEY = env.text(
    "GROKWEB_MODEL_KEY", "", "Key for the model's server, sent as a bearer token; see GROKWEB_MODEL."
)
MODEL_KEY_FILE = env.text(
    "GROKWEB_MODEL_KEY_FILE",
    "",
    "File that holds the key for the model's server, instead of GROKWEB_MODEL_KEY.",
)
HF_ENDPOINT = env.text(
    "HF_ENDPOINT",
    "https://huggingface.co",
    "Hub that models are fetched from by name (`hf:owner/name`), or a mirror of it.",
)
HF_TOKEN = env.text("HF_TOKEN", "", "Token of an account of the hub, for models that not everybody may read.")
HF_TOKEN_PATH = env.text("HF_TOKEN_PATH", "", "File that holds the token, instead of HF_TOKEN.")
HUB_HOSTS = env.words(
    "GROKWEB_HUB_HOSTS",
    "",
    "Hosts, addresses or networks, separated by commas, that a hub may redirect downloads to although they "
    "are private, such as files.lan:8080. Public ones need no entry.",
)
SERVER_FIRST_SECONDS = env.number(
    "GROKWEB_SERVER_FIRST_SECONDS",
    600,
    "Seconds that a model's server may take until the first token: long prompts take minutes to read.",
    low=1,
    high=86400,
)
SERVER_NEXT_SECONDS = env.number(
    "GROKWEB_SERVER_NEXT_SECONDS",
    120,
    "Seconds that a model's server may take from one token to the next.",
    low=1,
    high=86400,
)
SERVER_PLAIN_HTTP = env.flag(
    "GROKWEB_SERVER_PLAIN_HTTP",
    False,
    "1: allow http:// to a model's server at a public address. What people write, and the key, can then be "
    "read on the way.",
)
TEST_ENGINES = env.flag(
    "GROKWEB_TEST_ENGINES", False, "1: allow GROKWEB_MODEL=scripted, for tests; /healthz reports it."
)
SLOTS = env.integer(
    "GROKWEB_SLOTS", 4, "Replies that one model worker computes at the same time.", low=1, high=256
)
THREADS = env.integer(
    "GROKWEB_THREADS",
    1,
    "CPU threads of an engine. `manage.py up` divides them among its models, or without it all processors.",
    low=1,
    high=256,
)
CACHE_MB = env.integer(
    "GROKWEB_CACHE_MB",
    256,
    "Memory in MB for the key-value cache of finished replies, which makes the next turn "
    "of a conversation faster; in addition to the slots.",
    low=0,
    high=2**24,
)
CONTEXT = env.integer(
    "GROKWEB_CONTEXT",
    0,
    "Longest prompt with its answer, in tokens. 0: as long as the model and the memory allow.",
    low=0,
    high=2**24,
)
DTYPE = env.choice(
    "GROKWEB_DTYPE",
    "auto",
    "Numbers of the weights of a folder that transformers runs: float32, bfloat16, int8 (matrices in 8 bits) "
    "or auto (as stored; small bfloat16 models in float32). Grok-1 folders are served as stored.",
    among=("auto", "float32", "bfloat16", "int8"),
)
NATIVE = env.flag(
    "GROKWEB_NATIVE", True, "1: compute Grok-1 in C++ on CPUs that support what was compiled. 0: use torch."
)

TITLES = env.flag(
    "GROKWEB_TITLES",
    True,
    "1: the model generates titles for new conversations, unless its directory forbids it.",
)

# Timings of rules 7 to 11 in docs/live-path.md. They must agree; drills shorten them.
LEASE_SECONDS = env.number(
    "GROKWEB_LEASE_SECONDS",
    5,
    "Life of a model worker's lease on a reply, in seconds. A worker that does not renew "
    "it is considered dead.",
    low=0.5,
    high=60,
)
RENEW_SECONDS = LEASE_SECONDS / 5
HANDOVER_SECONDS = env.number(
    "GROKWEB_HANDOVER_SECONDS",
    8,
    "Seconds that a stopping model worker continues before it returns unfinished replies to the queue.",
    low=0,
    high=60,
)
HANG_SECONDS = env.number(
    "GROKWEB_HANG_SECONDS",
    20,
    "Seconds without a step of a busy engine, after which its process is ended.",
    low=1,
    high=600,
)
LOG_KEEP_SECONDS = env.integer(
    "GROKWEB_LOG_KEEP_SECONDS",
    600,
    "Life of a token log in Redis after its reply was saved, in seconds.",
    low=1,
    high=86400,
)
LOG_FORMAT = env.choice(
    "GROKWEB_LOG_FORMAT", "json", "Format of log lines: json or logfmt (key=value).", among=("json", "logfmt")
)
LOG_LEVEL = env.choice(
    "GROKWEB_LOG_LEVEL",
    "INFO",
    "Least severity that is logged.",
    among=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
)
