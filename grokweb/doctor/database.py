"""Checks the database: answers, complete, up to date, erased text that it retains, clock."""

from __future__ import annotations

from typing import Any

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _

from grokweb.doctor import clocks
from grokweb.doctor.results import CheckResult, ok, problem, reason, warning

SQLITE = "sqlite"


def ask(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def answers() -> CheckResult:
    try:
        version = ask("SELECT sqlite_version()" if connection.vendor == SQLITE else "SHOW server_version")[0][
            0
        ]
    except Error as error:
        return problem(_("does not answer (%(why)s): correct DATABASE_URL") % {"why": reason(error)})
    return ok(_("%(name)s %(version)s answers") % {"name": connection.display_name, "version": version})


def migrations() -> CheckResult:
    executor = MigrationExecutor(connection)
    graph = executor.loader.graph
    missing = executor.migration_plan(graph.leaf_nodes())
    if missing:
        words = _(
            "%(count)d changes are not applied: back up, then start the service or run `manage.py migrate`"
        )
        return problem(words % {"count": len(missing)})
    ours = {app for app, _name in graph.nodes}
    unknown = [key for key in executor.loader.applied_migrations if key[0] in ours and key not in graph.nodes]
    if unknown and not any(executor.loader.disk_migrations[key].replaces for key in graph.nodes):
        words = _("%(count)d changes come from another release: run that one, or restore a backup")
        return warning(words % {"count": len(unknown)})
    return ok(_("all changes are applied"))


def integrity() -> CheckResult:
    if connection.vendor != SQLITE:
        return _checksums()
    try:
        found = [str(row[0]) for row in ask("PRAGMA quick_check(10)")]
    except Error as error:
        found = [reason(error)]
    if found == ["ok"]:
        return ok(_("the file is sound"))
    words = _("the file is damaged (%(what)s): stop the service, keep a copy, restore a backup")
    return problem(words % {"what": reason(ValueError(found[0] if found else "?"))})


def _checksums() -> CheckResult:
    if ask("SHOW data_checksums")[0][0] != "on":
        return ok(_("PostgreSQL stores no checksums of its pages, so that damage cannot be detected"))
    [(failures,)] = ask("SELECT coalesce(sum(checksum_failures), 0) FROM pg_stat_database")
    if failures:
        return problem(
            _("PostgreSQL counted %(count)d damaged pages: restore a backup") % {"count": failures}
        )
    return ok(_("PostgreSQL has met no damaged page"))


def retention() -> CheckResult:
    if connection.vendor == SQLITE:
        return _overwrites()
    shown = {
        name: str(ask(f"SHOW {name}")[0][0])
        for name in ("archive_mode", "log_statement", "log_min_duration_statement")
    }
    retained = []
    if shown["archive_mode"] != "off":
        retained.append(
            _("the write-ahead log is archived (archive_mode %(mode)s)") % {"mode": shown["archive_mode"]}
        )
    if slots := int(ask("SELECT count(*) FROM pg_replication_slots")[0][0]):
        retained.append(_("%(count)d replication slots hold it for copies") % {"count": slots})
    if shown["log_statement"] not in {"none", "ddl"} or shown["log_min_duration_statement"] != "-1":
        retained.append(
            _("statements are logged with people's texts (log_statement, log_min_duration_statement)")
        )
    if retained:
        words = _(
            "%(kept)s: erased text stays there for as long as you keep it; limit that, or switch it off"
        )
        return warning(words % {"kept": "; ".join(retained)})
    return ok(_("nothing is archived, copied or logged; VACUUM frees the space of erased data"))


def _overwrites() -> CheckResult:
    if ask("PRAGMA secure_delete")[0][0] != 1:
        return warning(_("SQLite does not overwrite deleted data (secure_delete): run `VACUUM`"))
    return ok(_("deleted data are overwritten"))


def clock() -> CheckResult:
    if connection.vendor == SQLITE:
        return ok(_("this machine's"))
    return clocks.compare(lambda: float(ask("SELECT extract(epoch FROM clock_timestamp())")[0][0]))
