"""What registries say in headers: who asks (WWW-Authenticate), where the list goes on (Link), how long to wait."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from urllib.request import parse_http_list

import msgspec

# What is longer is no header that anybody meant.
LONGEST = 8000


class Challenge(msgspec.Struct, frozen=True):
    """One way to prove it. `scheme` and the names of parameters are in lower case."""

    scheme: str
    parameters: dict[str, str] = {}


def challenges(header: str) -> tuple[Challenge, ...]:
    """Every challenge of a WWW-Authenticate (RFC 9110, 11.6.1): there may be several, with commas between them and inside of quotes."""
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


def next_link(header: str) -> str:
    """The address that a Link (RFC 8288) calls the next one; empty when it names none."""
    for each in header[:LONGEST].split("<")[1:]:
        address, _, parameters = each.partition(">")
        said = (parameter.strip(" \t,").replace('"', "").lower() for parameter in parameters.split(";"))
        if "rel=next" in said:
            return address
    return ""


def pause_of(header: str, now: float, *, otherwise: float) -> float:
    """Seconds that a Retry-After asks for: a number, or a date (`now` is epoch seconds); `otherwise` when it says neither."""
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now) if text else otherwise
    except (ValueError, OverflowError):
        return otherwise
