"""Installs the tools of tests/tools.py for a service that a test starts, as pip would install a package."""

from __future__ import annotations

import os
from pathlib import Path

from tests.tools import NAMES


def environment(folder: Path) -> dict[str, str]:
    """Returns the environment in which the tools are installed and enabled."""
    about = folder / "site" / "grokweb_test_tools-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: grokweb-test-tools\nVersion: 1.0\n")
    points = "".join(f"{name} = tests.tools:{name.title()}\n" for name in NAMES)
    (about / "entry_points.txt").write_text(f"[grokweb.tools]\n{points}")
    path = os.pathsep.join([str(folder / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"PYTHONPATH": path, "GROKWEB_TOOLS": ",".join(NAMES)}
