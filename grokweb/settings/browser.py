"""Configures static files, security headers and cookies."""

from __future__ import annotations

from pathlib import Path

from csp.constants import NONCE, NONE, SELF

from grokweb.settings.addresses import HSTS, HTTPS, SITE_URLS
from grokweb.settings.places import DATA_DIR
from inference.base import env
from inference.settings import BASE_DIR

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
