"""Checks the data directory: who may read it, and the free space of its disks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from grokweb import data_directory as folder
from grokweb.doctor.results import CheckResult, ok, problem, warning
from inference.base import disk_space

MB = 1 << 20
LITTLE, SOME = 500 * MB, 2048 * MB
SHARE = 0.05


def data_folder() -> CheckResult:
    path = settings.DATA_DIR
    about = {"path": path, "mode": f"{folder.mode_of(path):04o}"}
    if folder.mode_of(path) & folder.OTHERS:
        words = _("%(path)s is open to other users of this machine (mode %(mode)s): `chmod 700 %(path)s`")
        return problem(words % about)
    if path.stat().st_uid not in {os.geteuid(), 0}:
        return warning(_("%(path)s belongs to another user than the one who runs this check") % about)
    key = path / "secret_key"
    if key.exists() and folder.mode_of(key) & folder.OTHERS:
        return problem(_("%(path)s is readable by other users: `chmod 600 %(path)s`") % {"path": key})
    return ok(_("%(path)s is accessible to its owner only") % about)


def places() -> list[Path]:
    """Returns the directories that grow; each of them may be a disk of its own."""
    found = [
        settings.DATA_DIR,
        settings.DATA_DIR / "logs",
        settings.DATA_DIR / "files",
        settings.DATA_DIR / "redis",
    ]
    database = settings.DATABASES["default"]
    if database["ENGINE"] == "django.db.backends.sqlite3":
        found.append(Path(str(database["NAME"])).parent)
    return list({path.stat().st_dev: path for path in found if path.exists()}.values())


def space() -> CheckResult:
    results = [_space_of(path) for path in places()]
    levels = ["problem", "warning", "ok"]
    return min(results, key=lambda each: levels.index(each.level))


def _space_of(path: Path) -> CheckResult:
    usage, system = shutil.disk_usage(path), os.statvfs(path)
    about = {"path": path, "free": usage.free // MB}
    if system.f_flag & os.ST_RDONLY or not os.access(path, os.W_OK):
        return problem(
            _("%(path)s cannot be written: mount its disk for writing, or correct its rights") % about
        )
    if system.f_files and system.f_favail < 1000:
        return problem(
            _("%(path)s has room for few more files (inodes): remove some, or enlarge the disk") % about
        )
    if usage.free < disk_space.LOW_BYTES:
        words = _(
            "%(path)s has %(free)d MB left, less than GROKWEB_DISK_LOW_MB: free some, sends are refused"
        )
        return problem(words % about)
    if usage.free < LITTLE:
        return problem(
            _("%(path)s has %(free)d MB left: free some space, or new messages will soon be refused") % about
        )
    if usage.free < SOME or usage.free < SHARE * usage.total:
        return warning(_("%(path)s has %(free)d MB left: plan for a larger disk") % about)
    return ok(_("%(path)s has %(free)d MB left") % about)
