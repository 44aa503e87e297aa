"""What several capabilities need from the world; what only one needs stands in its own `ports.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from candlefish.measures import Measure
from candlefish.requester import Asked

Now = Callable[[], float]


class EventPublisher(Protocol):
    """The control plane's own bus. Whether a bus that is down is an error, the adapter says."""

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Publish one event."""

    def publish_all(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Publish events, each a kind and its detail."""


class Switchboard(Protocol):
    """The one switch of everything that acts by itself (`candlefish.automation`)."""

    def off(self) -> str:
        """Why automation is off; empty when it is on.

        Raises
        ------
        Throttled, Unavailable
            It cannot be read. Nobody acts then.
        """


class Execution(msgspec.Struct, frozen=True):
    """What Step Functions says of one execution."""

    arn: str
    status: Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE", "UNKNOWN"]


class Executions(Protocol):
    """Executions of the control plane's own state machines."""

    def start(self, machine: str, name: str, payload: Mapping[str, Any]) -> str:
        """Start a machine by its short name (`rollback`); the ARN. Starting a name again is harmless."""

    def status(self, arn: str) -> Execution:
        """The execution's state; UNKNOWN when Step Functions does not know it."""

    def arn(self, machine: str, name: str) -> str:
        """What an execution of that name is called, whether it began or not."""

    def find(self, machine: str, name: str) -> Execution | None:
        """The execution of that name, None when the machine never ran one."""

    def succeed(self, token: str, output: Mapping[str, Any]) -> None:
        """Complete a task that waits for a token."""

    def fail(self, token: str, *, error: str, cause: str) -> None:
        """Fail a task that waits for a token."""


class Meter(Protocol):
    """Where what is counted of the control plane is reported. It never raises: nothing fails because of a count."""

    def measure(self, measures: Sequence[Measure]) -> None:
        """Report values that were measured now."""

    def miss(self, why: str) -> None:
        """Say in the log that something could not be counted, and why."""


class Requesters(Protocol):
    """Where it is written down who asked for an execution, by its machine's short name and its own name."""

    def keep(self, machine: str, name: str, asked: Asked) -> Asked:
        """Write down who asked, once; what is written down: the very object given, or an earlier one's if there was one."""

    def find(self, machine: str, name: str) -> Asked | None:
        """Who asked for an execution; None where nobody wrote that down."""
