"""Makes a scheduled backup, and removes old ones after it.

Beat asks every minute whether one is due (grokweb/tasks.py). It is made in a process of its own, with low
priority: the queue `jobs` has one thread, which reads files and erases text meanwhile.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.utils.crypto import salted_hmac

from grokweb.backup import create, last, schedule
from grokweb.backup.archive import Manifest
from grokweb.backup.errors import BackupError
from grokweb.backup.places import here, stamp
from grokweb.health import version
from grokweb.redis_server import CHILD
from grokweb.settings import backups
from grokweb.settings.backups import BackupPlan
from inference.base.env import InvalidSetting

logger = logging.getLogger("grokweb.backup")

TASK = "jobs.start_due_backup"
_started: list[subprocess.Popen[bytes]] = []  # the one that this process started last


def start_if_due() -> None:
    """Starts the process of a backup that is due, unless one runs. Raises OSError on a full disk."""
    if _started and _started[0].poll() is None:
        return
    _started.clear()
    try:
        plan = backups.plan()  # also a change of settings.toml since this process started
    except InvalidSetting as error:
        logger.warning("no backup is made: %s", error)
        return
    if not schedule.is_due(settings.DATA_DIR, plan):
        return
    schedule.begin(settings.DATA_DIR, plan)  # so that one that cannot even start is tried again later only
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "backup", "--scheduled"]
    _started.append(subprocess.Popen([sys.executable, CHILD, str(os.getpid()), *command]))


def make(plan: BackupPlan) -> tuple[Path, Manifest]:
    """Makes one now. Raises BackupError and OSError; the doctor then says why until one is made."""
    data = settings.DATA_DIR
    if plan.folder is None or not plan.is_on:
        raise BackupError("no backups are scheduled: set GROKWEB_BACKUP_FOLDER and GROKWEB_BACKUP_HOURS")
    with schedule.alone(data):
        schedule.begin(data, plan)
        try:
            made = _made(plan.folder)
        except BaseException as error:
            with suppress(OSError):  # the disk of the data is full, too: that is said elsewhere
                schedule.fail(data, _reason(error))
            raise
        schedule.succeed(data)
        last.note(data)
        _remove_old(made[0], plan.keep)
    return made


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError):
        return f"it could not be written: {error.strerror or type(error).__name__}"
    return str(error) if isinstance(error, BackupError) else type(error).__name__


def _made(folder: Path) -> tuple[Path, Manifest]:
    """Leaves nothing in the folder after an error, so that only whole backups count as kept ones."""
    target = folder / f"{_first_letters()}{stamp()}.zip"
    if not folder.is_dir():  # it is never created here: a disk may not be mounted
        raise BackupError(f"{folder} is not a directory: is its disk mounted?")
    target, manifest = create.create(here(), target, key=settings.SECRET_KEY, version=version(), force=False)
    try:
        create.verify(target, manifest)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target, manifest


def _first_letters() -> str:
    """Returns how the names of this installation's backups begin: others may use the same folder."""
    return f"grokweb-scheduled-{salted_hmac('grokweb.backup', '', algorithm='sha256').hexdigest()[:8]}-"


def _remove_old(made: Path, keep: int) -> None:
    """Keeps the one just made, whatever stamps a wrong clock gave to others."""
    name = re.compile(rf"{_first_letters()}\d{{8}}T\d{{6}}Z\.zip")
    others = sorted(path for path in made.parent.iterdir() if name.fullmatch(path.name) and path != made)
    for path in others[: len(others) - keep + 1]:
        try:
            path.unlink()
        except OSError as error:
            logger.warning("an old backup cannot be removed: %s: %s", path, error.strerror)
