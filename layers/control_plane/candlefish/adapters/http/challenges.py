"""How a registry says that it wants to know who asks: the header WWW-Authenticate (RFC 9110, 11.6.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

# What is longer is no challenge that anybody meant.
LONGEST = 8000
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_PARAMETER = re.compile(rf'({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))')
_SCHEME = re.compile(_TOKEN)
_BETWEEN = re.compile(r"[\s,]*")
# What some schemes carry instead of parameters (`Negotiate YII...==`).
_TOKEN68 = re.compile(r"[ \t]+[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))")


class Challenge(msgspec.Struct, frozen=True):
    """One way to prove it. `scheme` and the names of parameters are in lower case."""

    scheme: str
    parameters: dict[str, str] = {}


def challenges(header: str) -> tuple[Challenge, ...]:
    """Every challenge of a header: there may be several, with commas between them and inside of quotes."""
    return tuple(_read(header[:LONGEST]))


def _read(header: str) -> Iterator[Challenge]:
    at, scheme, found = 0, "", {}
    while True:
        at = _end(_BETWEEN.match(header, at), at)
        if parameter := _PARAMETER.match(header, at):
            name, quoted, plain = parameter.groups()
            found[name.lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            at = parameter.end()
            continue
        if scheme:
            yield Challenge(scheme, found)
        named = _SCHEME.match(header, at)
        if named is None:
            return
        scheme, found = named.group().lower(), {}
        at = _end(_TOKEN68.match(header, named.end()), named.end())


def _end(match: re.Match[str] | None, otherwise: int) -> int:
    return match.end() if match else otherwise
