"""`make bench`, `make bench ONLY=live`: prints a table, writes build/bench.jsonl."""

from __future__ import annotations

import sys
from importlib import import_module

from tests.bench import report

BENCHMARKS = (
    "live",
    "page",
    "render",
    "search",
    "opening",
    "engine",
    "steps",
    "many",
    "engines",
    "endtoend",
    "importer",
    "loading",
    "memory",
)


def main(asked: list[str]) -> int:
    unknown = set(asked) - set(BENCHMARKS)
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
        return 2
    figures: list[report.Figure] = []
    for name in asked or BENCHMARKS:
        print(f"--- {name}", flush=True)
        figures += import_module(f"tests.bench.{name}").run()
        report.write(figures)
    print(report.table(figures))
    return int(any(one.falls_short for one in figures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
