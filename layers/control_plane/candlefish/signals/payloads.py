"""What crosses the `respond` machine: a response, what was done about it, whether it shows, how it ended."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from candlefish.catalog.model import Subject
from candlefish.names import EXECUTION, bounded_name
from candlefish.service.model import RollbackRequest
from candlefish.signals.model import Signal

# What stands behind a response's id in the name of an execution: a hyphen and the attempt.
ROOM = 5
# Seconds between two looks at whether an action shows.
POLL = 1


class SignalResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the `respond` machine is started with."""

    id: str
    environment: str
    action: Literal["rollback", "hold", "failover"]
    kind: Subject
    subject: str
    reason: str
    decided_at: float
    signal: Signal
    release: str = ""
    attempt: int = 1
    # When a hold may be lifted at the earliest, in case the alert flaps.
    settle_at: float = 0.0
    # A hold that an experiment of the release may answer.
    trial: bool = False


class ActionResult(msgspec.Struct, frozen=True):
    """What was done about a response. `moot`: by now there is nothing to be done, and why."""

    at: float
    moot: bool
    reason: str
    execution: str = ""


class VerifyInput(msgspec.Struct, frozen=True):
    """A response and what was done about it."""

    response: SignalResponse
    acted: ActionResult


class ResponseVerdict(msgspec.Struct, frozen=True):
    """Whether the action shows in the world."""

    state: Literal["waiting", "done", "failed"]
    reason: str
    poll: int = POLL

    @property
    def look_again(self) -> float | None:
        return self.poll if self.state == "waiting" else None


class ResponseEnding(msgspec.Struct, frozen=True):
    """How a response ended."""

    outcome: Literal["done", "moot", "failed"]
    reason: str


class CloseInput(msgspec.Struct, frozen=True):
    """A response and how it ended."""

    response: SignalResponse
    ending: ResponseEnding


def response_id(about: str, action: str, key: str, at: float) -> str:
    """The same claim always has the same id, which names its executions."""
    digest = hashlib.sha256(f"{about}|{action}|{key}|{at:.3f}".encode()).hexdigest()[:16]
    return bounded_name(action, about.replace("/", "-"), digest, longest=EXECUTION - ROOM)


def rollback_of(response: SignalResponse) -> RollbackRequest:
    """The rollback that a response asks for: the same one, whoever asks, and however often."""
    return RollbackRequest(
        id=response.id,
        environment=response.environment,
        service=response.subject,
        reason=f"{response.reason}: {response.signal.alert.summary}"[:1000],
        by=actor_of(response),
        release=response.release,
    ).fit()


def rollback_name(response: SignalResponse) -> str:
    """What the execution of a response's rollback is called, in its present attempt."""
    return f"{response.id}-{response.attempt}"


def actor_of(response: SignalResponse) -> str:
    """Who acts, as records and timelines name it."""
    return f"signal:{response.signal.rule or response.signal.name}"
