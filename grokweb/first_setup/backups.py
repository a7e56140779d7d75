"""Sets the schedule of backups, in a folder that can be written to.

`by` is None where no account acts. Each function changes everything or nothing; it raises Refusal, or a
ValueError with one line in English, or OSError.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from chat.accounts.models import User
from grokweb.first_setup.refusal import Refusal
from grokweb.first_setup.stored_settings import change, check
from grokweb.settings.backups import BackupPlan

OFFERED = (6, 12, 24, 168)  # hours


def set_backups(by: User | None, *, folder: str, hours: str, keep: str) -> None:
    """Stores the schedule. The folder is created if only its last part is missing."""
    folder = folder.strip()
    if not folder:
        raise Refusal(_("Enter a folder of the server, such as /srv/backups."))
    values = {"GROKWEB_BACKUP_FOLDER": folder, "GROKWEB_BACKUP_HOURS": hours, "GROKWEB_BACKUP_KEEP": keep}
    check(values)
    _make_usable(Path(folder))
    change(by, values)


def stop_backups(by: User | None) -> None:
    """Keeps interval and number, and the backups that are there."""
    change(by, {"GROKWEB_BACKUP_FOLDER": ""})


def _make_usable(folder: Path) -> None:
    there = folder.resolve()
    data, program = settings.DATA_DIR.resolve(), (settings.BASE_DIR.resolve(), settings.STATIC_ROOT.resolve())
    if any(there.is_relative_to(each) for each in program) and not there.is_relative_to(data):
        raise Refusal(_("Choose a folder outside of the program: what lies there could be shown to others."))
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"probe")
    except OSError as error:
        about = {"folder": folder, "why": error.strerror or type(error).__name__}
        raise Refusal(_("%(folder)s cannot be written to: %(why)s") % about) from None


def offered(plan: BackupPlan) -> list[tuple[str, str]]:
    """Returns the intervals to choose from, with the present one."""
    return [(str(hours), _interval(hours)) for hours in sorted({*OFFERED, plan.hours} - {0})]


def _interval(hours: int) -> str:
    days, rest = divmod(hours, 24)
    if rest:
        return _("every %(count)d hours") % {"count": hours} if hours > 1 else _("every hour")
    return _("every %(count)d days") % {"count": days} if days > 1 else _("every day")
