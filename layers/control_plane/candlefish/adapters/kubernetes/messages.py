"""What goes over the wire, without the client that carries it: functions that may not need it do not import it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

# How a patch is meant.
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class ApiResponse(msgspec.Struct, frozen=True):
    """What the API answered, of any status below 500 but 401 and 429."""

    status: int
    body: bytes


class RequestCarrier(Protocol):
    """What carries requests to one cluster's API: `api.Api` over HTTPS."""

    def request(
        self,
        method: str,
        path: str,
        *,
        subject: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "",
    ) -> ApiResponse:
        """Send a request; `subject` names what it is about in errors.

        Raises
        ------
        Throttled, Unavailable
            The API is busy or does not answer.
        ClusterRefused
            It does not know us.
        """
