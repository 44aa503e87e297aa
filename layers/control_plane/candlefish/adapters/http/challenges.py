"""How a registry says that it wants to know who asks: the header WWW-Authenticate (RFC 9110, 11.6.1)."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.request import parse_http_list

import msgspec

# What is longer is no challenge that anybody meant.
LONGEST = 8000


class Challenge(msgspec.Struct, frozen=True):
    """One way to prove it. `scheme` and the names of parameters are in lower case."""

    scheme: str
    parameters: dict[str, str] = {}


def challenges(header: str) -> tuple[Challenge, ...]:
    """Every challenge of a header: there may be several, with commas between them and inside of quotes."""
    return tuple(_read(header[:LONGEST]))


def _read(header: str) -> Iterator[Challenge]:
    scheme, found = "", dict[str, str]()
    for item in parse_http_list(header):
        head, _, rest = item.strip().partition(" ")
        if "=" not in head and not rest.lstrip().startswith("="):
            # Not a parameter of the challenge before: another one begins.
            if scheme:
                yield Challenge(scheme, found)
            scheme, found = (head.lower() if head.replace("-", "").isalnum() else ""), {}
            item = rest
        name, _, value = item.partition("=")
        # What has nothing but `=` behind its name is no parameter: some schemes carry base64 there.
        if name.strip() and value.strip("= "):
            found[name.strip().lower()] = _unquoted(value.strip())
    if scheme:
        yield Challenge(scheme, found)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
