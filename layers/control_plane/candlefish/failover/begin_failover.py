"""Begin a failover that a signal asks for."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from candlefish.bounds import LONGEST_BY, LONGEST_REASON, MaybeName, Moment, Subject, fit, fit_line
from candlefish.errors import InvalidInput, NotAllowed
from candlefish.failover.model import SIGNAL, FailoverStatus, Run
from candlefish.failover.ports import FailoverPorts
from candlefish.failover.propose import FailoverRequest
from candlefish.failover.start import start_failover


class SignalledFailover(msgspec.Struct, frozen=True):
    """What the `respond` machine starts a failover with."""

    target: Subject
    requested_by: str
    reason: str
    environment: MaybeName = ""
    failing_since: Moment = 0.0


class FailoverStarted(msgspec.Struct, frozen=True):
    """What the machine goes on with."""

    target: str
    epoch: int
    status: FailoverStatus
    reason: str


def begin_failover(
    request: SignalledFailover, *, ports: FailoverPorts, elsewhere: Callable[[], list[Run]] = list
) -> FailoverStarted:
    """Begin the in-region failover that a signal asks for; the machine that asked moves it.

    Raises
    ------
    NotAllowed
        The request does not come from a signal: people ask through the function URL, where their
        credentials say who they are.
    FailoverRefused, InvalidInput, UnknownService
        Nothing was changed.
    """
    if not request.requested_by.startswith(SIGNAL):
        raise NotAllowed(
            f"{fit_line(request.requested_by, 40)!r} is no signal; people start failovers with: candlefish failover {request.target}"
        )
    if request.target.partition("/")[0] not in ("database", "cache"):
        raise InvalidInput(f"a signal fails over a database or a cache, not {request.target!r}")
    proposal = start_failover(
        FailoverRequest(
            target=request.target,
            reason=fit(request.reason, LONGEST_REASON),
            environment=request.environment,
            failing_since=min(request.failing_since, ports.now()),
        ),
        requested_by=fit_line(request.requested_by, LONGEST_BY),
        ports=ports,
        executions=None,
        elsewhere=elsewhere,
    )
    run = proposal.run
    return FailoverStarted(run.target, run.epoch, run.status, run.why)
