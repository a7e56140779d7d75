"""Packages that a library loads only because they are installed stay out of our processes."""

from __future__ import annotations

import subprocess
import sys

LOADED = "import sys; print([name for name in ('rich', 'structlog', 'twisted') if name in sys.modules])"


def test_logs_load_structlog_without_what_it_could_use() -> None:
    command = [sys.executable, "-c", f"import inference.base.logs; {LOADED}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "['structlog']\n"


def test_a_hidden_package_can_be_loaded_afterwards() -> None:
    code = f"""
from inference.base.hidden_modules import hidden
with hidden("rich"):
    try:
        import rich
    except ImportError:
        print("hidden")
import rich; {LOADED}"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "hidden\n['rich']\n"
