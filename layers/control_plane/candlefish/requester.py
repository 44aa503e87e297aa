"""Who asked for something, and what proves it.

People ask an endpoint that knows its caller. Before it starts a machine it writes down who it was, bound to the
execution's name and its input; the machine's first function finds that. GitHub starts a machine directly, with a
token in the input that proves who asked. What the input says beside that is a claim, and an execution that was
started otherwise has an unknown requester.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

# Who asked when no credential proves it. No person may be called that.
UNKNOWN = "unknown"
# What the control plane calls itself when it rolls back; none of these is a person.
AUTOMATIC = ("reconciler", "release", "train", "watch")
# Fields of an input that are no part of what is asked for.
CLAIMS = ("by", "token")


class Requester(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who asked: a person's name in the catalog, `github:<login>`, or `unknown`; and what the credential said."""

    by: str = UNKNOWN
    proof: dict[str, str] = {}


class Asked(msgspec.Struct, frozen=True):
    """Who asked for one execution, and the digest of what they asked for. `at` is epoch seconds."""

    requester: Requester
    digest: str
    at: float


def digest_of(request: msgspec.Struct) -> str:
    """SHA-256 of what a request asks for; the same before and after a machine passed it on."""
    return hashlib.sha256(
        msgspec.json.encode(
            {name: _plain(value) for name, value in _fields(request).items() if name not in CLAIMS},
            order="sorted",
        )
    ).hexdigest()


def _fields(request: msgspec.Struct) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(request)
    return found


def _plain(value: Any) -> Any:
    """A machine may write a number otherwise; nobody asks for parts of a second."""
    return round(value) if isinstance(value, float) and abs(value) < 1e15 else value


def claimed(by: str) -> str:
    """Who acts, as far as an input is believed: the control plane itself, or nobody who is known."""
    return by if by in AUTOMATIC or by.startswith("signal:") else UNKNOWN
