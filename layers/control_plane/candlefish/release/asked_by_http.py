"""What is asked of releases at an address of the API, as the command that stands behind all ways of asking.

A function URL takes the command itself; the HTTP API has an address for each thing that the page asks.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

import msgspec

from candlefish.bounds import Id, MaybeId, Name, Sentence
from candlefish.names import RELEASE, bounded_name
from candlefish.release.request_release import ReleaseCommand
from candlefish.web import HttpRequest, matched

ROLLBACK = "/v1/services/{service}/rollback"
ABORT = "/v1/releases/{release}/abort"


class RollbackAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To put all traffic of a service back on the version that is known to be good.

    `bad`: whether what it comes from is remembered as bad. With `release` nothing is done once another one took over.
    """

    service: Name
    reason: Sentence
    bad: bool = True
    release: MaybeId = ""


class AbortAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To take back a release that runs; its version is remembered as not wanted, and not as bad."""

    release: Id
    reason: Sentence


def command_of(request: HttpRequest, service_of: Callable[[str], str]) -> ReleaseCommand:
    """The command that a request is; `service_of` says whose release one is.

    Raises
    ------
    InvalidInput
        What was posted is not what the address takes.
    """
    if matched(ROLLBACK, request.raw_path) is not None:
        asked = request.posted(RollbackAsked, ROLLBACK)
        wanted = {"disposition": "bad" if asked.bad else "rejected", "release": asked.release}
        return _rollback(asked.service, asked.reason, wanted)
    if matched(ABORT, request.raw_path) is not None:
        abort = request.posted(AbortAsked, ABORT)
        only = {"disposition": "rejected", "release": abort.release, "only_running": True}
        return _rollback(service_of(abort.release), abort.reason, only)
    return request.posted(ReleaseCommand)


def _rollback(service: str, reason: str, wanted: dict[str, Any]) -> ReleaseCommand:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    name = bounded_name(service, stamp, secrets.token_hex(2), "rollback", longest=RELEASE)
    return ReleaseCommand("rollback", name, {"service": service, "reason": reason, **wanted})
