"""Compare what runs with every record and put right what nobody else will."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.bootstrap import signals
from candlefish.handler import handler
from candlefish.release.reconcile_cluster import ClusterLook, ClusterRepair, reconcile_cluster

use = partial(
    reconcile_cluster,
    environment=wire.environment(),
    catalog=wire.catalog(),
    records=wire.records(),
    cluster=wire.cluster(),
    bundles=wire.bundles(),
    rules=wire.movers(),
    switchboard=wire.switchboard(),
    asleep=signals.asleep,
    journal=wire.journal(),
    events=wire.events(),
    cluster_writers_live=wire.settings.cluster_writers_live_seconds,
    now=wire.now,
)


@handler
def lambda_handler(event: ClusterLook) -> list[ClusterRepair]:
    return use(dry_run=event.dry_run)
