"""Answers operators and their monitoring: /healthz, /readyz, /metrics."""

from __future__ import annotations

import hmac
import logging
import tomllib
from collections.abc import Callable
from functools import cache
from ipaddress import ip_address

import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView

from chat.core import storage
from grokweb import database_health
from inference.base import env

logger = logging.getLogger("grokweb.health")
METRICS_TOKEN = env.text(
    "GROKWEB_METRICS_TOKEN",
    "",
    "Bearer token for /metrics. If empty, only this machine and staff can read it.",
)


@cache
def version() -> str:
    text = (settings.BASE_DIR / "pyproject.toml").read_text()
    return str(tomllib.loads(text)["project"]["version"])


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answers while the process lives. Checks nothing else, so that a slow database kills no web process."""
    return JsonResponse({"status": "ok", "version": version(), "test_engines": settings.TEST_ENGINES})


def _ask_redis() -> None:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
        client.ping()


NEEDED: dict[str, Callable[[], None]] = {"database": database_health.check, "redis": _ask_redis}


_logged: dict[str, str] = {}  # what was logged already; probes come every few seconds


def _tell_once(name: str, error: str) -> None:
    if _logged.get(name) != error:
        _logged[name] = error
        logger.warning("not ready: %s: %s", name, error)


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answers 200 if everything that a page needs works; else 503 with the names of what does not."""
    failing = []
    for name, ask in NEEDED.items():
        try:
            ask()
        except Exception as error:  # noqa: BLE001 - whatever it is, this part does not answer
            _tell_once(name, " ".join(str(error).split()))
            failing.append(name)
        else:
            _logged.pop(name, None)
    failing += [f"disk:{name}" for name in storage.DISKS.troubled()]
    if storage.was_refused() and not {"database", "disk:data"} & set(failing):
        failing.append("database")  # its disk cannot be seen from this machine
    if failing:
        return JsonResponse({"status": "unavailable", "failing": failing}, status=503)
    return JsonResponse({"status": "ok"})


def _may_read_metrics(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "")
    if METRICS_TOKEN and hmac.compare_digest(given.encode(), f"Bearer {METRICS_TOKEN}".encode()):
        return True
    try:
        local = ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        local = False
    # A proxy on this machine is loopback too: what it forwards is a visitor's.
    if local and not {"X-Forwarded-For", "X-Real-Ip", "Forwarded", "Via"} & request.headers.keys():
        return True
    user = request.user
    return bool(user.is_authenticated and user.is_active and user.is_staff and not user.is_suspended)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answers in Prometheus' text format; 404 for people without access."""
    if not _may_read_metrics(request):
        return HttpResponse("Not found\n", status=404, content_type="text/plain")
    answer: HttpResponse = ExportToDjangoView(request)
    return answer
