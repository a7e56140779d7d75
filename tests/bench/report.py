"""Figures of the benchmarks: a table for people, build/bench.jsonl for programs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "build" / "bench.jsonl"


@dataclass(frozen=True, slots=True)
class Figure:
    """`floor` must be reached, `aim` is what we want; `against` and `ratio` compare with something else."""

    name: str
    value: float
    unit: str
    against: float | None
    ratio: float | None
    better: str  # "higher" or "lower"
    floor: float | None
    aim: float | None
    rounds: int
    spread: float  # largest minus smallest round

    @property
    def judged(self) -> float:
        return self.value if self.ratio is None else self.ratio

    @property
    def falls_short(self) -> bool:
        if self.floor is None:
            return False
        return self.judged < self.floor if self.better == "higher" else self.judged > self.floor


def figure(
    name: str,
    rounds: Sequence[float],
    unit: str,
    *,
    better: str = "lower",
    against: Sequence[float] | None = None,
    floor: float | None = None,
    aim: float | None = None,
) -> Figure:
    """The median of the rounds. With `against`, floor and aim are of the ratio, taken in each round."""
    ratio = other = None
    if against is not None:
        ratio = statistics.median(mine / theirs for mine, theirs in zip(rounds, against, strict=True))
        other = statistics.median(against)
    return Figure(
        name,
        round(statistics.median(rounds), 3),
        unit,
        other if other is None else round(other, 3),
        ratio if ratio is None else round(ratio, 3),
        better,
        floor,
        aim,
        len(rounds),
        round(max(rounds) - min(rounds), 3),
    )


def write(figures: Sequence[Figure]) -> None:
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text("".join(f"{json.dumps(asdict(one))}\n" for one in figures))


def table(figures: Sequence[Figure]) -> str:
    rows = [("figure", "value", "unit", "against", "ratio", "floor", "spread", "rounds", "")]
    for one in figures:
        rows.append(
            (
                one.name,
                f"{one.value:g}",
                one.unit,
                "" if one.against is None else f"{one.against:g}",
                "" if one.ratio is None else f"{one.ratio:.2f}",
                "" if one.floor is None else f"{'>=' if one.better == 'higher' else '<='} {one.floor:g}",
                f"{one.spread:g}",
                str(one.rounds),
                "FALLS SHORT" if one.falls_short else "",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
