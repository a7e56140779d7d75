"""Checks that backups are made."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from grokweb.backup import last, schedule
from grokweb.doctor.results import CheckResult, ok, problem, warning
from grokweb.settings.backups import BackupPlan

OLD = timedelta(days=7)
LATE = timedelta(hours=1)  # beyond two intervals


def newest() -> CheckResult:
    plan: BackupPlan = settings.BACKUPS
    return _scheduled(plan) if plan.is_on else _by_hand()


def _scheduled(plan: BackupPlan) -> CheckResult:
    state = schedule.read(settings.DATA_DIR)
    about: dict[str, object] = {"folder": plan.folder, "hours": plan.hours}
    if state.folder != str(plan.folder):
        return warning(
            _("none is in %(folder)s yet: `manage.py up` makes the first within two minutes") % about
        )
    if why := state.failure(settings.DATA_DIR):
        return problem(_("the last one failed: %(why)s. `manage.py up` tries again") % {"why": why})
    if state.made_at is None:
        return warning(_("the first one is being made in %(folder)s") % about)
    about["date"] = formats.date_format(timezone.localtime(state.made_at), "SHORT_DATETIME_FORMAT")
    if timezone.now() - state.made_at > 2 * plan.interval + LATE:
        return problem(
            _("the last one is of %(date)s, with one due every %(hours)s hours: does `manage.py up` run?")
            % about
        )
    return ok(_("the last one is of %(date)s, in %(folder)s; one is made every %(hours)s hours") % about)


def _by_hand() -> CheckResult:
    at = last.made_at(settings.DATA_DIR)
    if at is None:
        return warning(
            _("none was made here: set GROKWEB_BACKUP_FOLDER, or run `manage.py backup FOLDER` every day")
        )
    about = {"date": formats.date_format(at, "SHORT_DATE_FORMAT")}
    if timezone.now() - at > OLD:
        return warning(_("the last one is of %(date)s: run `manage.py backup FOLDER` every day") % about)
    return ok(_("the last one is of %(date)s") % about)
