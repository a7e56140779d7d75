"""Every setting with its reason. Values come from the environment through grokweb/env.py."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from grokweb import data_folder, env
from grokweb.logs import celery_level
from inference import settings as live

BASE_DIR = live.BASE_DIR

# --- Places -----------------------------------------------------------------------------------------------
DATA_DIR, RUN_DIR = live.DATA_DIR, live.RUN_DIR
try:
    data_folder.make(DATA_DIR)
except OSError as error:
    raise ImproperlyConfigured(f"GROKWEB_DATA: {DATA_DIR}: {error.strerror}") from None
BIND = env.text("GROKWEB_BIND", "127.0.0.1", "Address the web process listens on")
PORT = env.integer("PORT", 8000, "Port of the web process", low=1, high=65535)


def _secret_key() -> str:
    """The configured key, else one made once and kept in the data directory, readable by its owner alone."""
    configured = env.text("GROKWEB_SECRET_KEY", "", "Signing key; made once in the data directory if empty")
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
DEBUG = env.flag("GROKWEB_DEBUG", False, "Django's debug pages; never on a reachable host")

# --- Where browsers come from -----------------------------------------------------------------------------
# The addresses people type. The first one is used in links; the websocket's Origin must be one of them.
SITE_URLS = env.words(
    "GROKWEB_URLS",
    f"http://localhost:{PORT},http://127.0.0.1:{PORT}",
    "Addresses people use, comma-separated, scheme included; the first is used in links",
)
for _url in SITE_URLS:
    if urlsplit(_url).scheme not in {"http", "https"} or not urlsplit(_url).hostname:
        raise ImproperlyConfigured(f"GROKWEB_URLS: {_url!r} is not like https://chat.example.org")
# The loopback names are for health checks from the host itself.
ALLOWED_HOSTS = sorted({*(str(urlsplit(url).hostname) for url in SITE_URLS), "localhost", "127.0.0.1"})
CSRF_TRUSTED_ORIGINS = SITE_URLS
HTTPS = all(url.startswith("https://") for url in SITE_URLS)
BEHIND_PROXY = env.flag("GROKWEB_BEHIND_PROXY", False, "Trust X-Forwarded-Proto of a reverse proxy in front")
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
HSTS = env.flag(
    "GROKWEB_HSTS",
    False,
    "Send http to https, and tell browsers to use nothing else for a year; needs a TLS proxy in front",
)
if HSTS and not (HTTPS and BEHIND_PROXY):
    raise ImproperlyConfigured(
        "GROKWEB_HSTS=1 needs https:// in all of GROKWEB_URLS, and GROKWEB_BEHIND_PROXY=1: "
        "this process sees only from X-Forwarded-Proto that a browser came by https"
    )

# --- Redis, database --------------------------------------------------------------------------------------
REDIS_URL, REDIS_PREFIX = live.REDIS_URL, live.REDIS_PREFIX

DATABASE_URL = env.text(
    "DATABASE_URL",
    f"sqlite:///{DATA_DIR / 'grokweb.sqlite3'}",
    "SQLite file or postgres://user:password@host/name",
)
DATABASES = {"default": environ.Env.db_url_config(DATABASE_URL)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",  # a writer waits for its turn instead of failing half-way
        "timeout": 20,
        # secure_delete: what was deleted is overwritten in the file, not only left out of it.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA mmap_size=134217728; "
        "PRAGMA secure_delete=ON;",
    }
else:
    # Every page is answered in a thread of its own, so a connection kept by its thread would be left behind;
    # the pool's are lent, checked and given back.
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
# Control events only (the sidebar, a socket to close). Tokens never pass here: DESIGN rule 3.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "socket_timeout": None}],
            "prefix": f"{REDIS_PREFIX}:layer",
        },
    }
}

# --- Applications -----------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "daphne",
    "chat.core.site_config.SiteConfig",  # django.contrib.admin, with this service's rules
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "csp",
    "channels",
    "django_prometheus",
    "chat.core",
    "chat.accounts",
    "chat.conversations",
    "chat.search",
    "chat.quotas",
    "chat.moderation",
    "chat.feedback",
    "chat.files",
    "chat.voice",
    "chat.turns",
    "chat.sharing",
    "chat.transfer",
    "chat.leaving",
    "chat.desk",
    "grokweb",
]
MIDDLEWARE = [
    "chat.sharing.middleware.UnlistedMiddleware",
    "chat.core.addresses.AddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "chat.core.middleware.PrivateMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "chat.accounts.middleware.LanguageMiddleware",
    "chat.accounts.middleware.SeenMiddleware",
    "chat.accounts.middleware.KnownMiddleware",
    "chat.accounts.middleware.SuspensionMiddleware",
    "chat.core.middleware.ErrorMiddleware",
]
ROOT_URLCONF = "grokweb.urls"
ASGI_APPLICATION = "grokweb.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "csp.context_processors.nonce",
                "chat.core.context.site",
            ],
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- People -----------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
CSRF_FAILURE_VIEW = "chat.core.views.csrf_failed"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_ADAPTER = "chat.accounts.adapter.AccountAdapter"
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_FORMS = {
    "signup": "chat.accounts.forms.SignupForm",
    "reset_password": "chat.accounts.forms.ResetPasswordForm",
}
MFA_FORMS = {
    "authenticate": "chat.accounts.forms.AuthenticateForm",
    "reauthenticate": "chat.accounts.forms.ReauthenticateForm",
}
# By address alone only high numbers: one address may be a school's. Failed log-ins are counted by
# chat/accounts/attempts.py.
ACCOUNT_RATE_LIMITS = {
    "login": "300/m/ip",
    "login_failed": None,
    "signup": "200/m/ip",
    "reset_password": "5/m/key,200/m/ip",
    "reset_password_from_key": "200/m/ip",
}
SIGNUP_OPEN = env.flag("GROKWEB_SIGNUP", True, "Whether anyone who reaches the page may sign up")
EMAIL_URL = env.text(
    "EMAIL_URL", "", "smtp+tls://user:password@host:587; without it no e-mail is sent or asked for"
)
if EMAIL_URL:
    vars().update(environ.Env.email_url_config(EMAIL_URL))
    ACCOUNT_EMAIL_VERIFICATION = "mandatory"
else:
    EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    ACCOUNT_EMAIL_VERIFICATION = "none"
MAIL_IN_BACKGROUND = bool(EMAIL_URL)  # chat/accounts/mailing.py
EMAIL_TIMEOUT = 20
MFA_ALLOW_UNVERIFIED_EMAIL = not EMAIL_URL  # without e-mail no address can be verified
MFA_TOTP_TOLERANCE = 1  # the code that has just run out: people type slowly
DEFAULT_FROM_EMAIL = env.text("GROKWEB_FROM_EMAIL", "grokweb@localhost", "Sender of e-mails")

SHARES_OF_SUSPENDED = env.flag(
    "GROKWEB_SUSPENDED_SHARES",
    False,
    "Whether shared pages of suspended people stay open, with a note; else they close until the end",
)

# --- Languages, times -------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("fr", _("French"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- Static files -----------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = Path(
    env.text("GROKWEB_STATIC", str(BASE_DIR / "build" / "static"), "Where static files are collected")
)
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "grokweb.vendor.VendorFinder",
]
# Names with a hash of the content, Django's or esbuild's: kept by browsers for ever.
WHITENOISE_IMMUTABLE_FILE_TEST = r"/static/.+\.([0-9a-f]{12}|[0-9A-Z]{8})\.\w+$"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "grokweb.vendor.HashedStorage"},
    # What people attach: nothing serves this folder, and nobody else on this machine reads it.
    "files": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": DATA_DIR / "files",
            "base_url": None,
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
}

# --- Doors: headers, cookies, sizes -----------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF, *(url.replace("http", "ws", 1) for url in SITE_URLS)],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "grokweb_session"
CSRF_COOKIE_NAME = "grokweb_csrf"
LANGUAGE_COOKIE_NAME = "grokweb_language"
DAY = 3600 * 24
if HTTPS:
    SECURE_HSTS_SECONDS = 365 * DAY if HSTS else 30 * DAY
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_SSL_REDIRECT = HSTS
# Asked on this machine without TLS, by `up` itself among others.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
# Preloading binds a whole domain, in browsers that never came here, and is hard to undo: its owner decides.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20
# The doors for files (chat/transfer, chat/files), which let bodies of this size in (grokweb/web.py).
IMPORT_PATH, FILES_PATH = "/api/import/", "/api/files/"
IMPORT_BYTES = (
    env.integer("GROKWEB_IMPORT_MB", 50, "Largest file that can be imported, in MB", low=1, high=1000) << 20
)
FILE_BYTES = env.integer("GROKWEB_FILE_MB", 10, "Largest file in a message, in MB", low=1, high=100) << 20
FILES_BYTES = (
    env.integer(
        "GROKWEB_FILES_MB", 200, "What the files of one person may take together, in MB", low=1, high=100_000
    )
    << 20
)
FRAME_BYTES_IN = 64 * 1024  # also given to Daphne in grokweb/supervisor.py
PIECE_BYTES_OUT = 32 * 1024

# --- The model and the live path --------------------------------------------------------------------------
MODEL, TEST_ENGINES, SLOTS = live.MODEL, live.TEST_ENGINES, live.SLOTS


def _model_slug() -> str:
    """The slug of GROKWEB_MODEL, or "" if this host does not have its folder."""
    from inference.modelfiles import (
        ModelUnusable,
        describe,
    )  # reads headers of weights; under `up` nobody asks

    if MODEL == "scripted":
        return MODEL
    try:
        return str(describe(Path(MODEL)).slug)
    except ModelUnusable:
        return ""


# Which model new chats get (chat/conversations/model_cards.py). The supervisor sets both for its children.
MODEL_SLUG = env.text(
    "GROKWEB_MODEL_SLUG", "", "Slug of GROKWEB_MODEL; set by `up`, else read from the folder"
) or SimpleLazyObject(_model_slug)
MODEL_WORKER_SINCE = env.number(
    "GROKWEB_MODEL_WORKER_SINCE",
    0,
    "When `up` first started a model worker here (Unix time; set by `up`); 0: it runs none",
    low=0,
    high=1e12,
)
MAX_NEW_TOKENS = env.integer("GROKWEB_MAX_NEW_TOKENS", 512, "Longest answer, in tokens", low=1, high=8192)
QUEUE_LIMIT = env.integer(
    "GROKWEB_QUEUE_LIMIT",
    200,
    "Replies waiting or running before new ones are refused; twice that for people who have none",
    low=1,
    high=100000,
)
USER_LIVE_LIMIT = env.integer(
    "GROKWEB_USER_LIVE_LIMIT", 8, "Replies one person may have waiting or running", low=1, high=1000
)
USER_RUNNING_LIMIT = env.integer(
    "GROKWEB_USER_RUNNING_LIMIT",
    2,
    "Replies of one person that run at once where no quota policy says otherwise",
    low=1,
    high=256,
)
DAILY_TOKENS = env.integer(
    "GROKWEB_DAILY_TOKENS", 100_000, "Tokens a day where no quota policy says otherwise", low=0, high=10**12
)
PERSON_RATE = env.integer(
    "GROKWEB_PERSON_RATE",
    20,
    "Simple requests one person may make in a second over all their tabs; ten times that at once",
    low=5,
    high=100_000,
)
QUEUE_TIMEOUT = env.number(
    "GROKWEB_QUEUE_TIMEOUT", 600, "Seconds a reply waits for a model that nobody runs", low=1, high=86400
)
# Timings of rule 7 and 9-11; they must agree (chat/turns/checks.py). Drills shorten them.
RECONCILE_SECONDS = env.number(
    "GROKWEB_RECONCILE_SECONDS", 2, "How often live rows are compared with Redis", low=0.2, high=60
)
RECONCILE_AGE_SECONDS = env.number(
    "GROKWEB_RECONCILE_AGE_SECONDS", 5, "Age of a row before reconcile looks at it", low=0.2, high=60
)
REDIS_REST_SECONDS = env.number(
    "GROKWEB_REDIS_REST_SECONDS",
    10,
    "Reconcile's rest after Redis started or lost its data",
    low=0.5,
    high=120,
)
# Drills kill the same process again and again; each time is the first.
HEALTHY_SECONDS = env.number(
    "GROKWEB_HEALTHY_SECONDS",
    30,
    "A process of `up` that lived this long is started again without backoff",
    low=1,
    high=3600,
)

# What Redis forgets by itself (token logs, a shared page's HTML) it forgets after ten minutes. With this it
# is out of its file within the fifteen that docs/security.md promises.
TRACES_SECONDS = env.integer(
    "GROKWEB_TRACES_SECONDS",
    180,
    "How often erased text is cleared from the embedded Redis' file and SQLite's log",
    low=1,
    high=240,
)
# The page's process is started again when it does not work any more (grokweb/pulse.py).
WEB_LOOP_SECONDS = env.number(
    "GROKWEB_WEB_LOOP_SECONDS",
    20,
    "Event loop of the web process still for this long: `up` starts it again",
    low=1,
    high=600,
)
WEB_POOL_SECONDS = env.number(
    "GROKWEB_WEB_POOL_SECONDS",
    120,
    "Requests wait and no thread of the web process finishes one for this long: `up` starts it again",
    low=1,
    high=3600,
)

# --- Celery: JSON only, acknowledged early, no results (rule 6) -------------------------------------------
CELERY_BROKER_URL = REDIS_URL

# --- Logs: one line a record, never a prompt or an answer --------------------------------------------------
LOG_LEVEL = live.LOG_LEVEL
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "grokweb.logs.line_formatter", "style": live.LOG_FORMAT}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django.server": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "celery": {"level": celery_level(LOG_LEVEL)},
    },
}
