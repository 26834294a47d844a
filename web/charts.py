"""Line charts as plain geometry: the page draws them as SVG, so they need no script."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log10

STUB = 10  #: how long a line of one value is
GAPS = 4  #: between the lines of the grid
LEFT, RIGHT, TOP, BOTTOM = 48, 8, 10, 26  #: room for the axes' words


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name and a value for each label, or for the first ones: the rest is not known yet."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A line as SVG paths."""

    name: str
    path: str
    area: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A word at a place on an axis."""

    at: float
    text: str | float


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart at one size."""

    width: int
    height: int
    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]

    @property
    def base(self) -> int:
        """Where the axis of zero lies."""
        return self.height - BOTTOM


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart for wide and for narrow pages, and its numbers for a table."""

    labels: tuple[str, ...]
    series: tuple[Series, ...]
    wide: Drawing
    narrow: Drawing

    @property
    def known(self) -> int:
        """How many labels have a value in some series."""
        return max((len(one.values) for one in self.series), default=0)


def line_chart(labels: Sequence[str], series: Sequence[Series]) -> Chart:
    """Lay out one to three lines over the same labels, from zero up.

    Raises:
        ValueError: a series has more values than there are labels.
    """
    for one in series:
        if len(one.values) > len(labels):
            raise ValueError(f"{one.name!r} has {len(one.values)} values for {len(labels)} labels")
    return Chart(
        tuple(labels),
        tuple(series),
        _draw(labels, series, 760, 250, 12),
        _draw(labels, series, 350, 210, 5),
    )


def top_of(most: float) -> float:
    """Give the least round number (1, 2, 4, 6 or 8 times a power of ten) from 4 up that holds `most`."""
    if most <= GAPS:
        return GAPS
    unit = 10 ** int(log10(most))
    return next(step * unit for step in (1, 2, 4, 6, 8, 10, 20) if step * unit >= most)


def _draw(labels: Sequence[str], series: Sequence[Series], width: int, height: int, words: int) -> Drawing:
    top = top_of(max((value for one in series for value in one.values), default=0))
    base = height - BOTTOM
    step = (width - LEFT - RIGHT) / max(len(labels) - 1, 1)

    def place(index: int, value: float) -> str:
        return f"{LEFT + index * step:.1f},{base - value / top * (base - TOP):.1f}"

    lines = []
    for one in series:
        if not one.values:
            continue
        places = [place(index, value) for index, value in enumerate(one.values)]
        points = " L".join(places)
        dot = "" if len(places) > 1 else f" h{STUB}"  # the first hour alone is to be seen too
        last = LEFT + (len(one.values) - 1) * step
        lines.append(Line(one.name, f"M{points}{dot}", f"M{LEFT},{base} L{points} L{last:.1f},{base} Z"))
    every = ceil(len(labels) / words) or 1
    across = tuple(Tick(LEFT + n * step, label) for n, label in enumerate(labels) if n % every == 0)
    up = tuple(Tick(base - n / GAPS * (base - TOP), top * n / GAPS) for n in range(GAPS + 1))
    return Drawing(width, height, tuple(lines), across, up)
