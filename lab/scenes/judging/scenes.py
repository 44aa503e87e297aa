"""The scenes: what each version does, what happens to it, and how it has to end. Durations are seconds of the lab."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from lab.traffic.behaviour import Behaviour
from lab.traffic.database import Database

# Thirty times as fast as the catalog says: a window of CloudWatch is two seconds, one of Prometheus is one.
TIME_SCALE = 30.0
REQUESTS_PER_SECOND = 240.0


class Turn(msgspec.Struct, frozen=True):
    """What happens to the database, so long after the timeline has an entry of a kind; an entry counts for one turn."""

    after: str
    later: float
    database: Database
    says: str


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """One release of `canary` over `stable`, and how it must end."""

    title: str
    stable: Behaviour
    canary: Behaviour
    ends: Literal["promoted", "rolled_back"]
    # What the canary gets first, in percent of the traffic.
    weight: int = 10
    # A look at a weight takes so long at most; without a verdict a person is asked, who says yes.
    judged_for: float = 60.0
    # Fields of the judge's policy, in the lab's time, and of how it reads Prometheus.
    policy: dict[str, Any] = {}
    prometheus: dict[str, Any] = {}
    # What users ask for, and how much of each; by default nothing but `/`.
    paths: dict[str, float] = {}
    database: Database = Database()
    turns: tuple[Turn, ...] = ()
    # What the picture's second panel shows: the share of failed requests (at one path, if one is named), or quantiles.
    panel: Literal["failed", "quantiles"] = "failed"
    panel_path: str = ""


_EVEN = Behaviour(error_rate=0.001, seconds=0.1, spread=0.3)
_WITH_DATABASE = Behaviour(error_rate=0.001, seconds=0.1, spread=0.3, queries=1.0)
# So few requests do not tell how rare is rarer than one in fifty.
_FEW = {"negligible": 0.02}
# Twice what the stable version needs of it.
_DATABASE = Database(capacity=2 * REQUESTS_PER_SECOND, sheds=0.2)

SCENES: dict[str, Scene] = {
    "p50": Scene(
        title="a canary whose median goes from 60 to 120 ms, far below the budget of two seconds",
        stable=Behaviour(error_rate=0.001, seconds=0.06, spread=0.3),
        canary=Behaviour(error_rate=0.001, seconds=0.12, spread=0.3),
        ends="rolled_back",
        panel="quantiles",
    ),
    "endpoint": Scene(
        title="a canary that fails 60% of the requests of one endpoint, which has 3% of the traffic",
        stable=Behaviour(error_rate=0.02, seconds=0.1, spread=0.3),
        canary=Behaviour(error_rate=0.02, seconds=0.1, spread=0.3, error_rate_at=(("/export", 0.6),)),
        ends="rolled_back",
        prometheus={"place": "path"},
        paths={"/": 0.5, "/search": 0.32, "/items": 0.15, "/export": 0.03},
        panel_path="/export",
    ),
    "database": Scene(
        title="a canary that makes sixty times the queries and overloads the database of both versions",
        stable=_WITH_DATABASE,
        canary=msgspec.structs.replace(_WITH_DATABASE, queries=60.0),
        ends="rolled_back",
        database=_DATABASE,
    ),
    "outage": Scene(
        title="an outage of the database during a release that has nothing to do with it",
        stable=_WITH_DATABASE,
        canary=_WITH_DATABASE,
        ends="promoted",
        # With a tenth it takes a minute longer until twice as slow is ruled out wherever one looks.
        judged_for=75.0,
        weight=25,
        database=_DATABASE,
        policy=_FEW,
        turns=(
            Turn("shifted", 10.0, Database(out=0.2), "the database is out"),
            Turn("experiment_ended", 2.0, _DATABASE, "the database is back"),
        ),
    ),
    "cold-start": Scene(
        title="a canary that is slow and fails now and then until its Pods are warm; the policy declares a warm-up",
        stable=_EVEN,
        canary=Behaviour(
            error_rate=0.001,
            seconds=0.1,
            spread=0.3,
            cold_seconds=6.0,
            cold_error_rate=0.08,
            cold_slow_rate=0.5,
            slow_seconds=0.8,
        ),
        ends="promoted",
        # With a tenth it takes a minute longer until twice as slow is ruled out wherever one looks.
        judged_for=75.0,
        weight=25,
        policy={"warm_up": 8.0, **_FEW},
    ),
}
