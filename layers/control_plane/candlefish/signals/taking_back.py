"""Taking users back by who claimed the rollback: the claim, the record and the rule, before any machine begins."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from candlefish.errors import ControlPlaneError, RecordContested
from candlefish.service.ports import ChangeableRecords, Changed
from candlefish.service.record import ServiceRecord
from candlefish.signals.model import Signal, SignalDecision
from candlefish.signals.payloads import SignalResponse, response_id, rollback_name, rollback_of
from candlefish.signals.ports import Guards, Sight, SignalPorts
from candlefish.signals.record import Claim, GuardRecord, Refusal

Claiming = Callable[[GuardRecord], tuple[GuardRecord, Claim | Refusal]]


def take_users_back(
    signal: Signal, decision: SignalDecision, claiming: Claiming, sight: Sight, ports: SignalPorts
) -> None:
    """Claim and take users back now, by the same code as the machine that follows.

    Claim and record are stored in one write where the store can. What fails here is left to that machine; what is
    not claimed here, to who asks the guard next.
    """
    assert ports.take_back
    _, granted = claiming(sight.guards.get())
    if isinstance(granted, Refusal):
        return
    response = response_to(signal, decision, granted, ports)

    def same(guard: GuardRecord) -> GuardRecord:
        after, now_granted = claiming(guard)
        if now_granted != granted:
            raise RecordContested(f"somebody else claimed {decision.action} of {signal.about} at this moment")
        return after

    records = sight.claiming(same) if sight.claiming else ClaimedFirst(sight.guards, sight.records, same)
    execution = ports.executions.arn("rollback", rollback_name(response))
    with suppress(ControlPlaneError):
        ports.take_back(rollback_of(response), execution=execution, records=records)


class ClaimedFirst:
    """Records whose change comes after that of the guard, of a store that cannot write both at once."""

    def __init__(
        self, guards: Guards, records: ChangeableRecords, claim: Callable[[GuardRecord], GuardRecord]
    ) -> None:
        self._guards, self._records, self._claim = guards, records, claim

    def get(self, service: str) -> ServiceRecord:
        return self._records.get(service)

    def update(self, service: str, change: Callable[[ServiceRecord], Changed]) -> Changed:
        self._guards.update(self._claim)
        return self._records.update(service, change)


def response_to(
    signal: Signal, decision: SignalDecision, granted: Claim, ports: SignalPorts
) -> SignalResponse:
    """What the `respond` machine is started with for a claim."""
    name = response_id(signal.about, decision.action, granted.owner, granted.at)
    return SignalResponse(
        id=name,
        environment=ports.environment,
        action=cast(Any, decision.action),
        kind=signal.kind,
        subject=signal.subject,
        reason=decision.reason,
        decided_at=granted.at,
        signal=signal,
        release=decision.release,
        settle_at=granted.until if decision.action == "hold" else 0.0,
        trial=decision.trial,
    )
