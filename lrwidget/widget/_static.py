"""Pictures in plain SVG: what a notebook shows where no front end runs (nbconvert, GitHub).

Light colours are attributes, so that a page that strips style sheets shows them; a style sheet
inside the picture puts the dark ones over them where the reader's system is dark.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import textwrap
from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lrwidget.widget import _columns

_WIDTH = 720
_HEIGHT = 220  # of one panel, its axis titles included
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 96, 26, 40
_POINTS = 700
_MARK_ROWS = 6
_NOTE_HEIGHT, _NOTE_GAP = 16, 10
_LONGEST = 104  # characters in a line of notes
_FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"

# Okabe and Ito's palette; in the dark the two deepest are lightened to keep their contrast.
_LIGHT = {
    "bg": "#ffffff",
    "fg": "#1f2328",
    "muted": "#59636e",
    "grid": "#e4e7eb",
    "s1": "#0072b2",
    "s2": "#d55e00",
    "s3": "#009e73",
    "s4": "#a8487f",
}
_DARK = {
    "bg": "#111418",
    "fg": "#e6e9ee",
    "muted": "#9aa4b0",
    "grid": "#2b3138",
    "s1": "#56b4e9",
    "s2": "#ff8c42",
    "s3": "#2fc89b",
    "s4": "#e08dbd",
}
_PAINTED = "".join(
    f".lrw-svg-f-{ink}{{fill:{colour}}}.lrw-svg-s-{ink}{{stroke:{colour}}}"
    for ink, colour in _DARK.items()
)

Ink = Literal["s1", "s2", "s3", "s4", "muted"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Line:
    """A curve; gaps where `y` is not finite."""

    x: NDArray[Any]
    y: NDArray[Any]
    label: str = ""
    ink: Ink = "s1"
    dash: str = ""
    faint: bool = False
    thin: bool = False
    dots: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mark:
    """A vertical line with a word at its head."""

    x: float
    label: str
    ink: Ink = "muted"
    solid: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Area:
    """What lies between two curves over the same places."""

    x: NDArray[Any]
    low: NDArray[Any]
    high: NDArray[Any]
    ink: Ink = "s1"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Band:
    """A stretch of the x axis, shaded over the whole height."""

    low: float
    high: float
    ink: Ink = "s3"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Panel:
    """One pair of axes and what is said below them; without any line, just that."""

    x_title: str
    y_title: str
    lines: Sequence[Line]
    marks: Sequence[Mark] = ()
    areas: Sequence[Area] = ()
    bands: Sequence[Band] = ()
    notes: Sequence[str] = ()  # sentences below the axes
    x_log: bool = False
    y_log: bool = False
    from_zero: bool = False
    y_most: float = math.inf  # what lies higher is drawn at the upper edge


def picture(panels: Sequence[Panel], *, title: str, description: str, adaptive: bool = True) -> str:
    """Return the panels, one below the other, as an SVG document.

    Parameters
    ----------
    panels
        From top to bottom.
    title
        The picture's name, shown above it and read out by a screen reader.
    description
        What a person would say who sees it.
    adaptive
        Whether it turns dark where the reader's system is; a file that is to look the same
        everywhere does not.
    """
    notes = [[line for n in panel.notes for line in textwrap.wrap(n, _LONGEST)] for panel in panels]
    body, height = [_text(title, _LEFT, 22, size=14, weight=600)], 34
    for panel, lines in zip(panels, notes, strict=True):
        if panel.lines:
            body.append(_panel(panel, height))
            height += _HEIGHT
        body.append(_notes(lines, height))
        height += _NOTE_GAP + _NOTE_HEIGHT * len(lines) if lines else 0
    body.insert(0, _rect("bg", 0, 0, _WIDTH, height))
    drawn = "".join(body)
    # Several pictures stand in one page: their labels must not be taken for one another's.
    key = hashlib.sha256((title + description + drawn).encode()).hexdigest()[:10]
    dark = f"<style>@media (prefers-color-scheme:dark){{{_PAINTED}}}</style>" if adaptive else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" '
        f'aria-labelledby="lrw-t-{key} lrw-d-{key}" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" style="max-width:100%;height:auto" '
        f'font-family="{_FONT}" font-size="12">'
        f'<title id="lrw-t-{key}">{escape(title)}</title>'
        f'<desc id="lrw-d-{key}">{escape(description)}</desc>'
        f"{dark}{drawn}</svg>"
    )


def rate_text(value: float) -> str:
    """Write a learning rate as the widget does: ``3.2e-3`` below 1e-2, else ``0.05``."""
    if value == 0 or abs(value) >= 1e-2:
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def steps_text(value: float) -> str:
    """Write a number of steps with thin spaces between thousands."""
    return f"{value:,.0f}".replace(",", "\N{THIN SPACE}")


def _panel(panel: Panel, top: int) -> str:
    x = _Axis.of([line.x for line in panel.lines], _LEFT, _WIDTH - _RIGHT, log=panel.x_log)
    spans = [band for band in panel.bands if x.shows(band.low) and x.shows(band.high)]
    y = _Axis.of(
        [line.y for line in panel.lines],
        top + _HEIGHT - _BOTTOM,
        top + _TOP,
        log=panel.y_log,
        from_zero=panel.from_zero,
        most=panel.y_most,
    )
    floor, ceiling = top + _HEIGHT - _BOTTOM, top + _TOP
    write_y = rate_text if panel.y_title.startswith("learning rate") else _number
    write_x = rate_text if panel.x_title.startswith("learning rate") else steps_text
    parts = [_text(panel.y_title, _LEFT - 52, top + 14, ink="muted")]
    parts += [_band(band, x, floor, ceiling) for band in spans]
    for value in y.ticks():
        at = y.place(value)
        parts.append(_rule(_LEFT, at, _WIDTH - _RIGHT, at))
        parts.append(_tick(write_y(value), _LEFT - 8, at + 4, "end"))
    for value in x.ticks():
        at = x.place(value)
        parts.append(_rule(at, floor, at, floor + 4))
        parts.append(_tick(write_x(value), at, floor + 17, "middle"))
    parts.append(_tick(panel.x_title, (_LEFT + _WIDTH - _RIGHT) / 2, floor + 34, "middle"))
    parts += [_area(area, x, y) for area in panel.areas]
    ends: list[tuple[float, Line]] = []
    for line in panel.lines:
        drawn, end = _line(line, x, y)
        parts.append(drawn)
        if line.label and end is not None:
            ends.append((end, line))
    parts += _marks(panel.marks, x, floor, ceiling)
    parts += _labels(ends)
    return "".join(parts)


def _band(band: Band, x: _Axis, floor: float, ceiling: float) -> str:
    left, right = sorted((x.place(band.low), x.place(band.high)))
    return (
        f'<rect class="lrw-svg-f-{band.ink}" fill="{_LIGHT[band.ink]}" opacity="0.18" '
        f'x="{left:.1f}" y="{ceiling:.1f}" width="{max(right - left, 1.0):.1f}" '
        f'height="{floor - ceiling:.1f}"/>'
    )


def _area(area: Area, x: _Axis, y: _Axis) -> str:
    columns = {"x": np.asarray(area.x), "low": np.asarray(area.low), "high": np.asarray(area.high)}
    rows = [
        (x.place(a), y.place(low), y.place(high))
        for a, low, high in zip(*_columns.thin(columns, "x", _POINTS).values(), strict=True)
        if x.shows(a) and y.shows(low) and y.shows(high)
    ]
    if len(rows) < 2:
        return ""
    outline = [(a, high) for a, _, high in rows] + [(a, low) for a, low, _ in reversed(rows)]
    path = "L".join(f"{a:.1f} {b:.1f}" for a, b in outline)
    return (
        f'<path class="lrw-svg-f-{area.ink}" fill="{_LIGHT[area.ink]}" opacity="0.18" '
        f'd="M{path}Z"/>'
    )


def _notes(lines: Sequence[str], top: float) -> str:
    return "".join(
        _text(line, _LEFT, top + _NOTE_HEIGHT * i + _NOTE_GAP) for i, line in enumerate(lines)
    )


def _marks(marks: Sequence[Mark], x: _Axis, floor: float, ceiling: float) -> list[str]:
    rules, words = [], []
    taken = [-math.inf] * _MARK_ROWS
    for mark in sorted(marks, key=lambda mark: mark.x):
        at = x.place(mark.x)
        dash = "" if mark.solid else "3 3"
        rules.append(_rule(at, ceiling, at, floor, ink=mark.ink, dash=dash))
        width = 6.2 * len(mark.label) + 8
        left = min(at + 4, _WIDTH - _RIGHT - width + 8)
        row = next((i for i, end in enumerate(taken) if left > end), None)
        if mark.label and row is not None:
            taken[row] = left + width
            place = ceiling + 10 + 14 * row
            words.append(_text(mark.label, left, place, ink=mark.ink, size=11, halo=True))
    return rules + words


def _line(line: Line, x: _Axis, y: _Axis) -> tuple[str, float | None]:
    columns = _columns.thin({"x": np.asarray(line.x), "y": np.asarray(line.y)}, "x", _POINTS)
    places: list[tuple[float, float] | None] = [
        (x.place(a), y.place(b)) if x.shows(a) and y.shows(b) else None
        for a, b in zip(columns["x"].tolist(), columns["y"].tolist(), strict=True)
    ]
    known = [place for place in places if place is not None]
    if not known:
        return "", None
    opacity = ' opacity="0.4"' if line.faint else ""
    if line.dots or len(known) == 1:
        drawn = "".join(
            f'<circle class="lrw-svg-f-{line.ink}" fill="{_LIGHT[line.ink]}" '
            f'cx="{a:.1f}" cy="{b:.1f}" r="{1.6 if line.faint else 2.5}"/>'
            for a, b in known
        )
        return f"<g{opacity}>{drawn}</g>", known[-1][1]
    path, pen = [], "M"
    for place in places:
        if place is None:
            pen = "M"
        else:
            path.append(f"{pen}{place[0]:.1f} {place[1]:.1f}")
            pen = "L"
    dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
    width = 1 if line.thin else 1.8
    drawn = (
        f'<path class="lrw-svg-s-{line.ink}" stroke="{_LIGHT[line.ink]}" fill="none" '
        f'stroke-width="{width}" stroke-linejoin="round"{dash}{opacity} d="{"".join(path)}"/>'
    )
    return drawn, known[-1][1]


def _labels(ends: list[tuple[float, Line]]) -> list[str]:
    parts = []
    free = -math.inf
    for at, line in sorted(ends, key=lambda end: end[0]):
        free = max(at + 4, free + 14)
        parts.append(_text(line.label, _WIDTH - _RIGHT + 6, free, ink=line.ink, size=11))
    return parts


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Axis:
    """From values to pixels."""

    low: float
    high: float
    start: float
    stop: float
    log: bool

    @classmethod
    def of(
        cls,
        arrays: Sequence[NDArray[Any]],
        start: float,
        stop: float,
        *,
        log: bool,
        from_zero: bool = False,
        most: float = math.inf,
    ) -> _Axis:
        values = np.concatenate([np.asarray(a, dtype=np.float64) for a in arrays])
        values = values[np.isfinite(values) & ((values > 0) | (not log))]
        low, high = (float(values.min()), float(values.max())) if values.size else (1.0, 10.0)
        high = max(low, min(high, most))
        if from_zero:
            low = min(0.0, low)
        if low == high:
            margin = 0.5 * abs(low) or 0.5
            low, high = (low / 2, high * 2) if log else (low - margin, high + margin)
        return cls(low=low, high=high, start=start, stop=stop, log=log)

    def shows(self, value: float) -> bool:
        return math.isfinite(value) and (value > 0 or not self.log)

    def place(self, value: float) -> float:
        scale: Callable[[float], float] = math.log10 if self.log else float
        share = (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))
        return self.start + min(max(share, 0.0), 1.0) * (self.stop - self.start)

    def ticks(self) -> list[float]:
        """Return about five round values inside the range."""
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            if last > first:
                stride = max(1, math.ceil((last - first) / 6))
                return [10.0**k for k in range(first, last + 1, stride)]
        raw = (self.high - self.low) / 4
        unit = 10.0 ** math.floor(math.log10(raw))
        stride_size = next(unit * m for m in (1, 2, 5, 10) if unit * m >= raw * 0.999)
        first = math.ceil(self.low / stride_size - 1e-9)
        last = math.floor(self.high / stride_size + 1e-9)
        return [k * stride_size for k in range(first, last + 1)]


def _number(value: float) -> str:
    return f"{value:.3g}"


def _rect(ink: str, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect class="lrw-svg-f-{ink}" fill="{_LIGHT[ink]}" '
        f'x="{x}" y="{y}" width="{width}" height="{height}" rx="4"/>'
    )


def _rule(x1: float, y1: float, x2: float, y2: float, *, ink: str = "grid", dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line class="lrw-svg-s-{ink}" stroke="{_LIGHT[ink]}"{dashed} '
        f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
    )


def _tick(text: str, x: float, y: float, anchor: str) -> str:
    return _text(text, x, y, ink="muted", size=11, anchor=anchor)


def _text(
    text: str,
    x: float,
    y: float,
    *,
    ink: str = "fg",
    size: int = 12,
    weight: int = 400,
    anchor: str = "start",
    halo: bool = False,
) -> str:
    # A halo in the colour of the paper keeps a word legible where a curve passes behind it.
    classes = f"lrw-svg-f-{ink}" + (" lrw-svg-s-bg" if halo else "")
    around = f' stroke="{_LIGHT["bg"]}" stroke-width="3" paint-order="stroke"' if halo else ""
    return (
        f'<text class="{classes}" fill="{_LIGHT[ink]}"{around} x="{x:.1f}" y="{y:.1f}" '
        f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">{escape(text)}</text>'
    )
