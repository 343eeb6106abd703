"""A design on disk: written at every committed edit, read when the cell runs again."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from lrwidget.optimizers import ALL, Chain
from lrwidget.optimizers._json import from_node, to_node
from lrwidget.schedules import Schedule
from lrwidget.schedules._json import document, parse_document

SCHEMA = "lrwidget/design"
VERSION = 1
# With a chain, which older versions of lrwidget would not bring back.
_CHAIN_VERSION = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kept:
    """A design that was read.

    Attributes
    ----------
    schedule
        The learning rate.
    tracks
        The schedules beside it; None where there never were any.
    chained
        Whether a chain was kept too.
    chain
        That chain with plain numbers; None where it had been taken away.
    given
        What `outline` told of the chain in the code when it was kept.
    unread
        Why the chain cannot be read; empty where it can be.
    """

    schedule: Schedule
    tracks: dict[str, Schedule] | None = None
    chained: bool = False
    chain: Chain | None = None
    given: dict[str, Any] | None = None
    unread: str = ""


def design_text(
    schedule: Schedule,
    tracks: Mapping[str, Schedule],
    chain: Chain | None = None,
    given: dict[str, Any] | None = None,
    *,
    chained: bool | None = None,
) -> str:
    """Return a schedule, its tracks and its chain as JSON text with its schema and version.

    Raises
    ------
    ValueError
        If the chain holds an object that JSON cannot.
    """
    content: dict[str, Any] = {
        "schedule": schedule.to_node(),
        "tracks": {name: track.to_node() for name, track in tracks.items()},
    }
    if not (chain is not None if chained is None else chained):
        return document(SCHEMA, VERSION, content)
    content["chain"] = None if chain is None else to_node(chain)
    return document(SCHEMA, _CHAIN_VERSION, {**content, "given": given})


def read_design(text: str) -> Kept:
    """Return what `design_text` or `Schedule.to_json` wrote.

    Raises
    ------
    ValueError
        If it cannot be read; the message says where.
    """
    try:
        head = json.loads(text)
        schema, version = head.get("schema"), head.get("version")
    except (ValueError, RecursionError, AttributeError):
        schema = version = None
    if schema != SCHEMA:
        return Kept(schedule=Schedule.from_json(text))
    chained = version == _CHAIN_VERSION
    fields = {"schedule", "tracks"} | ({"chain", "given"} if chained else set())
    content = parse_document(text, SCHEMA, _CHAIN_VERSION if chained else VERSION, fields)
    if not isinstance(content["tracks"], dict):
        raise ValueError(  # noqa: TRY004  (of JSON text, whatever is wrong is its value)
            f"tracks must be a JSON object, got {content['tracks']!r:.80}"
        )
    tracks = {}
    for name, node in content["tracks"].items():
        try:
            tracks[name] = Schedule.from_node(node)
        except ValueError as error:
            raise ValueError(f"the track {name!r}: {error}") from None
    kept = Kept(schedule=Schedule.from_node(content["schedule"]), tracks=tracks)
    if not chained:
        return kept
    kept = dataclasses.replace(kept, chained=True, given=content["given"])
    try:
        if content["chain"] is None:
            return kept
        links, groups = from_node(content["chain"])
        return dataclasses.replace(kept, chain=Chain(*links, groups=groups))
    except (ValueError, TypeError) as error:
        # A plug-in that is no longer there: the curves are worth as much without it.
        return dataclasses.replace(kept, unread=str(error))


def outline(chain: Chain | None) -> dict[str, Any] | None:
    """Return what tells one chain from another: all of it but the number of its learning rate."""
    if chain is None:
        return None
    node = to_node(chain, keep=_named)
    label, _, rate = (chain.rate or "").rpartition(".")
    for link, (known, _) in zip(node["links"], chain.labelled_in(ALL), strict=True):
        if known == label:
            link["hyperparameters"].pop(rate, None)
    return node


def _named(_: str, thing: Any) -> Any:
    """Return what tells one object that JSON cannot hold, or an inner chain, from another."""
    if isinstance(thing, Chain):
        return to_node(thing, keep=_named)
    return getattr(thing, "__qualname__", repr(type(thing)))


# What is said of an edit until one can be written.
_PASSING = "not on disk"


class DesignFile:
    """The file given as ``path=``.

    It holds what `Schedule.to_json` gives as long as there never was a track, else what
    `design_text` gives; a chain only where it is not the one in the code. A file that cannot be
    read is never lost: it stays as it is, and the first edit moves it aside.

    Parameters
    ----------
    path
        Where the file is or will be; its folder must exist.
    chain
        The chain in the code, with plain numbers.

    Raises
    ------
    TypeError, ValueError
        If `path` is not a path, is a folder, or lies in a folder that does not exist.

    Attributes
    ----------
    name
        The path as it was given.
    warning
        What a person should know of the file; None if there is nothing.
    given
        What `outline` tells of the chain in the code.
    tracked
        Whether tracks are written even where there are none: as soon as there have been some,
        "none" is something to remember.
    """

    def __init__(self, path: str | os.PathLike[str], chain: Chain | None = None) -> None:
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise TypeError(f"path must be the path of a JSON file, got {path!r}")
        self.name = str(path)
        self.path = pathlib.Path(path).absolute()
        if self.path.is_dir():
            raise ValueError(f"path must be a file, got the folder {self.name!r}")
        if not self.path.parent.is_dir():
            raise ValueError(f"path must lie in a folder that exists, got {self.name!r}")
        self.warning: str | None = None
        self.given = outline(chain)
        self.tracked = False
        self._broken = False

    def load(self) -> Kept | None:
        """Return what is on disk; None, with a `warning`, where there is nothing to be read."""
        try:
            kept = read_design(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self.mistrust(
                f"{self.name} could not be read, so this design does not come from it: {error}."
            )
            return None
        self.tracked = kept.tracks is not None
        return kept

    def mistrust(self, why: str) -> None:
        """Warn that the file holds what is not in the design; the first edit moves it aside."""
        self._broken = True
        self.warning = (
            f"{why} The file is left as it is; the first edit moves it to {self._aside().name}."
        )

    def save(
        self, schedule: Schedule, tracks: Mapping[str, Schedule], chain: Chain | None = None
    ) -> bool:
        """Write the design, whole or not at all; False, with a `warning`, if it cannot be."""
        self.tracked = self.tracked or bool(tracks)
        text, lacks = self._text(schedule, tracks, chain)
        try:
            moved = self._move_aside() if self._broken else None
            self._replace(text + "\n")
        except OSError as error:
            self.warning = f"{self.name} could not be written: {error}. The edit is {_PASSING}."
            return False
        if moved is not None:
            self.warning = f"What {self.name} held before is not lost; it is now {moved}."
        elif self.warning is not None and _PASSING in self.warning:
            self.warning = None
        if lacks:
            self.warning = f"{self.name} is without the chain, which is {_PASSING}: {lacks}."
        return True

    def _text(
        self, schedule: Schedule, tracks: Mapping[str, Schedule], chain: Chain | None
    ) -> tuple[str, str]:
        """Return the text of a design, and why the chain is not in it."""
        lacks = ""
        if outline(chain) != self.given:
            try:
                return design_text(schedule, tracks, chain, self.given, chained=True), ""
            except ValueError as error:
                lacks = str(error)
        return (design_text(schedule, tracks) if self.tracked else schedule.to_json()), lacks

    def _replace(self, text: str) -> None:
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            temporary.write_text(text, encoding="utf-8")
            if self.path.exists():
                temporary.chmod(self.path.stat().st_mode & 0o777)
            temporary.replace(self.path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _move_aside(self) -> str:
        aside = self._aside()
        self.path.rename(aside)
        self._broken = False
        return aside.name

    def _aside(self) -> pathlib.Path:
        aside = self.path.with_name(f"{self.path.name}.broken")
        count = 1
        while aside.exists():
            count += 1
            aside = self.path.with_name(f"{self.path.name}.broken-{count}")
        return aside
