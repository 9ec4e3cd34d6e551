"""Plots as coordinates for SVG: the points, and the lines of the scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log10
from typing import Final, Literal

from reports.site.api import PlotPoint

Unit = Literal["seconds", "per cent"]
WIDTH: Final = 360
HEIGHT: Final = 120
LEFT: Final = 46
ABOVE: Final = 8
BELOW: Final = 20


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    point: PlotPoint
    value: str


@dataclass(frozen=True)
class Plot:
    """A plot of ``width`` by ``height``: its points from left to right, and its scale (y and label)."""

    dots: tuple[Dot, ...]
    scale: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT

    @property
    def line(self) -> str:
        return " ".join(f"{dot.x:g},{dot.y:g}" for dot in self.dots)


def plot(points: Sequence[PlotPoint], unit: Unit = "seconds") -> Plot:
    """Return the plot of points, oldest first, at equal distances; the scale begins at zero."""
    top = 100.0 if unit == "per cent" else scale_top(max((point.value for point in points), default=0))
    step = (WIDTH - LEFT - 8) / max(len(points) - 1, 1)
    floor = HEIGHT - BELOW
    dots = tuple(
        Dot(
            x=round(LEFT + step * place if len(points) > 1 else (LEFT + WIDTH) / 2, 1),
            y=round(floor - (floor - ABOVE) * point.value / top, 1),
            point=point,
            value=words(point.value, unit),
        )
        for place, point in enumerate(points)
    )
    scale = tuple((round(floor - (floor - ABOVE) * share, 1), words(top * share, unit)) for share in (0, 0.5, 1))
    return Plot(dots, scale)


def words(value: float, unit: Unit) -> str:
    if unit == "per cent":
        return f"{value:g} %"
    for size, unit_name in ((3600, "h"), (60, "min")):
        if value >= 2 * size:
            return f"{value / size:.3g} {unit_name}"
    return f"{value:.3g} s"


def scale_top(seconds: float) -> float:
    """Return the top of a scale of seconds: a round number of hours, minutes or seconds, the unit of the labels."""
    size = next((size for size in (3600, 60) if seconds > size), 1)
    return round_up(seconds / size) * size


def round_up(value: float) -> float:
    """Return the next larger of 1, 2, 3, 6 times a power of ten, but at least 1."""
    if value <= 1:
        return 1
    power = 10.0 ** (ceil(log10(value)) - 1)
    return next(times * power for times in (1, 2, 3, 6, 10) if times * power >= value)
