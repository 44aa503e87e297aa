"""End a train: close its rollback windows, or say what has to be rolled back."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.end_train import end_train
from candlefish.release.payloads import TrainEnd
from candlefish.service.model import RollbackRequest

use = partial(
    end_train,
    environment=wire.environment(),
    catalog=wire.catalog(),
    records=wire.records(),
    now=wire.now,
)


@handler
def lambda_handler(event: TrainEnd) -> list[RollbackRequest] | list[str]:
    return use(event)
