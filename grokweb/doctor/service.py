"""Checks the service's own settings and the addresses that are requested."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from chat.core.addresses import unknown
from grokweb.doctor.results import CheckResult, ok, problem, warning

SHOWN = 5


def settings_of_the_service() -> CheckResult:
    if settings.DEBUG:
        return problem(_("GROKWEB_DEBUG shows internal data to visitors: unset it"))
    if settings.TEST_ENGINES:
        return warning(_("GROKWEB_TEST_ENGINES is for tests: unset it"))
    return ok(_("suitable for users"))


def addresses() -> CheckResult:
    """Checks first the addresses that people typed and the service refused, then the allowed ones."""
    try:
        asked = list(unknown())[:SHOWN]
    except RedisError:  # a check of its own says so
        asked = []
    if asked:
        words = _(
            "requests came for %(asked)s, not in GROKWEB_URLS: add those that are yours, with http:// or "
            "https://; the others are strangers'"
        )
        return warning(words % {"asked": ", ".join(asked)})
    away = [url for url in settings.SITE_URLS if not _is_here(str(urlsplit(url).hostname))]
    if not away and not _is_here(settings.BIND):
        words = _(
            "GROKWEB_BIND lets other machines in, but GROKWEB_URLS names only this one: add its address"
        )
        return warning(words)
    if plain := [url for url in away if url.startswith("http://")]:
        words = _("%(url)s is not encrypted: put a proxy with TLS in front and use https://")
        return warning(words % {"url": plain[0]})
    return ok(", ".join(settings.SITE_URLS))


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
