"""What goes over the wire, without the client that carries it: functions that may not need it do not import it."""

from __future__ import annotations

import msgspec

# How a patch is meant.
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class ApiResponse(msgspec.Struct, frozen=True):
    """What the API answered, of any status below 500 but 401 and 429."""

    status: int
    body: bytes
