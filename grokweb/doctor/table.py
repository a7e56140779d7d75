"""Lists the checks in the order of their lines, and runs them."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from grokweb.doctor.results import CheckResult, problem, reason

log = logging.getLogger(__name__)

CHECKS = {
    "settings": "grokweb.doctor.service.settings_of_the_service",
    "addresses": "grokweb.doctor.service.addresses",
    "models": "grokweb.doctor.model_list.models",
    "default model": "grokweb.doctor.model_list.default_model",
    "data folder": "grokweb.doctor.disk.data_folder",
    "disk": "grokweb.doctor.disk.space",
    "redis": "grokweb.doctor.redis_server.answers",
    "redis memory": "grokweb.doctor.redis_server.keeps_every_key",
    "redis retention": "grokweb.doctor.redis_server.retention",
    "redis clock": "grokweb.doctor.redis_server.clock",
    "database": "grokweb.doctor.database.answers",
    "migrations": "grokweb.doctor.database.migrations",
    "integrity": "grokweb.doctor.database.integrity",
    "database retention": "grokweb.doctor.database.retention",
    "database clock": "grokweb.doctor.database.clock",
    "sandbox": "grokweb.doctor.sandbox.layers",
    "e-mail": "grokweb.doctor.mail.server",
    "backup": "grokweb.doctor.backups.newest",
    "extensions": "grokweb.doctor.extensions.tables",
}
# What is checked instead where no server of others may be asked.
WITHOUT_CONNECTION = {
    "models": "grokweb.doctor.model_list.models_as_written",
    "e-mail": "grokweb.doctor.mail.server_as_set",
}


def run(names: list[str] | None = None, *, connects: bool = True) -> Iterator[tuple[str, CheckResult]]:
    checks = CHECKS if connects else {**CHECKS, **WITHOUT_CONNECTION}
    for name, path in checks.items():
        if not names or name in names:
            yield name, _one(path)


def _one(path: str) -> CheckResult:
    """Runs one check. An exception becomes a finding, so that the others still run."""
    try:
        found: CheckResult = import_string(path)()
    except Exception as error:
        log.debug("%s", path, exc_info=True)
        return problem(_("could not be checked: %(why)s") % {"why": reason(error)})
    return found
