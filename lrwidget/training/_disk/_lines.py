"""JSON values, one a line, each with a check: appended, and read up to the last whole line.

A line is itself JSON, ``{"n":17,"crc32":"1f00ab3c","line":{...}}``: its number from 0, the check
sum of number and value as they are written, and the value.
"""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path
from typing import Any

from lrwidget.training._disk._append import AppendFile
from lrwidget.training._disk._damage import Damaged
from lrwidget.training._disk._json import json_text

_LINE = re.compile(rb'\{"n":(0|[1-9][0-9]{0,17}),"crc32":"([0-9a-f]{8})","line":(.*)\}', re.DOTALL)


class Lines:
    """A file of lines, opened to append; a torn end is cut off.

    Parameters
    ----------
    path
        The file; made if there is none.

    Attributes
    ----------
    count
        How many lines it has.

    Raises
    ------
    Damaged
        If a line other than the last ones is not as it was written.
    """

    def __init__(self, path: Path):
        values, end = _scan(path)
        self.count = len(values)
        self._file = AppendFile(path, end)

    def append(self, value: Any) -> None:
        """Append `value`, JSON data; TypeError, and nothing appended, if it is not."""
        self._file.append(_line(self.count, value))
        self.count += 1

    def sync(self) -> None:
        """Return when the lines are on the disk."""
        self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_lines(path: Path) -> list[Any]:
    """Return the values in a file of lines, without a torn end; none where there is no file.

    Raises
    ------
    Damaged
        If a line other than the last ones is not as it was written; it names the line.
    """
    return _scan(path)[0]


def _line(number: int, value: Any) -> bytes:
    # JSON writes every character beyond ASCII as an escape, so a line break is always an end.
    text = json_text(value).encode("ascii")
    return b'{"n":%d,"crc32":"%08x","line":%b}\n' % (number, _check(b"%d" % number, text), text)


def _check(number: bytes, text: bytes) -> int:
    return zlib.crc32(text, zlib.crc32(number))


def _parsed(line: bytes) -> tuple[int, bytes] | None:
    """Return (number, text of the value) of a whole line, else None."""
    match = _LINE.fullmatch(line)
    if match is None or int(match[2], 16) != _check(match[1], match[3]):
        return None
    return int(match[1]), match[3]


def _scan(path: Path) -> tuple[list[Any], int]:
    """Return the values in the file and where the last whole line ends."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    # What follows the last line break, mostly nothing, is no whole line even if its check holds:
    # the next line would be glued to it.
    lines = data.split(b"\n")[:-1]
    values, end = [], 0
    for index, line in enumerate(lines):
        parsed = _parsed(line)
        if parsed is None:
            if any(_parsed(later) for later in lines[index + 1 :]):
                raise Damaged(f"line {index + 1} of {path} is damaged, and good ones follow it")
            break
        number, text = parsed
        if number != index:
            raise Damaged(f"line {index + 1} of {path} is damaged: it should be line {number + 1}")
        values.append(json.loads(text))
        end += len(line) + 1
    return values, end
