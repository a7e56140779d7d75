"""Configures the addresses that people type, and the proxy in front of the service."""

from __future__ import annotations

from urllib.parse import urlsplit

from grokweb.settings.places import PORT
from inference.base import env
from inference.base.env import InvalidSetting

# Addresses that people type. The first one is used in links; a websocket's Origin must be one of them.
SITE_URLS = env.words(
    "GROKWEB_URLS",
    f"http://localhost:{PORT},http://127.0.0.1:{PORT}",
    "Addresses that people type, separated by commas, each with http:// or https://. The "
    "first one is used in links; requests for other hosts are refused.",
)
for _url in SITE_URLS:
    if urlsplit(_url).scheme not in {"http", "https"} or not urlsplit(_url).hostname:
        raise InvalidSetting(f"GROKWEB_URLS: {_url!r} is not like https://chat.example.org")
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
    raise InvalidSetting(
        "GROKWEB_HSTS=1 needs https:// in all of GROKWEB_URLS, and GROKWEB_BEHIND_PROXY=1: "
        "this process sees only from X-Forwarded-Proto that a browser came by https"
    )
