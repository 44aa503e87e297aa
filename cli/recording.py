"""Recorded windows, as `candlefish judge` reads them: a line of JSON per window."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, NoReturn

import msgspec
import numpy as np
from numpy.typing import NDArray

from candlefish.analysis.model import FAMILIES, Arm, Survey, Window
from candlefish.bounds import LAST_MOMENT, fit
from candlefish.errors import InvalidInput
from cli.recording_errors import LARGEST_COUNT, why_no_counts, why_no_file, why_no_row

# Read instead of a file of that name.
STANDARD_INPUT = Path("-")
Moments = NDArray[np.float64]
Number = int | float


class Counts(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One version's part of a line. Other tools write whole numbers as floats, too."""

    requests: Number
    errors: Number | None = None
    slow: Number | None = None
    counters: dict[str, Number] | None = None
    beside: dict[str, tuple[Number, Number]] | None = None
    # Of windows as the product has them; it tells the function's looks something, and the comparison nothing.
    memory: tuple[Number, Number] | None = None


class Row(msgspec.Struct, gc=False):
    """One line of a recording; what else is in it is not looked at."""

    stream: str | int
    # RFC 3339, or a number (`epoch`).
    start: str | float
    end: str | float
    baseline: Counts
    canary: Counts


class Recording(NamedTuple):
    """Windows by stream and time: those of stream `n` are `first[n]` to `first[n + 1]`."""

    # The number of each stream, in the order in which the file names them.
    streams: dict[str, int]
    first: NDArray[np.int64]
    rows: list[Row]
    start: Moments
    end: Moments
    # Requests, errors and slow requests: (versions, windows, 3), the baseline first.
    counts: NDArray[np.float64]

    def untold(self, metrics: Sequence[str]) -> list[tuple[str, ...]]:
        """By number of stream: the metrics that none of its windows tells; slow requests may be left out."""
        missing: list[list[str]] = [[] for _ in self.streams]
        for name in metrics:
            if name == "slow":
                continue
            if name == "errors":
                told = [row.baseline.errors is not None or row.canary.errors is not None for row in self.rows]
            else:
                told = [
                    name in (row.baseline.counters or ()) or name in (row.canary.counters or ())
                    for row in self.rows
                ]
            silent = ~np.logical_or.reduceat(np.array(told), self.first[:-1])
            for number in np.flatnonzero(silent).tolist():
                missing[number].append(name)
        return [tuple(names) for names in missing]

    def windows(self, name: str) -> list[Window]:
        """One stream's windows, by their start; none of a stream that is not there."""
        number = self.streams.get(name)
        if number is None:
            return []
        begin, stop = int(self.first[number]), int(self.first[number + 1])
        rows = self.rows[begin:stop]
        times = zip(self.start[begin:stop].tolist(), self.end[begin:stop].tolist(), strict=True)
        return [
            Window(start, end, _arm(row.baseline), _arm(row.canary), source="recording")
            for row, (start, end) in zip(rows, times, strict=True)
        ]


def read(file: Path) -> Recording:
    """Read a recording; `-` is standard input.

    Raises
    ------
    InvalidInput
        With the line at fault and what it should look like.
    """
    rows, lines = _rows(file)
    if not rows:
        raise InvalidInput(
            f"{_called(file)} holds no windows; write a line of JSON per window (candlefish judge --help)"
        )
    start, end = _moments([row.start for row in rows]), _moments([row.end for row in rows])
    for name, moments in (("start", start), ("end", end)):
        for at in _first(np.isnan(moments)):
            _refuse(
                file,
                lines[at],
                f"{name} is {fit(repr(getattr(rows[at], name)), 60)}, which is no time from 1970 to 2099; write RFC 3339 "
                "(2026-11-24T10:00:00Z) or epoch seconds; milliseconds, microseconds and nanoseconds are understood",
            )
    for at in _first(end <= start):
        _refuse(file, lines[at], f"the window ends at {rows[at].end}, not after its start {rows[at].start}")
    counts = np.stack([_counts(file, side, rows, lines) for side in ("baseline", "canary")])
    recording, order = _by_stream(file, rows, lines, start, end)
    return recording._replace(counts=counts[:, order])


def epoch(moment: str | float) -> float:
    """Epoch seconds of a time as tools write it; NaN for what is none from 1970 to 2099.

    A text is RFC 3339, in UTC where it has no offset. A number is epoch seconds, milliseconds, microseconds or
    nanoseconds, whichever of them falls between 1973 and 2099 (seconds: 1970).
    """
    if isinstance(moment, str):
        try:
            read_ = msgspec.convert(moment, datetime)
        except msgspec.ValidationError:
            return np.nan
        seconds = (read_ if read_.tzinfo else read_.replace(tzinfo=UTC)).timestamp()
        return seconds if 0 <= seconds <= LAST_MOMENT else np.nan
    if 0 <= moment <= LAST_MOMENT:
        return float(moment)
    for unit in (1e3, 1e6, 1e9):
        if _UNMISTAKABLE <= moment / unit <= LAST_MOMENT:
            return moment / unit
    return np.nan


# So long after 1970 begins what may be read as another unit of time.
_UNMISTAKABLE = 1e8
_ROWS = msgspec.json.Decoder(Row)
# How much windows may overlap: times in nanoseconds are rounded.
_TINY = 1e-6


