"""Trains that keep an environment awake: a release machine cannot do that between two of its releases."""

from __future__ import annotations

from collections.abc import Sequence

from candlefish.capacity.model import CapacityRecord, RunningTrain
from candlefish.capacity.ports import CapacityStore
from candlefish.capacity.record import forget_trains
from candlefish.ports import Executions


def running_trains(
    record: CapacityRecord, *, executions: Executions, store: CapacityStore | None
) -> Sequence[RunningTrain]:
    """The trains that are still under way; those that have ended are forgotten in `store`, if there is one.

    Raises
    ------
    Throttled, Unavailable
        An execution could not be looked at.
    """
    running = [each for each in record.trains if executions.status(each.execution).status == "RUNNING"]
    ended = [each for each in record.trains if each not in running]
    if ended and store is not None:
        store.update(lambda r: forget_trains(r, ended))
    return running
