"""What is done with measurements: percentiles, rows, and the table they are shown in. Plain values in, text out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def percentile(measured: Iterable[float], percent: float) -> float:
    """The smallest measurement that `percent` of them do not exceed (nearest rank). Raises ValueError where there is none."""
    ordered = sorted(measured)
    if not ordered:
        raise ValueError("nothing was measured")
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def median(measured: Iterable[float]) -> float:
    return percentile(measured, 50)


@dataclass(frozen=True)
class Row:
    """One line of the table. `floor` is the same thing without Gatehouse, or as little of it as can be; `target` is design.md's."""

    what: str
    figure: float
    unit: str
    target: str
    is_met: bool
    floor: float | None = None
    floor_is: str = ""

    @property
    def ratio(self) -> float | None:
        return self.figure / self.floor if self.floor else None


HEAD = ("What", "Figure", "Floor", "Ratio", "Target", "")


def shown(number: float | None, unit: str = "") -> str:
    """Three significant digits, more only before the point."""
    if number is None:
        return "–"
    if number >= 100:
        text = f"{number:,.0f}"
    elif number >= 10:
        text = f"{number:.1f}"
    else:
        text = f"{number:.2f}"
    if text.partition(".")[2].strip("0") == "":
        text = text.partition(".")[0]
    return f"{text} {unit}".strip()


def cells(row: Row) -> tuple[str, ...]:
    floor = f"{shown(row.floor, row.unit)} {row.floor_is}".strip() if row.floor is not None else "–"
    mark = "" if row.is_met else "MISSED"
    return (row.what, shown(row.figure, row.unit), floor, shown(row.ratio), row.target, mark)


def table(rows: Sequence[Row]) -> str:
    """Aligned columns; numbers of figure and ratio to the right, so that they can be compared."""
    lines = [HEAD, *map(cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    to_the_right = {HEAD.index("Figure"), HEAD.index("Ratio")}
    texts = [
        "  ".join(
            cell.rjust(width) if column in to_the_right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    texts.insert(1, "  ".join("─" * width for width in widths).rstrip())
    return "\n".join(texts)
