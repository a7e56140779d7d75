"""Imports grokweb/settings/ after preparing the environment for tests.

Each pytest process (each xdist worker) has a Redis, a data directory and a database of its own. Processes
that tests start get the ordinary settings, with this environment.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from grokweb.redis_server import EmbeddedRedis

KEPT = {"GROKWEB_CHROMIUM", "GROKWEB_GROK1_TOKENIZER", "GROKWEB_STATIC", "GROKWEB_TEST_COUNTS"}
for _name in list(os.environ):
    if (_name.startswith("GROKWEB_") and _name not in KEPT) or _name in {"PORT", "EMAIL_URL", "REDIS_URL"}:
        del os.environ[_name]

TEST_DIR = Path(tempfile.mkdtemp(prefix="grokweb-test-"))
atexit.register(shutil.rmtree, TEST_DIR, ignore_errors=True)
REDIS = EmbeddedRedis(TEST_DIR / "redis", aof=False)  # tests/conftest.py starts it
os.environ["GROKWEB_DATA"] = str(TEST_DIR / "data")
os.environ["REDIS_URL"] = REDIS.url
os.environ["GROKWEB_MODEL"] = "scripted"
os.environ["GROKWEB_TEST_ENGINES"] = "1"
os.environ["DJANGO_SETTINGS_MODULE"] = "grokweb.settings"  # for the processes that tests start

from grokweb.settings import *  # noqa: E402, F403
from grokweb.settings import DATABASES  # noqa: E402

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["TEST"] = {"NAME": str(TEST_DIR / "test.sqlite3")}  # a file: threads share it
# Static files as they lie in the source, under plain names: nothing has to be collected.
STATIC_ROOT = TEST_DIR / "static"
STATIC_ROOT.mkdir()
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
