"""Checks which layers of the sandbox this machine allows (inference/base/confine.py)."""

from __future__ import annotations

from django.utils.translation import gettext as _

from grokweb.doctor.results import CheckResult, ok, warning
from inference.base.confine import missing, probe


def layers() -> CheckResult:
    """Confines a process as files are read in one, and names the layers that did not hold."""
    absent = missing(probe())
    if absent:
        words = _(
            "files and Markdown are read without: %(layers)s. The kernel or the container refuses it; in a "
            "container, allow seccomp filters and user namespaces"
        )
        return warning(words % {"layers": ", ".join(absent)})
    return ok(_("files are read without network, other files and new processes, also by the kernel's rules"))
