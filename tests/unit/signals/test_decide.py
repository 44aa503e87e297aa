"""The guard's decision, case by case."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.service.model import Hold, RollbackRequest
from candlefish.service.record import add_hold, begin_rollback
from candlefish.signals.decide import SignalFacts, decide_signal
from candlefish.signals.model import KnownAlert, Signal, SignalDecision
from candlefish.signals.record import Claim, GuardRecord, Mute
from tests.support.catalogs import catalog
from tests.support.signal_world import World, alert, signal_of

NOW = 1_800_000_000.0
POLICY = catalog().responses.guard


def ask(signal: Signal, **facts: Any) -> SignalDecision:
    base = {"environment": "production", "guard": GuardRecord()}
    return decide_signal(signal, SignalFacts(**{**base, **facts}), policy=POLICY, now=NOW)


def down(**labels: Any) -> Signal:
    return signal_of(alert("ServiceDown", at=NOW - 10, **labels), at=NOW)


def slow(**labels: Any) -> Signal:
    return signal_of(alert("LatencyHigh", at=NOW - 10, **labels), at=NOW)


def inside(world: World, service: str = "backend-api") -> dict[str, Any]:
    record = world.records.stored[service]
    return {"record": record, "release": world.journal.releases.get("backend-api-2")}


OFF = "automation is off since noon: deploying the database"
RELEASING, PROMOTED = inside(World().releasing()), inside(World().promoted())
QUIET = inside(World().quiet())
CLAIMED = GuardRecord(claims=(Claim("service/backend-api", "rollback", "other:1", NOW - 60, NOW + 840),))
SPENT = GuardRecord(
    claims=tuple(Claim(f"service/{n}", "rollback", f"{n}:1", NOW - 1000, NOW - 100) for n in ("a", "b", "c"))
)
MUTED = GuardRecord(mutes=(Mute("service/backend-api", "onboarding", "developer", NOW + 60),))
ROLLING = {
    "record": begin_rollback(
        RELEASING["record"],
        RollbackRequest("x", "production", "backend-api", "bad", "developer"),
        execution="",
        now=NOW,
        lease=900,
    )
}
SAME = KnownAlert("ServiceDown-production-backend-api", "firing", NOW - 10, NOW - 10, settled=True)
HELD = {
    **RELEASING,
    "record": add_hold(RELEASING["record"], Hold("signal:other", "slow", NOW - 60, "signal")),
}

# name, signal, facts, action, gate, words of the reason, whether a person hears of it
CASES: list[tuple[str, Signal, dict[str, Any], str, str, str, bool]] = [
    ("P0 inside a release rolls back", down(), RELEASING, "rollback", "", "was under way", True),
    ("P0 inside the window rolls back", down(), PROMOTED, "rollback", "", "inside its rollback window", True),
    ("P0 without a release is for people", down(), QUIET, "none", "precondition", "window is closed", True),
    ("P1 inside a release holds it", slow(), RELEASING, "hold", "", "is under way", True),
    (
        "P1 inside the window is for people",
        slow(),
        PROMOTED,
        "none",
        "precondition",
        "no release under way",
        True,
    ),
    ("P1 on a held release joins the hold", slow(), HELD, "join", "", "is held already", False),
    ("switched off", down(), {**RELEASING, "off": OFF}, "none", "switch", "deploying the database", True),
    ("another environment", down(environment="staging"), RELEASING, "none", "scope", "about staging", False),
    ("no environment", down(environment=""), RELEASING, "none", "scope", "names no environment", True),
    ("muted", down(), {**RELEASING, "guard": MUTED}, "none", "muted", "onboarding", False),
    (
        "asleep",
        down(),
        {**RELEASING, "asleep": "staging is asleep"},
        "none",
        "muted",
        "supposed to be",
        False,
    ),
    ("the same again", down(), {**RELEASING, "seen": SAME}, "none", "duplicate", "dealt with before", False),
    ("a storm", down(), {**RELEASING, "storm": "a storm: 600 alerts"}, "none", "storm", "600 alerts", True),
    ("in its cooldown", down(), {**RELEASING, "guard": CLAIMED}, "none", "cooldown", "60 s ago", False),
    (
        "a hold after a rollback",
        slow(),
        {**RELEASING, "guard": CLAIMED},
        "none",
        "cooldown",
        "60 s ago",
        False,
    ),
    (
        "the budget is spent",
        down(),
        {**RELEASING, "guard": SPENT},
        "none",
        "budget",
        "rollback of service/a",
        True,
    ),
    ("a hold needs no budget", slow(), {**RELEASING, "guard": SPENT}, "hold", "", "is under way", True),
    ("rolling back already", down(), ROLLING, "none", "precondition", "already", False),
    ("not onboarded", down(), {}, "none", "precondition", "not onboarded", True),
    ("about the other slot", down(slot="green"), RELEASING, "none", "precondition", "is in slot blue", True),
    ("about the release's slot", down(slot="blue"), RELEASING, "rollback", "", "began while", True),
    ("replayed", down(), {**RELEASING, "replay": "r1"}, "none", "stale", "replayed", False),
    (
        "an alert that is not settled is looked at again",
        down(),
        {**RELEASING, "seen": msgspec.structs.replace(SAME, settled=False)},
        "rollback",
        "",
        "began while",
        True,
    ),
    (
        "older than the release, which may be the cure",
        signal_of(alert("ServiceDown", at=NOW - 900), at=NOW),
        RELEASING,
        "none",
        "precondition",
        "may be the cure",
        True,
    ),
    (
        "said long ago",
        signal_of(alert("ServiceDown", at=NOW - 10), at=NOW, observed_at=NOW - 901),
        RELEASING,
        "none",
        "stale",
        "901 s ago",
        True,
    ),
    (
        "firing after its end",
        down(),
        {**RELEASING, "seen": KnownAlert(SAME.fingerprint, "resolved", NOW - 5, NOW - 10, settled=True)},
        "none",
        "order",
        "resolved as of",
        False,
    ),
    (
        "a database that is unavailable fails over",
        signal_of(alert("DatabaseUnavailable", at=NOW, service="", database="main"), at=NOW),
        {},
        "failover",
        "",
        "database main is unavailable",
        True,
    ),
    (
        "a cache that is unavailable fails over",
        signal_of(alert("CacheUnavailable", at=NOW, service="", cache="sessions"), at=NOW),
        {},
        "failover",
        "",
        "cache sessions is unavailable",
        True,
    ),
    (
        "P2 notifies",
        signal_of(alert("UtilisationHigh", at=NOW), at=NOW),
        RELEASING,
        "none",
        "",
        "UtilisationHigh fires",
        True,
    ),
    (
        "a rule may say that nothing is to be done",
        msgspec.structs.replace(signal_of(alert("UtilisationHigh", at=NOW), at=NOW), do="nothing"),
        RELEASING,
        "none",
        "",
        "nothing is to be done",
        False,
    ),
    (
        "what only notifies does not ask the switch",
        signal_of(alert("UtilisationHigh", at=NOW), at=NOW),
        {**RELEASING, "off": OFF},
        "none",
        "",
        "UtilisationHigh fires",
        True,
    ),
]


@pytest.mark.parametrize(
    ("signal", "facts", "action", "gate", "words", "tell"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_decides(
    signal: Signal, facts: dict[str, Any], action: str, gate: str, words: str, tell: bool
) -> None:
    decision = ask(signal, **facts)
    assert (decision.action, decision.gate, decision.notify) == (action, gate, tell)
    assert words in decision.reason


ENDED = signal_of(alert("LatencyHigh", at=NOW - 60, ended=NOW - 5, status="resolved"), at=NOW)
MINE = {
    **RELEASING,
    "record": add_hold(RELEASING["record"], Hold(ENDED.hold_key, "slow", NOW - 60, "signal")),
    "seen": KnownAlert(ENDED.alert.fingerprint, "firing", NOW - 60, NOW - 60, settled=True, notified=True),
}
HOLDING = GuardRecord(claims=(Claim("service/backend-api", "hold", ENDED.key, NOW - 60, NOW + 540),))
UNKNOWN = msgspec.structs.replace(ENDED, alert=msgspec.structs.replace(ENDED.alert, status="unknown"))

ENDINGS: list[tuple[str, Signal, dict[str, Any], str, str, str, bool]] = [
    ("its end lifts the hold", ENDED, MINE, "lift", "", "lifted", True),
    ("within the cooldown it may flap", ENDED, {**MINE, "guard": HOLDING}, "none", "cooldown", "540 s", True),
    ("its end lifts no hold of others", ENDED, {**HELD}, "none", "", "nothing was held", False),
    ("switched off, nothing is lifted", ENDED, {**MINE, "off": OFF}, "none", "switch", "stays", False),
    ("no data is not an end", UNKNOWN, MINE, "none", "", "not the same as resolved", True),
    ("another environment's end", ENDED, {**MINE, "environment": "staging"}, "none", "scope", "about", False),
    ("a replayed end", ENDED, {**MINE, "replay": "r1"}, "none", "stale", "replayed", False),
    (
        "an end that is older than the newest firing",
        ENDED,
        {**MINE, "seen": KnownAlert(ENDED.alert.fingerprint, "firing", NOW - 1, NOW - 1)},
        "none",
        "order",
        "firing as of",
        False,
    ),
]


@pytest.mark.parametrize(
    ("signal", "facts", "action", "gate", "words", "tell"),
    [c[1:] for c in ENDINGS],
    ids=[c[0] for c in ENDINGS],
)
def test_endings(
    signal: Signal, facts: dict[str, Any], action: str, gate: str, words: str, tell: bool
) -> None:
    decision = ask(signal, **facts)
    assert (decision.action, decision.gate, decision.notify) == (action, gate, tell)
    assert words in decision.reason


def test_a_budget_is_free_again_when_its_window_has_passed() -> None:
    old = msgspec.structs.replace(
        SPENT, claims=tuple(msgspec.structs.replace(c, at=NOW - 1801) for c in SPENT.claims)
    )
    assert ask(down(), **{**RELEASING, "guard": old}).action == "rollback"