def _rows(file: Path) -> tuple[list[Row], Sequence[int]]:
    """The rows of a file as they are written, and the number of each one's line."""
    data = _bytes(file)
    if why := why_no_file(data):
        raise InvalidInput(f"{_called(file)} {why}")
    data = data.removeprefix(b"\xef\xbb\xbf")
    # Millions of small values and no cycles among them.
    gc.disable()
    try:
        try:
            rows = _ROWS.decode_lines(data)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            rows = []
        if len(rows) == data.rstrip().count(b"\n") + 1:
            return rows, range(1, len(rows) + 1)
        return _line_by_line(file, data)
    finally:
        gc.enable()


def _line_by_line(file: Path, data: bytes) -> tuple[list[Row], list[int]]:
    rows, lines = [], []
    for number, line in enumerate(data.splitlines(), 1):
        if line and not line.isspace():
            try:
                rows.append(_ROWS.decode(line))
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
                raise InvalidInput(f"{_called(file)} line {number}{why_no_row(line, error)}") from error
            lines.append(number)
    return rows, lines


def _bytes(file: Path) -> bytes:
    if file == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except IsADirectoryError as error:
        raise InvalidInput(f"{file} is a directory; name a file, or - for standard input") from error
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}; name a file that is there") from error


def _moments(values: Sequence[str | float]) -> Moments:
    known = {value: epoch(value) for value in set(values)}
    return np.fromiter(map(known.__getitem__, values), float, len(values))


def _counts(file: Path, side: str, rows: Sequence[Row], lines: Sequence[int]) -> NDArray[np.float64]:
    """One version's counts, (windows, 3). All rows are checked at once; who may be at fault is looked at alone."""
    arms: list[Counts] = [getattr(row, side) for row in rows]
    doubtful = [at for at, arm in enumerate(arms) if arm.counters is not None or arm.beside is not None]
    try:
        columns = (
            [arm.requests for arm in arms],
            [arm.errors or 0 for arm in arms],
            [arm.slow or 0 for arm in arms],
        )
        table = np.stack([np.fromiter(column, float, len(arms)) for column in columns], axis=1)
    # A number of hundreds of digits is no float.
    except OverflowError:
        doubtful, table = list(range(len(arms))), np.zeros((0, 3))
    most = table.max(1)
    wrong = (table != np.floor(table)).any(1) | (table.min(1) < 0) | (most > LARGEST_COUNT)
    wrong |= most > table[:, 0]
    for at in sorted({*np.flatnonzero(wrong).tolist(), *doubtful}):
        if why := why_no_counts(arms[at]):
            _refuse(file, lines[at], f"{side} {why}")
    return table


def _by_stream(
    file: Path, rows: list[Row], lines: Sequence[int], start: Moments, end: Moments
) -> tuple[Recording, NDArray[np.intp]]:
    called = [row.stream for row in rows]
    numbers: dict[str, int] = {}
    numbered = {name: numbers.setdefault(str(name), len(numbers)) for name in dict.fromkeys(called)}
    stream = np.fromiter(map(numbered.__getitem__, called), np.int64, len(rows))
    order = np.lexsort((start, stream))
    stream, start, end = stream[order], start[order], end[order]
    again = (stream[1:] == stream[:-1]) & (start[1:] < end[:-1] - _TINY)
    for at in _first(again):
        earlier, later = sorted((int(order[at]), int(order[at + 1])))
        same = start[at] == start[at + 1] and end[at] == end[at + 1]
        what = "is the same window as" if same else "overlaps the window in"
        row = rows[later]
        local = isinstance(row.start, str) and msgspec.convert(row.start, datetime).tzinfo is None
        _refuse(
            file,
            lines[later],
            f"this {what} line {lines[earlier]} of stream {fit(str(row.stream), 60)!r}; windows follow each other, "
            "each written once"
            + (
                " (times without an offset are read as UTC; write local times with their offset)"
                if local
                else ""
            ),
        )
    first = np.searchsorted(stream, np.arange(len(numbers) + 1))
    ordered = [rows[at] for at in order.tolist()]
    return Recording(numbers, first, ordered, start, end, np.zeros(0)), order


def _arm(counts: Counts) -> Arm:
    return Arm(
        int(counts.requests),
        int(counts.errors or 0),
        int(counts.slow or 0),
        {name: int(count) for name, count in (counts.counters or {}).items()},
        {stream_of(name): (int(much), int(bad)) for name, (much, bad) in (counts.beside or {}).items()},
    )


def stream_of(name: str) -> str:
    """What the judge calls a stream beside the counts: edges are written in one way."""
    return f"over:{float(name[5:]):g}" if name.startswith("over:") else name


def survey_of(beside: Iterable[str]) -> Survey:
    """What is told apart, by the names of streams beside the counts."""
    names = sorted({stream_of(name) for name in beside})
    parts = {family: [name for name in names if name.startswith(f"{family}:")] for family in FAMILIES}
    return Survey(
        edges=tuple(sorted(float(name[5:]) for name in parts["over"])),
        places=tuple(name[3:] for name in parts["at"]),
        kinds=tuple(name[5:] for name in parts["kind"]),
        uses=tuple(parts["use"]),
    )


def _first(wrong: NDArray[np.bool_]) -> Iterator[int]:
    """The first that is wrong, if any."""
    if wrong.any():
        yield int(wrong.argmax())


def _refuse(file: Path, line: int, why: str) -> NoReturn:
    raise InvalidInput(f"{_called(file)} line {line}: {why}")


def _called(file: Path) -> str:
    return "standard input" if file == STANDARD_INPUT else str(file)
