"""Applies changes of `settings.toml` to a running web process, before the next request.

Sign-up and e-mail are used by requests alone; the process that makes backups reads their settings each time
(grokweb/backup/scheduled.py). What else the file holds takes effect at the next start.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from grokweb.settings import changeable
from inference.base import settings_file
from inference.base.env import InvalidSetting

log = logging.getLogger("grokweb.settings")


class LiveSettingsMiddleware:
    """Looks at the file before each request, which costs one call of the system."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._path = settings_file.path_here()
        self._lock = threading.Lock()
        self._applied: tuple[int, ...] = ()  # also a file that changed while the process started is applied

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings_file.mark(self._path) != self._applied:
            with self._lock:
                self._apply()
        return self.get_response(request)

    def _apply(self) -> None:
        """Leaves everything as it is if the file cannot be used; the next start then says why."""
        mark = settings_file.mark(self._path)
        if mark == self._applied:
            return
        self._applied = mark
        try:
            read = changeable.read()
        except InvalidSetting as error:
            log.warning("settings.toml was changed and cannot be used; the settings stay: %s", error)
            return
        for name, value in read.items():
            setattr(settings, name, value)
