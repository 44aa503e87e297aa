"""Order a train's releases by their dependencies; check every one, and the environment, before the first starts."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import capacity
from candlefish.bootstrap import release as wire
from candlefish.capacity.admission import require_awake_for_train
from candlefish.handler import handler
from candlefish.release.payloads import TrainRelease, TrainStart
from candlefish.release.plan_train import plan_train

use = partial(
    plan_train,
    environment=wire.environment(),
    catalog=wire.catalog(),
    records=wire.records(),
    freezes=wire.asked_freezes(),
    requesters=wire.requesters(),
    proven=wire.proven(),
    now=wire.now,
    admit=partial(
        require_awake_for_train,
        wire.environment(),
        catalog=wire.catalog(),
        store=capacity.store(),
        events=capacity.events(),
        now=wire.now,
    ),
)


@handler
def lambda_handler(event: TrainStart) -> list[TrainRelease]:
    return use(event)
