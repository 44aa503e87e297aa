"""What the catalog may not say about recovery."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.catalog.checks.recovery import recovery
from candlefish.catalog.model import Routing
from tests.support.failover.catalog import AWAY, CATALOG, DATABASE, ENVIRONMENT, HOME

assert DATABASE.replica
AT_HOME = msgspec.structs.replace(DATABASE.replica, region=HOME)
ARN = "arn:aws:route53-recovery-control::1:controlpanel/a/routingcontrol/1"


def findings(**changes: Any) -> list[tuple[str, str]]:
    environment = msgspec.structs.replace(ENVIRONMENT, **changes)
    catalog = msgspec.structs.replace(CATALOG, environments={"production": environment})
    return [(".".join(map(str, f.path[2:])), f.what) for f in recovery(catalog)]


def database(**changes: Any) -> dict[str, Any]:
    return {"databases": (msgspec.structs.replace(DATABASE, **changes),)}


def routing(**fields: Any) -> dict[str, Any]:
    return {"recovery": msgspec.structs.replace(ENVIRONMENT.recovery, routing=Routing(**fields))}


def test_a_sound_environment_has_no_findings() -> None:
    assert findings() == []
    assert findings(**routing(zone="Z123")) == []


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        (
            database(replica=AT_HOME),
            "databases.0.replica.region",
            "in the region that it is to survive",
        ),
        (
            database(fence_group=DATABASE.groups[0]),
            "databases.0.fence_group",
            "fences main and lets its clients in",
        ),
        (routing(), "recovery.routing", "nothing says how users are led"),
        (
            routing(controls={HOME: ARN, AWAY: ARN}),
            "recovery.routing.endpoints",
            "reached through the ARC cluster's endpoints",
        ),
        (
            routing(controls={HOME: ARN}, endpoints={HOME: "https://x"}),
            "recovery.routing.controls",
            "us-east-1 has no routing control",
        ),
    ],
)
def test_finds(changes: dict[str, Any], path: str, words: str) -> None:
    ((found, what),) = findings(**changes)
    assert found == path
    assert words in what
