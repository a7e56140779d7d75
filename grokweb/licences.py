"""`make licences`: a table of every locked Python and npm package with its licence; refuses unknown ones.

A licence is read from the package's own metadata. Where that says nothing that can be read, NAMED has what
its source says. Licences in NOTICED ask that users are told: NOTICE must name each package under one of them.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from grokweb import lock

ROOT = Path(__file__).resolve().parent.parent
FREE = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BlueOak-1.0.0", "BSD-2-Clause", "BSD-3-Clause",
    "BSL-1.0", "CC0-1.0", "CNRI-Python", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "TCL", "Unlicense",
    "Zlib", "ZPL-2.1",
}  # fmt: skip
NOTICED = {"Artistic-1.0-Perl", "LGPL-3.0-only", "MPL-2.0", "OFL-1.1"}
# As the sources of these packages say, whose metadata does not; or that are not installed everywhere.
NAMED = {
    "async-timeout": "Apache-2.0",
    "certifi": "MPL-2.0",
    "chardetng-py": "MIT",
    "charset-normalizer": "MIT",
    "diskcache": "Apache-2.0",
    "fido2": "BSD-2-Clause AND Apache-2.0 AND MPL-2.0",
    "gguf": "MIT",
    "khroma": "MIT",
    "llama-cpp-python": "MIT",
    "pi-heif": "BSD-3-Clause AND LGPL-3.0-only",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "qrcode": "BSD-3-Clause",
    "requests": "Apache-2.0",
    "text-unidecode": "Artistic-1.0-Perl",
    "tqdm": "MPL-2.0 AND MIT",
    "urllib3": "MIT",
    "uv": "MIT OR Apache-2.0",
    "uvloop": "MIT OR Apache-2.0",
}
# The words of older metadata.
SPELLINGS = {
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "New BSD": "BSD-3-Clause",
}


@dataclass(frozen=True, slots=True)
class Package:
    registry: str  # "pip" or "npm"
    group: str  # of requirements/, or "page" and "dev"
    name: str
    version: str
    licence: str  # an SPDX expression; empty where nothing says it

    def is_known(self) -> bool:
        return bool(self.licence) and terms(self.licence) <= FREE | NOTICED

    def is_noticed(self) -> bool:
        return not terms(self.licence) <= FREE


def terms(expression: str) -> set[str]:
    """Returns the licences that apply: of one alternative, if possible one that requires no notice."""
    alternatives = [
        {term.strip(" ()") for term in alternative.split(" AND ")} for alternative in expression.split(" OR ")
    ]
    return min(alternatives, key=lambda each: (len(each - FREE), len(each - FREE - NOTICED)))


def of_distribution(name: str) -> str:
    """Returns an SPDX expression from an installed package's metadata, or ""."""
    if name in NAMED:
        return NAMED[name]
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    declared = [*about.get_all("License-Expression", []), *about.get_all("License", [])]
    declared += [
        each.rpartition(" :: ")[2] for each in about.get_all("Classifier", []) if "License ::" in each
    ]
    for words in declared:
        expression = SPELLINGS.get(words.strip(), words.strip())
        if expression and terms(expression) <= FREE | NOTICED:
            return str(expression)
    return ""


def python_packages() -> list[Package]:
    found = []
    for group in ("run", *lock.GROUPS):
        for entry in lock.entries((lock.FOLDER / f"{group}.txt").read_text()):
            name, version = re.match(r"(\S+)==(\S+)", entry).groups()  # type: ignore[union-attr]
            found.append(Package("pip", group, name, version, of_distribution(name)))
    torch = metadata.version("torch")
    return [*found, Package("pip", "run", "torch", torch, of_distribution("torch"))]


def npm_packages() -> list[Package]:
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    found = []
    for path, about in locked.items():
        name = path.rpartition("node_modules/")[2]
        if name:
            licence = NAMED.get(name) or about.get("license") or ""
            found.append(
                Package("npm", "dev" if about.get("dev") else "page", name, about["version"], licence)
            )
    return found


def noticed_in(notice: str) -> set[str]:
    """Returns the packages that lines of NOTICE name, as `- name (licence)`."""
    return set(re.findall(r"^- (\S+) \(", notice, re.MULTILINE))


def problems(packages: list[Package], notice: str) -> list[str]:
    named, owed = noticed_in(notice), {each.name: each for each in packages if each.is_noticed()}
    return [
        *(f"{each.name} {each.version}: no known licence ({each.licence or 'none declared'})"
          for each in packages if not each.is_known()),
        *(f"{name}: NOTICE does not name it ({owed[name].licence})" for name in sorted(set(owed) - named)),
        *(f"{name}: NOTICE names it, and it is not installed" for name in sorted(named - set(owed))),
    ]  # fmt: skip


def main() -> int:
    packages = [*python_packages(), *npm_packages()]
    for each in packages:
        print(f"{each.registry:4} {each.group:6} {each.name:34} {each.version:20} {each.licence}")  # noqa: T201
    found = problems(packages, (ROOT / "NOTICE").read_text())
    for line in found:
        print(line, file=sys.stderr)  # noqa: T201 - this is a command line
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
