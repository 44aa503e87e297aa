"""What crosses the state machines of releases: what they hand to functions and get back."""

from __future__ import annotations

import msgspec

from candlefish.release.begin import ReleaseRequest, ReleaseStart
from candlefish.release.train import TrainEnd, TrainRequest, TrainStart
from candlefish.service.model import RollbackRequest

__all__ = [
    "OnboardRequest",
    "ReleaseRequest",
    "ReleaseStart",
    "RollbackRequest",
    "RollbackStart",
    "TrainEnd",
    "TrainRequest",
    "TrainStart",
]


class RollbackStart(msgspec.Struct, frozen=True):
    """The execution that rolls back, and the input it was started with."""

    execution: str
    request: RollbackRequest


class OnboardRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which service to onboard."""

    service: str
