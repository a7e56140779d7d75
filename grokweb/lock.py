"""`make lock`: resolves pyproject.toml into requirements/*.txt, every package with its version and hashes.

run.txt has what the service needs; test.txt, bench.txt and lock.txt what an optional dependency group adds.
One resolution covers Linux and macOS, and each hash is that of a file of any platform. torch is left out,
with what only its builds for graphics cards need: where it comes from is the operator's choice.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "requirements"
GROUPS = ("test", "bench", "lock")
TORCH = re.compile(r"(torch|triton|nvidia-.*|cuda-.*)==")
# Where GrokWeb runs; a package that none of them needs is left out, and a condition true on all is dropped.
PLATFORMS = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "x86_64"), ("darwin", "arm64"))
PYTHONS = ("3.11.0", "3.11.9", "3.12.9", "3.13.9", "3.14.1")
ENVIRONMENTS = [
    {
        "sys_platform": system,
        "platform_system": system.title(),
        "platform_machine": machine,
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
    }
    for system, machine in PLATFORMS
    for python in PYTHONS
]
HEADER = "# Written by `make lock` from pyproject.toml. Installed with --require-hashes --no-deps.\n"


def entries(text: str) -> list[str]:
    """Returns the requirements of a file, each with its hashes."""
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith("#")]
    return re.findall(r"^\S.*\n(?:[ \t].*\n)*", "".join(lines), re.MULTILINE)


def simplified(entry: str) -> str:
    """Returns the entry without a condition that always holds, or "" if it never holds."""
    first, _, rest = entry.partition("\n")
    named = re.fullmatch(r"(\S+==\S+) ; (.+) \\", first)
    if named is None:
        return entry
    holds = [Marker(named[2]).evaluate(dict(each)) for each in ENVIRONMENTS]
    if all(holds):
        return f"{named[1]} \\\n{rest}"
    return entry if any(holds) else ""


def resolve(known: str, *extras: str, options: list[str]) -> list[str]:
    """Returns the entries that pyproject.toml needs with `extras`; keeps versions in `known` if possible."""
    from uv import find_uv_bin  # installed with the group `lock` only; the tests read this module without it

    target = FOLDER / "resolving.txt"
    target.write_text(known)
    command = [
        find_uv_bin(),
        "pip",
        "compile",
        "pyproject.toml",
        "--quiet",
        "--universal",
        "--generate-hashes",
    ]
    command += ["--no-header", "--no-annotate", "--python-version", "3.11", "--output-file", str(target)]
    command += [part for extra in extras for part in ("--extra", extra)]
    try:
        subprocess.run([*command, *options], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        found = [simplified(each) for each in entries(target.read_text()) if not TORCH.match(each)]
        return [each for each in found if each]
    finally:
        target.unlink()


def main(options: list[str]) -> int:
    FOLDER.mkdir(exist_ok=True)
    files = {name: FOLDER / f"{name}.txt" for name in ("run", *GROUPS)}
    known = "".join(path.read_text() for path in files.values() if path.exists())
    everything = resolve(known, *GROUPS, options=options)
    versions = "".join(everything)
    run = resolve(versions, options=[])
    written = {"run": run}
    for group in GROUPS:
        written[group] = [each for each in resolve(versions, group, options=[]) if each not in run]
    for name, found in written.items():
        files[name].write_text(HEADER + "".join(found))
        print(f"requirements/{name}.txt: {len(found)} packages")  # noqa: T201 - this is a command line
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
