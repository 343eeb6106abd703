"""A design as text: the code that is proved, code for other frameworks, data and a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypedDict

from lrwidget.schedules import Schedule
from lrwidget.schedules._export._code import Source
from lrwidget.schedules._export._frameworks import write_tracks
from lrwidget.widget._file import design_text
from lrwidget.widget._pictures import schedule_svg
from lrwidget.widget._tracks import ADDRESS, Design, code_name

FORMATS = ("optax", "pytorch", "keras", "json", "csv", "svg")
"""What a design can be exported as."""

_OPTIMIZER = "optimizer"


class Exported(TypedDict):
    """A text, the name of a file for it, and its MIME type."""

    text: str
    name: str
    type: str


@dataclasses.dataclass(frozen=True)
class Written:
    """Source text, the curves that it defines, and what it leaves out, in words."""

    text: str
    curves: Mapping[str, Schedule]
    optimizer: str = ""
    note: str = ""


def written(design: Design) -> Written:
    """Return the design as Optax code: the whole chain, or each curve under its name."""
    curves = design.curves()
    note = ""
    if design.chain is not None:
        try:
            return Written(design.chain.to_code(_OPTIMIZER), curves, _OPTIMIZER)
        except ValueError as error:
            # A mask that no import can find: the schedules are still worth their text.
            note = f"only the schedule{'s' if design.tracks else ''}: {error}"
    source = Source(reserved=curves)
    for name, curve in curves.items():
        source.schedule(curve, name)
    return Written(source.text(), curves, note=note)


def exported(design: Design, format: str, track: str | None = None) -> Exported:  # noqa: A002
    """Return the design in one of `FORMATS`.

    Code and the picture hold every curve. JSON and CSV hold the one called `track`; without that,
    JSON holds the whole design (a chain only if it has nothing that JSON cannot hold), and CSV the
    learning rate.
    """
    one = None if track in (None, ADDRESS) else design.find(str(track))
    curve = design.schedule if one is None else design.tracks[one]
    name = ADDRESS if one is None else code_name(design.label(one))
    match format:
        case "optax":
            return _file(written(design).text, "schedule.py", "text/x-python")
        case "pytorch" | "keras":
            text = write_tracks(design.curves(), format)
            return _file(text, f"schedule_{format}.py", "text/x-python")
        case "json":
            whole = track is None and (bool(design.tracks) or design.base is not None)
            text = _whole(design) if whole else curve.to_json()
            return _file(text, "design.json" if whole else f"{name}.json", "application/json")
        case "csv":
            return _file(curve.to_csv(), f"{name}.csv", "text/csv")
        case _:
            svg = schedule_svg(design.schedule, design.labelled(), adaptive=False)
            return _file(svg, "schedule.svg", "image/svg+xml")


def _whole(design: Design) -> str:
    try:
        return design_text(design.schedule, design.tracks, design.base)
    except ValueError:
        return design_text(design.schedule, design.tracks)


def _file(text: str, name: str, type: str) -> Exported:  # noqa: A002
    return {"text": text, "name": name, "type": type}
