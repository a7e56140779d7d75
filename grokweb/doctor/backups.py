"""Checks that backups are made."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from grokweb.backup import last
from grokweb.doctor.results import CheckResult, ok, warning

OLD = timedelta(days=7)


def newest() -> CheckResult:
    at = last.made_at(settings.DATA_DIR)
    if at is None:
        return warning(
            _("none was made here: run `manage.py backup FOLDER` every day, and keep the files elsewhere")
        )
    about = {"date": formats.date_format(at, "SHORT_DATE_FORMAT")}
    if timezone.now() - at > OLD:
        return warning(_("the last one is of %(date)s: run `manage.py backup FOLDER` every day") % about)
    return ok(_("the last one is of %(date)s") % about)
