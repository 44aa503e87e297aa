"""Who asked for an execution, as far as the endpoint that knows its caller wrote it down."""

from __future__ import annotations

import msgspec

from candlefish.ports import Requesters
from candlefish.requester import Requester, digest_of


def find_requester(
    request: msgspec.Struct, machine: str, name: str, *, requesters: Requesters
) -> Requester | None:
    """Who was written down for an execution with just this input; None when nobody was."""
    asked = requesters.find(machine, name)
    return asked.requester if asked is not None and asked.digest == digest_of(request) else None
