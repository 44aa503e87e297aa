"""Whatever is stored makes a view; not knowing never reads as well, and words from outside stay words."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from candlefish.catalog.model import Catalog
from candlefish.release.model import (
    Approval,
    PlanStep,
    Release,
    ReleaseEntry,
    SeenEvidence,
    SeenWindow,
    ServedCounts,
)
from candlefish.service.model import Hold, Holder, Remnant, Rollback, SlotRecord, Version
from candlefish.service.record import ServiceRecord
from candlefish.views.cells import service_cell
from candlefish.views.evidence import evidence_view
from candlefish.views.facts import ReleaseFacts, Surroundings
from candlefish.views.model import PodsView, Reader, ReleaseView
from candlefish.views.release_view import release_view
from tests.support.catalogs import catalog
from tests.support.service import fresh, image
from tests.support.views import HOSTILE

CATALOG: Catalog = catalog()
AT = 1_800_000_000.0
moments = st.one_of(st.just(0.0), st.floats(AT - 90_000, AT + 90_000))
words = st.one_of(
    st.just(HOSTILE),
    st.just(""),
    st.sampled_from(["platform-lead", "developer", "signal:x", "judge"]),
    st.text(max_size=20),
)
counts = st.builds(
    lambda requests, share: ServedCounts(requests, round(requests * share), round(requests * share / 2)),
    st.one_of(st.just(0), st.integers(0, 10**7)),
    st.floats(0, 1),
)
versions = st.builds(lambda n, label: Version(image(n), label), st.integers(1, 3), words)
kinds = st.sampled_from(
    ["deploy", "ready", "smoke", "scale", "shift", "judge", "bake", "approve", "hook", "experiment", "job"]
)
plans = st.lists(
    st.builds(
        PlanStep,
        kind=kinds,
        weight=st.integers(0, 100),
        within=st.floats(0, 90_000),
        name=st.sampled_from(["", "verdict", "hold", HOSTILE]),
        skipped_by=st.sampled_from(["", "", "developer"]),
    ),
    max_size=12,
).map(tuple)
statuses = st.sampled_from(
    ["running", "held", "awaiting_approval", "promoted", "rolling_back", "rolled_back", "refused"]
)
releases = st.builds(
    Release,
    id=st.just("r2"),
    environment=st.just("production"),
    service=st.just("backend-api"),
    version=versions,
    requested_by=words,
    reason=words,
    started_at=moments,
    status=statuses,
    slot=st.sampled_from([None, "blue", "green"]),
    strategy=st.sampled_from(["canary", "", "gone"]),
    plan=plans,
    train=st.sampled_from(["", "t1"]),
    replaces=st.none() | versions,
    passes_skipped=st.booleans(),
)
entries = st.lists(
    st.builds(
        ReleaseEntry,
        at=moments,
        kind=st.sampled_from(
            [
                "started",
                "shifted",
                "judged",
                "rolling_back",
                "rolled_back",
                "denied",
                "promote_now",
                "promoted",
                "refused",
                HOSTILE,
            ]
        ),
        reason=words,
        by=words,
        evidence=st.sampled_from(
            [
                {},
                {
                    "action": "continue",
                    "canary": {"requests": 5, "events": 1},
                    "baseline": {"requests": "x", "events": 1},
                },
                {"action": HOSTILE, "canary": []},
            ]
        ),
    ),
    max_size=8,
)
evidences = st.builds(
    SeenEvidence,
    at=moments,
    action=st.sampled_from(["rollback", "continue", "promote", "hold", "experiment", "ask", HOSTILE]),
    mode=st.sampled_from(["judge", "bake"]),
    since=moments,
    until=moments,
    reason=words,
    old=counts,
    new=counts,
    windows=st.integers(0, 500),
    length=st.sampled_from([0.0, 10.0, 60.0]),
    source=st.sampled_from(["", "cloudwatch", "prometheus", HOSTILE]),
    metric=st.sampled_from(
        ["", "errors", "slow", "over:0.28", "at:/x", "kind:new", "use:oom", "orders", "::", HOSTILE]
    ),
    stretch=st.sampled_from([(), (0, 0, 0, 0), (800, 0, 100, 21), (1, 2)]),
    decided=st.sampled_from(["", "evidence", "gross", "budget 0"]),
    against=st.floats(0, 1e300),
    rolls_back=st.floats(0, 1e6),
    favour=st.floats(0, 1e300),
    promotes=st.floats(0, 1e6),
    position=st.none() | st.floats(-1, 1),
    deadline=moments,
    min_requests=st.integers(0, 1000),
    min_windows=st.integers(0, 10),
    warm_until=moments,
    recorded=st.booleans(),
    silent=st.sampled_from([(), ("prometheus",), (HOSTILE,)]),
)


@st.composite
def records(draw: Any) -> ServiceRecord:
    base = fresh()
    slots = {}
    for slot in ("blue", "green"):
        state = draw(st.sampled_from(["empty", "candidate", "stable", "previous", "bad"]))
        slots[slot] = SlotRecord(
            base.slots[slot].target_group,  # type: ignore[index]
            state,
            draw(st.none() | versions),
            running=draw(st.booleans()),
            incoming=draw(st.none() | versions),
        )
    weight = draw(st.integers(0, 100))
    holder = st.builds(
        Holder,
        release=st.sampled_from(["r2", "other"]),
        execution=st.just("x"),
        until=moments,
        step=st.integers(0, 15),
        since=moments,
    )
    rollback = st.builds(
        Rollback,
        id=st.just("rb"),
        release=st.sampled_from(["r2", "other"]),
        slot=st.sampled_from(["blue", "green"]),
        disposition=st.just("bad"),
        reason=words,
        by=words,
        at=moments,
        redeploy=st.booleans(),
    )
    remnants = st.builds(
        Remnant,
        kind=st.sampled_from(["traffic_left", "not_restored"]),
        slot=st.sampled_from(["blue", "green"]),
        reason=words,
        at=moments,
    )
    holds = st.lists(
        st.builds(
            Hold, key=st.sampled_from(["person:developer", "signal:x"]), reason=words, since=moments, by=words
        ),
        max_size=2,
    )
    return msgspec.structs.replace(
        base,
        slots=slots,
        desired={"blue": weight, "green": 100 - weight},
        stable=draw(st.sampled_from([None, "blue", "green"])),
        holder=draw(st.none() | holder),
        rollback=draw(st.none() | rollback),
        remnant=draw(st.none() | remnants),
        promoted_release=draw(st.sampled_from(["", "r2", "r1"])),
        window_until=draw(moments),
        holds=tuple(draw(holds)),
        generation_at=draw(moments),
    )


questions = st.builds(
    Approval,
    release=st.just("r2"),
    environment=st.just("production"),
    service=st.just("backend-api"),
    name=st.sampled_from(["", "hold", "verdict", "job", HOSTILE]),
    requested_by=words,
    four_eyes=st.booleans(),
    expires_at=moments,
    question=st.just("q"),
    needed=st.integers(1, 2),
    approvers=st.sampled_from([(), ("platform-lead",)]),
)
windows = st.lists(
    st.builds(
        SeenWindow,
        start=moments,
        end=moments,
        weight=st.integers(0, 100),
        old=counts,
        new=counts,
        position=st.none() | st.floats(-1, 1),
    ),
    max_size=5,
)


@st.composite
def facts(draw: Any) -> ReleaseFacts:
    return ReleaseFacts(
        release=draw(releases),
        record=draw(st.none() | records()),
        now=AT,
        question=draw(st.none() | questions),
        seen=draw(st.none() | evidences),
        windows=draw(windows),
        entries=sorted(draw(entries), key=lambda entry: -entry.at),
        weights=draw(st.none() | st.just({})),
        pods=draw(st.sampled_from([{}, {"blue": PodsView(unknown="late")}])),
        glanced=draw(st.booleans()),
    )


readers = st.builds(
    Reader,
    principal=st.just("p"),
    name=st.sampled_from(["", "platform-lead", "developer", HOSTILE]),
    roles=st.sampled_from([(), ("reader",), ("reader", "operator"), ("reader", "operator", "approver")]),
)


@given(facts(), readers)
def test_whatever_is_stored_makes_a_view_that_can_be_sent(known: ReleaseFacts, reader: Reader) -> None:
    view = release_view(known, reader, CATALOG)
    assert msgspec.json.decode(msgspec.json.encode(view), type=ReleaseView) == view
    assert view.says
    assert 0 <= view.step <= len(view.steps)
    assert sum(step.state in ("now", "failed") for step in view.steps) <= 1
    if view.tone == "good":
        assert view.evidence.state == "no_harm" or view.status == "promoted"
    for action in view.actions:
        assert action.does and action.command
        assert action.may != bool(action.why_not)


@given(facts(), readers)
def test_a_release_whose_record_is_unknown_is_never_well(known: ReleaseFacts, reader: Reader) -> None:
    lost = msgspec.structs.replace(known, record=None)
    view = release_view(lost, reader, CATALOG)
    assert view.tone != "good"
    assert view.actions == ()
    assert view.question is None


@given(evidences, st.booleans())
def test_evidence_that_is_none_is_never_no_harm(seen: SeenEvidence, judging: bool) -> None:
    view = evidence_view(seen, old="v1", new="v2", now=AT, judging=judging)
    little = seen.new.requests == 0 or seen.windows == 0 or not seen.source
    if (little or seen.action in ("hold", "ask", "experiment")) and seen.action != "rollback":
        assert view.state == "cannot_tell"
    if seen.action == "rollback":
        assert view.state == "harmed"


@given(facts(), records(), readers)
def test_whatever_is_stored_makes_a_cell(known: ReleaseFacts, record: ServiceRecord, reader: Reader) -> None:
    cell, needs = service_cell(record, known, Surroundings(), reader, CATALOG, AT)
    assert cell.says
    assert all(need.says and need.command for need in needs)
    if record.holder and cell.tone == "good":
        assert cell.release
