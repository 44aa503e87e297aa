"""What is wrong with a recording, and what to do about it: the line that a person reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from candlefish.analysis.model import FAMILIES
from candlefish.bounds import fit

if TYPE_CHECKING:
    from cli.recording import Counts

# A window with more requests is none of ours, and sums of numbers beyond are not exact.
LARGEST_COUNT = 10**12
HELP = "see candlefish judge --help for the fields of a row"

_UNPACK = "unpack it first, as in: {} FILE | candlefish judge -"
_UTF16 = "is UTF-16 or UTF-32; write UTF-8, as in: iconv -f UTF-16 -t UTF-8 FILE | candlefish judge -"
# How files begin that are no recording.
_BEGINNINGS = (
    (b"\x1f\x8b", "is compressed by gzip; " + _UNPACK.format("gunzip -c")),
    (b"\x28\xb5\x2f\xfd", "is compressed by zstd; " + _UNPACK.format("zstd -dc")),
    (b"BZh", "is compressed by bzip2; " + _UNPACK.format("bunzip2 -c")),
    (b"\xfd7zXZ\0", "is compressed by xz; " + _UNPACK.format("xz -dc")),
    (b"PK\x03\x04", "is a ZIP archive (or a spreadsheet); " + _UNPACK.format("unzip -p")),
    (b"PAR1", "is Parquet; write a line of JSON per window"),
    (b"\xff\xfe", _UTF16),
    (b"\xfe\xff", _UTF16),
)
_NO_NUMBER = re.compile(rb'(?<![\w"])-?(NaN|nan|NAN|Infinity|Inf|inf)(?![\w"])')


def why_no_file(data: bytes) -> str:
    """Why bytes are no recording at all, as far as their beginning tells; or nothing."""
    for beginning, why in _BEGINNINGS:
        if data.startswith(beginning):
            return why
    return _UTF16 if b"\0" in data[:4] else ""


def why_no_row(line: bytes, error: Exception) -> str:
    """Why a line is no row, said after its number; `error` is what the reader of JSON said."""
    text = line.strip()
    if isinstance(error, UnicodeDecodeError):
        return f" is not UTF-8 (byte 0x{error.object[error.start]:02x}); save the file as UTF-8"
    if number := _NO_NUMBER.search(text):
        return (
            f" is not JSON: it holds {number[0].decode()}, which is no number; a count that is not known is none: "
            "leave the window out"
        )
    if text.startswith(b"["):
        return ": this is an array; write an object per line, as in: jq -c '.[]' FILE | candlefish judge -"
    if b"{" not in text:
        looks = re.search(rb"[,;\t]", text) and not text.startswith(b'"')
        return (
            " is not JSON but looks like CSV"
            if looks
            else f" is not JSON: {fit(text.decode(errors='replace'), 60)!r}"
        ) + f"; write a JSON object per line, {HELP}"
    if text in (b"{", b"}") or not text.endswith(b"}"):
        return (
            " is not JSON, or not all of it: it is cut off, or goes on in the next line; "
            "write each object in one line, as in: jq -c . FILE | candlefish judge -"
        )
    said = fit(str(error), 300)
    if "malformed" in said or "truncated" in said or isinstance(error, RecursionError):
        return f" is not JSON: {said}; write a JSON object per line"
    return f": {said}; {HELP}"


def why_no_counts(arm: Counts) -> str:
    """What is wrong with one version's counts, said after its name; or nothing."""
    for name, count in _named(arm):
        if count < 0:
            return f"has a count of {fit(str(count), 40)} {name}; counts are 0 or more"
        if count > LARGEST_COUNT:
            return f"has a count of more than {LARGEST_COUNT:,} {name}, which no window has"
        if count != int(count):
            return (
                f"has a count of {count} {name}; counts are whole numbers: multiply rates by the window's length, "
                "round what Prometheus' increase() guesses"
            )
    events = {"errors": arm.errors or 0, "slow": arm.slow or 0, **(arm.counters or {})}
    for name, count in events.items():
        if count > arm.requests:
            return (
                f"has {count:.0f} {fit(name, 60)} among {arm.requests:.0f} requests; "
                "errors, slow and counters are part of the requests"
            )
    for name, (much, bad) in (arm.beside or {}).items():
        if why := _why_not_beside(name, much, bad):
            return f"has beside {fit(name, 60)!r}: {why}"
    return ""


def _named(arm: Counts) -> Iterator[tuple[str, float]]:
    yield "requests", arm.requests
    yield "errors", arm.errors or 0
    yield "slow", arm.slow or 0
    for name, count in (arm.counters or {}).items():
        yield fit(name, 60), count
    for name, pair in (arm.beside or {}).items():
        for count in pair:
            yield fit(name, 60), count


def _why_not_beside(name: str, much: float, bad: float) -> str:
    family, _, detail = name.partition(":")
    if family not in FAMILIES or not detail:
        return f"a name is family:detail, with a family of {', '.join(FAMILIES)}"
    if family == "kind" and detail != "new":
        return "errors of new kinds are counted together, as kind:new"
    if family == "over" and not _edge(detail):
        return "over: is followed by seconds, as in over:0.25"
    if bad > much:
        return f"{bad:.0f} of {much:.0f} were bad, which is more than there were; write [how much, how much of it was bad]"
    return ""


def _edge(detail: str) -> bool:
    return re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", detail) is not None and float(detail) > 0
