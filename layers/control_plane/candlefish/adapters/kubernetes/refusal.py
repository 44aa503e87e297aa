"""What the API's refusals mean to an operator, and what to do about each."""

from __future__ import annotations

import re

import msgspec

from candlefish.bounds import NO_JSON
from candlefish.errors import ClusterRefused

_CONFLICT = re.compile(r'conflicts? with "([^"]+)"')

# What to do next, by HTTP status. A more telling cause is looked for first.
NEXT = {
    400: "correct the object",
    401: "give the function's role an access entry for the cluster (docs/kubernetes.md)",
    403: "bind the role in deploy/rbac.yaml to the group of the function's access entry",
    404: "check that the namespace and the kind exist (docs/kubernetes.md, Before the first release)",
    409: "repeat the release; if it happens again, look for who else writes the object",
    422: "correct the object",
}


class Cause(msgspec.Struct, frozen=True):
    """One field that the API objects to."""

    reason: str = ""
    message: str = ""
    field: str = ""


class Details(msgspec.Struct, frozen=True):
    causes: tuple[Cause, ...] = ()


class Status(msgspec.Struct, frozen=True):
    """The `Status` object that the API answers a failed request with."""

    reason: str = ""
    message: str = ""
    details: Details | None = None

    @property
    def managers(self) -> set[str]:
        """Field managers that own what an apply wanted to change."""
        causes = self.details.causes if self.details else ()
        texts = [cause.message for cause in causes if cause.reason == "FieldManagerConflict"]
        return {name for text in texts for name in _CONFLICT.findall(text)}

    @property
    def fields(self) -> str:
        """The fields it is about, for a message."""
        causes = self.details.causes if self.details else ()
        return ", ".join(dict.fromkeys(cause.field for cause in causes if cause.field))


def read_status(body: bytes) -> Status:
    """The API's `Status`; whatever is not one is kept as its message."""
    try:
        return msgspec.json.decode(body, type=Status)
    except NO_JSON:
        return Status(message=body[:200].decode("utf-8", "replace"))


def refusal(subject: str, code: int, status: Status) -> ClusterRefused:
    """The error for a final answer: the object, the API's own words, the next step."""
    return ClusterRefused(
        f"{subject}: the cluster answered {code} ({_words(code, status)}); {_next(code, status)}"
    )


def _words(code: int, status: Status) -> str:
    if status.managers:
        return f"{', '.join(sorted(status.managers))} owns {status.fields}"
    return status.message or status.reason or "no reason given"


def _next(code: int, status: Status) -> str:
    if status.managers:
        return "undo that change, or release with force to take the fields over"
    if "exceeded quota" in status.message:
        return "raise the namespace's ResourceQuota or make the service smaller"
    if "admission webhook" in status.message:
        return "satisfy the admission webhook that refused it"
    return NEXT.get(code, "look at the API server's log")
