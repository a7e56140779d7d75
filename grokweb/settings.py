"""Defines every Django setting with its reason. Values come from inference/base/env.py."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import SimpleLazyObject

from grokweb import data_directory
from grokweb.languages import languages_in
from grokweb.size_limits import FRAME_BYTES, JSON_BYTES, Sizes
from inference import settings as live
from inference.base import env
from inference.base.logs import celery_level

BASE_DIR = live.BASE_DIR

# --- Places -----------------------------------------------------------------------------------------------
DATA_DIR, RUN_DIR = live.DATA_DIR, live.RUN_DIR
try:
    data_directory.make(DATA_DIR)
except OSError as error:
    raise ImproperlyConfigured(f"GROKWEB_DATA: {DATA_DIR}: {error.strerror}") from None
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

# --- Where browsers come from -----------------------------------------------------------------------------
# Addresses that people type. The first one is used in links; a websocket's Origin must be one of them.
SITE_URLS = env.words(
    "GROKWEB_URLS",
    f"http://localhost:{PORT},http://127.0.0.1:{PORT}",
    "Addresses that people type, separated by commas, each with http:// or https://. The "
    "first one is used in links; requests for other hosts are refused.",
)
for _url in SITE_URLS:
    if urlsplit(_url).scheme not in {"http", "https"} or not urlsplit(_url).hostname:
        raise ImproperlyConfigured(f"GROKWEB_URLS: {_url!r} is not like https://chat.example.org")
# The loopback names are for health checks from the host itself.
ALLOWED_HOSTS = sorted({*(str(urlsplit(url).hostname) for url in SITE_URLS), "localhost", "127.0.0.1"})
CSRF_TRUSTED_ORIGINS = SITE_URLS
HTTPS = all(url.startswith("https://") for url in SITE_URLS)
BEHIND_PROXY = env.flag(
    "GROKWEB_BEHIND_PROXY",
    False,
    "1: trust X-Forwarded-Proto and the last address of X-Forwarded-For, which exactly "
    "one reverse proxy sets.",
)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
HSTS = env.flag(
    "GROKWEB_HSTS",
    False,
    "1: redirect http to https, and tell browsers to use only https for this host and its"
    " subdomains for one year. Needs a TLS proxy in front.",
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
    "SQLite file, or postgres://user:password@host/name.",
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
    "chat.model_cards",
    "chat.conversations",
    "chat.quotas",
    "chat.moderation",
    "chat.search",
    "chat.feedback",
    "chat.files",
    "chat.personas",
    "chat.turns",
    "chat.sharing",
    "chat.transfer",
    "chat.account_deletion",
    "chat.staff",
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
    "add_email": "chat.accounts.forms.AddEmailForm",
    "signup": "chat.accounts.forms.SignupForm",
    "reset_password": "chat.accounts.forms.ResetPasswordForm",
}
MFA_FORMS = {
    "authenticate": "chat.accounts.forms.AuthenticateForm",
    "reauthenticate": "chat.accounts.forms.ReauthenticateForm",
}
# High limits per address, because a school may have one address. chat/accounts/attempts.py counts failed
# logins.
ACCOUNT_RATE_LIMITS = {
    "login": "300/m/ip",
    "login_failed": None,
    "signup": "200/m/ip",
    "reset_password": "5/m/key,200/m/ip",
    "reset_password_from_key": "200/m/ip",
}
SIGNUP_OPEN = env.flag(
    "GROKWEB_SIGNUP", True, "1: anyone who can open the page may sign up. 0: administrators create accounts."
)
EMAIL_URL = env.text(
    "EMAIL_URL",
    "",
    "Mail server, such as smtp+tls://user:password@host:587. If empty, no e-mail is sent "
    "and addresses are not verified.",
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
MFA_TOTP_TOLERANCE = 1  # accepts the code before the present one: people type slowly
DEFAULT_FROM_EMAIL = env.text("GROKWEB_FROM_EMAIL", "grokweb@localhost", "Sender of e-mails.")

SPEECH = env.flag(
    "GROKWEB_SPEECH",
    True,
    "1: offer dictation and reading aloud by the browser, which may send audio and text "
    "to the browser's vendor.",
)
SHARES_OF_SUSPENDED = env.flag(
    "GROKWEB_SUSPENDED_SHARES",
    False,
    "1: shared pages of suspended users stay open, with a note. 0: they are closed until "
    "the suspension ends.",
)

SEARCH_BACKEND = env.text(
    "GROKWEB_SEARCH",
    "",
    "Installed search back end by its name; the database's own search if empty.",
)

# --- Languages, times -------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
MORE_LANGUAGES = env.text(
    "GROKWEB_LOCALE", "", "Folder of further translations, `<language>/LC_MESSAGES/django.po`; none if empty."
)
LOCALE_PATHS = [*([Path(MORE_LANGUAGES)] if MORE_LANGUAGES else []), BASE_DIR / "locale"]
LANGUAGES = languages_in(LOCALE_PATHS)
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- Static files -----------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = Path(
    env.text(
        "GROKWEB_STATIC", str(BASE_DIR / "build" / "static"), "Directory in which static files are collected."
    )
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
    # Attached files: not served from this directory, and readable by the service's user alone.
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
        # Frames that show an answer's code (chat/core/frames.py) cannot navigate elsewhere.
        "frame-src": [f"{url}/frame/" for url in SITE_URLS],
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
# Requested on this machine without TLS, for example by `up`.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
# Preloading commits a whole domain, in all browsers, and is hard to undo: the domain's owner decides.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
DATA_UPLOAD_MAX_MEMORY_SIZE = JSON_BYTES
SIZES = Sizes.of_mb(
    an_import=env.integer(
        "GROKWEB_IMPORT_MB",
        50,
        "Largest JSON file that can be imported, in MB. A zip may have GROKWEB_FILES_MB more.",
        low=1,
        high=1000,
    ),
    a_file=env.integer(
        "GROKWEB_FILE_MB", 10, "Largest file that can be attached to a message, in MB.", low=1, high=100
    ),
    all_files=env.integer(
        "GROKWEB_FILES_MB", 200, "Total size of all files of one user, in MB.", low=1, high=100_000
    ),
)
IMPORT_BYTES, IMPORT_ZIP_BYTES = SIZES.import_bytes, SIZES.import_zip_bytes
FILE_BYTES, FILES_BYTES = SIZES.file_bytes, SIZES.files_bytes
FRAME_BYTES_IN = FRAME_BYTES
PIECE_BYTES_OUT = 32 * 1024

# --- The model and the live path --------------------------------------------------------------------------
MODEL, TEST_ENGINES, SLOTS = live.MODEL, live.TEST_ENGINES, live.SLOTS


def _model_slug() -> str:
    """Returns the slug of GROKWEB_MODEL, or "" if this host does not have its folder or its engine."""
    from inference.engines import describe_model  # reads headers of weights; under `up` nobody asks

    try:
        return describe_model(MODEL).slug
    except ValueError:  # ModelUnusable and RegistryError are
        return ""


# Which model new chats get (chat/model_cards/selection.py). The supervisor sets both for its children.
MODEL_SLUG = env.text(
    "GROKWEB_MODEL_SLUG",
    "",
    "Slug of GROKWEB_MODEL. Set by `manage.py up`; otherwise read from the model's directory.",
) or SimpleLazyObject(_model_slug)
MODEL_WORKER_SINCE = env.number(
    "GROKWEB_MODEL_WORKER_SINCE",
    0,
    "Unix time at which `manage.py up` first started a model worker here; 0: none. Set by `manage.py up`.",
    low=0,
    high=1e12,
)
MAX_NEW_TOKENS = env.integer(
    "GROKWEB_MAX_NEW_TOKENS",
    0,
    "Longest answer, in tokens. 0: a quarter of the model's context, at least 512.",
    low=0,
    high=2**20,
)
QUEUE_LIMIT = env.integer(
    "GROKWEB_QUEUE_LIMIT",
    200,
    "Waiting and running replies above which new ones are refused; twice as many for users who have none.",
    low=1,
    high=100000,
)
USER_LIVE_LIMIT = env.integer(
    "GROKWEB_USER_LIVE_LIMIT", 8, "Replies that one user may have waiting or running.", low=1, high=1000
)
USER_RUNNING_LIMIT = env.integer(
    "GROKWEB_USER_RUNNING_LIMIT",
    2,
    "Replies of one user that run at the same time, unless a quota policy sets another number.",
    low=1,
    high=256,
)
DAILY_TOKENS = env.integer(
    "GROKWEB_DAILY_TOKENS",
    100_000,
    "Tokens per user and UTC day, unless a quota policy sets another number.",
    low=0,
    high=10**12,
)
PERSON_RATE = env.integer(
    "GROKWEB_PERSON_RATE",
    20,
    "Request units per second that one user may spend, over all tabs and web processes; "
    "ten times as many in a burst.",
    low=5,
    high=100_000,
)
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
TRACES_SECONDS = env.integer(
    "GROKWEB_TRACES_SECONDS",
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

# --- Celery: JSON only, acknowledged early, no results (rule 6) -------------------------------------------
CELERY_BROKER_URL = REDIS_URL

# --- Logs: one line a record, never a prompt or an answer --------------------------------------------------
LOG_LEVEL = live.LOG_LEVEL
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "inference.base.logs.line_formatter", "style": live.LOG_FORMAT}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django.server": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "celery": {"level": celery_level(LOG_LEVEL)},
    },
}
