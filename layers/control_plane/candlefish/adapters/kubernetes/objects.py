"""Single objects of the API: read, and changed as they were seen or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from candlefish.adapters.kubernetes.messages import MERGE, ApiResponse, RequestCarrier
from candlefish.adapters.kubernetes.refusal import read_status, refusal
from candlefish.bounds import NO_JSON
from candlefish.errors import Unavailable
from candlefish.release.manifests.model import MANAGER
from candlefish.release.model import Manifest

_T = TypeVar("_T")

FORBIDDEN, MISSING, CONFLICT = 403, 404, 409
# How often an object that others write is looked at before it is left for another time.
LOOKS = 5


def accepted(subject: str, answer: ApiResponse) -> bytes:
    """The body of an answer that is no refusal."""
    if answer.status >= 300:
        raise refusal(subject, answer.status, read_status(answer.body))
    return answer.body


def answered(subject: str, answer: ApiResponse, kind: type[_T]) -> _T:
    """What is in an answer that is no refusal."""
    try:
        return msgspec.json.decode(accepted(subject, answer), type=kind)
    except NO_JSON as error:
        raise Unavailable(
            f"{subject}: what answered is not the Kubernetes API ({error}); check the cluster's endpoint"
        ) from error


def find_object(api: RequestCarrier, subject: str, path: str, kind: type[_T]) -> _T | None:
    """An object, None when it is missing."""
    answer = api.request("GET", path, subject=subject)
    return None if answer.status == MISSING else answered(subject, answer, kind)


def patch_as_seen(
    api: RequestCarrier, subject: str, path: str, wanted: Callable[[Manifest], Manifest | None]
) -> Manifest | None:
    """Merge into an object what is `wanted` of it as it was seen (None: nothing); whoever writes in between makes the
    API refuse it, and it is looked at again.

    Returns
    -------
    Manifest | None
        The object as it was seen last, before the patch; None when there is none.
    """
    for _ in range(LOOKS):
        live = find_object(api, subject, path, dict)
        change = None if live is None else wanted(live)
        if live is None or change is None:
            return live
        seen = {"resourceVersion": live["metadata"]["resourceVersion"]}
        answer = api.request(
            "PATCH",
            path,
            subject=subject,
            query={"fieldManager": MANAGER},
            body={**change, "metadata": {**change["metadata"], **seen}},
            content_type=MERGE,
        )
        if answer.status == MISSING:
            return None
        if answer.status != CONFLICT:
            accepted(subject, answer)
            return live
    raise contested(subject)


def contested(subject: str) -> Unavailable:
    return Unavailable(
        f"{subject}: others wrote it between look and write {LOOKS} times; it was left as it is, try again"
    )
