"""End a train: close its rollback windows, or say what has to be rolled back."""

from __future__ import annotations

from typing import assert_never

from candlefish.catalog.model import Catalog
from candlefish.ports import Now
from candlefish.release.payloads import TrainEnd
from candlefish.service.model import RollbackRequest, name_of_car
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import shorten_window


def end_train(
    end: TrainEnd, *, environment: str, catalog: Catalog, records: ServiceRecords, now: Now
) -> list[RollbackRequest] | list[str]:
    """Close the rollback windows of a train that arrived; of one that failed, say what has to be rolled back."""
    match end.outcome:
        case "failed":
            return promoted_by(end.train, environment, end.reason, records=records)
        case "arrived":
            strategy = catalog.strategy(environment)
            return close_windows(end.train, strategy.rollback_window, records=records, now=now)
        case _:
            assert_never(end.outcome)


def promoted_by(
    train: str, environment: str, reason: str, *, records: ServiceRecords
) -> list[RollbackRequest]:
    """Rollback requests for every service that this train promoted, the last one first."""
    mine = [
        r for r in records.all() if r.promoted_release == name_of_car(train, r.service) and r.holder is None
    ]
    mine.sort(key=lambda r: r.generation_at, reverse=True)
    return [
        RollbackRequest(
            id=f"{r.promoted_release}-train",
            environment=environment,
            service=r.service,
            release=r.promoted_release,
            reason=f"train {train} failed: {reason}",
            by="train",
            disposition="rejected",
        )
        for r in mine
    ]


def close_windows(train: str, window: float, *, records: ServiceRecords, now: Now) -> list[str]:
    """Let the rollback windows of a finished train end when the strategy says; the services concerned."""
    until = now() + window
    mine = [r.service for r in records.all() if r.promoted_release == name_of_car(train, r.service)]
    for service in mine:
        records.update(service, lambda r: shorten_window(r, train, until))
    return mine
