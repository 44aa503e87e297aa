"""Views as people meet them, made of the read model's values: what page, terminal and Slack are tried with.

`python -m tests.support.views` writes them to tests/fixtures/views/*.json, as the API would send them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from candlefish.analysis.counts import wilson
from candlefish.views.model import (
    ActionView,
    AuditLine,
    AuditPage,
    CalendarView,
    ColumnView,
    CostView,
    DayView,
    EntryView,
    EvidenceView,
    FleetView,
    Left,
    MeView,
    NeedView,
    ObjectiveView,
    PodsView,
    PointView,
    QuestionView,
    Rate,
    RecoveryView,
    ReleasesPage,
    ReleaseView,
    RunView,
    ServiceCell,
    ServiceView,
    SideView,
    SignalsPage,
    SignalView,
    SlotView,
    SpentView,
    StepView,
    Tone,
    TroubleView,
    VersionView,
    Who,
)
from candlefish.views.release_view import release_line
from tools.layers import ROOT

FOLDER = ROOT / "tests/fixtures/views"
# Monday, 14:41:03 in Los Angeles.
NOW = datetime(2026, 11, 30, 22, 41, 3, tzinfo=UTC).timestamp()
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
LEAD, PRODUCT, DEVELOPER = (
    Who("platform-lead", "approver"),
    Who("product-lead", "approver"),
    Who("developer", "operator"),
)
OURS, JUDGE = Who("control-plane"), Who("judge")
ID = "backend-api-20261130-222901-7c1e"
REGISTRY = "333333333333.dkr.ecr.us-west-2.amazonaws.com"
# What nobody should be able to do anything with: markup of each place where a view is drawn.
HOSTILE = (
    "</script><script>alert(1)</script> [bold red]x[/x] \x1b[31m\x1b]0;t\x07 *b* <!channel> <@U1> @everyone\n"
    '::error::x\r\u202eevil\u2066 =HYPERLINK("http://e.example","x") `;$(id) | %0a &amp; \u0000\ufeff'
)


def version(label: str, service: str = "backend-api") -> VersionView:
    digest = f"{sum(map(ord, label)):08x}" * 8
    return VersionView(label, f"{REGISTRY}/{service}@sha256:{digest}", digest[:16])


OLD, NEW = version("1.0.0"), version("1.1.0")
TITLES = ("deploy", "smoke", "10%", "judge", "approve", "50%", "judge", "100%", "bake")
KINDS: dict[str, Literal["deploy", "smoke", "shift", "judge", "approve", "bake"]] = {
    "deploy": "deploy",
    "smoke": "smoke",
    "judge": "judge",
    "approve": "approve",
    "bake": "bake",
}


def steps(now: int, state: Literal["now", "failed"] = "now") -> tuple[StepView, ...]:
    """The canary's nine steps, of which `now` (from 1) is in `state`; 10: all are done."""
    states: list[Literal["done", "now", "next", "failed"]] = [
        "done" if n < now else state if n == now else "next" for n in range(1, 10)
    ]
    return tuple(
        StepView(
            KINDS.get(title, "shift"),
            title,
            states[n],
            since=NOW - 12 * MINUTE + n * 100 if n < now else 0.0,
            until=NOW + 23 * MINUTE if n + 1 == now else 0.0,
        )
        for n, title in enumerate(TITLES)
    )


def rate(
    events: int, requests: int, low: float, high: float, since: float = 6 * MINUTE, until: float = 30.0
) -> Rate:
    return Rate(requests, events, low, high, NOW - since, NOW - until)


def pods(ready: int, desired: int) -> PodsView:
    return PodsView(ready=ready, desired=desired)


def entry(
    ago: float, kind: str, word: str, tone: Tone, says: str, by: Who = OURS, **evidence: Any
) -> EntryView:
    return EntryView(NOW - ago, kind, word, tone, says, by, evidence)


def timeline() -> tuple[EntryView, ...]:
    """How it came to where the canary stands, newest first."""
    return (
        entry(
            0,
            "judged",
            "judged",
            "info",
            "no sign of harm (5 of 12 windows)",
            JUDGE,
            action="continue",
            windows=5,
            odds=1.14,
            low=0.6,
            high=2.2,
        ),
        entry(302, "shifted", "shifted", "info", "10% to 1.1.0 in blue, 90% to 1.0.0 in green"),
        entry(340, "smoked", "smoke tests passed", "good", "200 from /health at weight 0, 5 of 5"),
        entry(400, "ready", "ready", "good", "5 of 5 Pods are ready"),
        entry(
            700,
            "deployed",
            "deployed",
            "info",
            "1.1.0 into blue",
            OURS,
            changed=["image", "env FEATURE_X: off -> on"],
        ),
        entry(722, "started", "started", "info", "faster search", DEVELOPER),
    )


def side(requests: int, errors: int, slow: int = 0, p95: float | None = None) -> SideView:
    low, high = wilson(errors, requests) if requests else (None, None)
    return SideView(requests, errors, slow, p95, low, high)


def points(count: int, harm: bool = False) -> tuple[PointView, ...]:
    """Windows of a minute, newest last; the first four before the canary got any traffic."""
    made = []
    for n in range(count):
        start, serving = NOW - 30 - (count - n) * MINUTE, n >= 4
        new = side(100 + n, (21 + n if harm else n % 3), n % 2, 0.185 + 0.001 * n) if serving else side(0, 0)
        position = (-0.2 * (n - 3) if harm else 0.1 * (n - 3)) if serving else None
        made.append(
            PointView(
                start,
                start + MINUTE,
                10 if serving else 0,
                side(900 - 7 * n, n % 4, n % 3, 0.180),
                new,
                max(-1.0, min(1.0, position)) if position is not None else None,
            )
        )
    return tuple(made)


def action(name: Any, does: str, may: bool = True, why_not: str = "", *who: Who) -> ActionView:
    question = " --question 5f2c9a10" if name in ("approve", "deny") else ""
    return ActionView(
        name,
        does,
        may,
        why_not,
        who or (LEAD, PRODUCT),
        f'candlefish {name} {ID} -e production{question} --reason "..."',
    )


BACK = "100% to 1.0.0 within seconds; 1.1.0 may be released again"


def release_canary() -> ReleaseView:
    """Step 4 of 9: a tenth, judged, no sign of harm; read by an approver who did not ask for it."""
    return ReleaseView(
        id=ID,
        environment="production",
        service="backend-api",
        status="running",
        says="no sign of harm: 12 of 5,020 requests failed (0.24%), 0.21% on 1.0.0 in the same minutes",
        tone="good",
        old=OLD,
        new=NEW,
        strategy="canary",
        requested_by=DEVELOPER,
        reason="faster search",
        started_at=NOW - 722,
        ended_at=0.0,
        now=NOW,
        slots=(
            SlotView(
                "green",
                "stable",
                OLD,
                90,
                90,
                pods(5, 5),
                rate(95, 45_180, 0.0017, 0.00257),
                p50=0.042,
                p95=0.180,
            ),
            SlotView(
                "blue",
                "candidate",
                NEW,
                10,
                10,
                pods(5, 5),
                rate(12, 5_020, 0.00124, 0.00417),
                p50=0.043,
                p95=0.185,
            ),
        ),
        evidence=EvidenceView(
            "no_harm",
            "no sign of harm: 12 of 5,020 requests failed (0.24%), 0.21% on 1.0.0 in the same minutes",
            at=NOW,
            position=0.37,
            odds="3 to 1 that it is as good; 20 to 1 promotes",
            old=rate(95, 45_180, 0.0017, 0.00257),
            new=rate(12, 5_020, 0.00124, 0.00417),
            windows=5,
            of=12,
            decided={
                "odds_ratio": 1.14,
                "interval": [0.6, 2.2],
                "evidence_for": 3.02,
                "evidence_against": 0.31,
            },
        ),
        step=4,
        steps=steps(4),
        left=(
            Left(
                "judge",
                NOW + 7 * MINUTE,
                "about 7 minutes more at this traffic, then it goes on to the approval",
            ),
            Left("step", NOW + 23 * MINUTE, "if it cannot be told by then, a person is asked"),
        ),
        then="approval by somebody else (2 people can), within 8 h",
        timeline=timeline(),
        older=f"{NOW - 722:020.6f}",
        points=points(9),
        actions=(
            action("pause", "stays at 10% until somebody resumes it; it goes on being judged"),
            action(
                "promote",
                "100% to 1.1.0: skips what is left of judge, 50% and bake; the approval by somebody else stays",
            ),
            action("abort", BACK),
        ),
        command=f"candlefish watch {ID} -e production",
    )


def question() -> QuestionView:
    return QuestionView(
        id="5f2c9a10",
        release=ID,
        service="backend-api",
        environment="production",
        asks="shall 1.1.0 of backend-api go on from 10% to 50%?",
        evidence="no sign of harm: 31 of 12,410 requests failed (0.25%), 0.21% on 1.0.0 in the same minutes",
        weight=10,
        next_weight=50,
        if_yes="50% to 1.1.0, then it is judged again",
        if_no=BACK,
        if_nobody="it is rolled back",
        requested_by=DEVELOPER,
        reason="faster search",
        expires_at=NOW + 7 * HOUR + 52 * MINUTE,
        may_answer=(LEAD, PRODUCT),
    )


def release_question() -> ReleaseView:
    """A person is asked: two may answer, the one who asked for it may not."""
    asked = question()
    return replace(
        release_canary(),
        status="awaiting_approval",
        says="waits for approval by platform-lead or product-lead: shall 1.1.0 go on from 10% to 50%?",
        tone="warning",
        question=asked,
        step=5,
        steps=steps(5),
        evidence=replace(
            release_canary().evidence,
            says=asked.evidence,
            position=1.0,
            odds="21 to 1 that it is as good; 20 to 1 promotes",
            windows=12,
        ),
        left=(Left("approval", asked.expires_at, f"if nobody answers {asked.if_nobody}"),),
        then="50%, judged for at most 30 min",
        timeline=(
            entry(
                8 * MINUTE,
                "approval_requested",
                "asked",
                "warning",
                "shall 1.1.0 go on from 10% to 50%?",
                question="5f2c9a10",
            ),
            *timeline(),
        ),
        actions=(
            action("approve", asked.if_yes),
            action("deny", asked.if_no),
            action("abort", BACK),
        ),
        command=f'candlefish approve {ID} -e production --question 5f2c9a10 --reason "..."',
    )


def release_question_own() -> ReleaseView:
    """The same, read by the one who asked for it: may not answer."""
    view = release_question()
    why = "developer asked for it: somebody else must answer"
    return replace(
        view,
        actions=tuple(
            replace(each, may=False, why_not=why) if each.name in ("approve", "deny") else each
            for each in view.actions
        ),
        command=f"candlefish watch {ID} -e production",
    )


HARM = "harmed: 21 of 100 requests failed (21%), 0 of 800 on 1.0.0 in the same minutes"


def release_harmed() -> ReleaseView:
    """Harm was found a moment ago; the rollback runs."""
    return replace(
        release_canary(),
        status="rolling_back",
        says=f"rolling back: {HARM}; all traffic is back on 1.0.0, 1.1.0 is drained",
        tone="bad",
        slots=(
            SlotView(
                "green",
                "stable",
                OLD,
                100,
                100,
                pods(5, 5),
                rate(0, 800, 0.0, 0.0046, 60),
                p50=0.042,
                p95=0.180,
            ),
            SlotView(
                "blue",
                "bad",
                NEW,
                0,
                0,
                PodsView(
                    ready=3,
                    desired=5,
                    restarting=2,
                    troubles=(
                        TroubleView(
                            "backend-api-blue-7d9f-x2x",
                            "restarts again and again: exit code 137, out of memory",
                        ),
                    ),
                ),
                rate(21, 100, 0.135, 0.303, 60),
                p50=0.4,
                p95=1.9,
            ),
        ),
        evidence=EvidenceView(
            "harmed",
            HARM,
            at=NOW - 10,
            position=-1.0,
            odds="more than 1,000 to 1 that it is worse; 20 to 1 rolls back",
            old=rate(0, 800, 0.0, 0.0046, 60),
            new=rate(21, 100, 0.135, 0.303, 60),
            windows=1,
            of=30,
            decided={"evidence_against": 13.8, "odds_ratio": None},
        ),
        steps=steps(4, "failed"),
        left=(),
        then="",
        timeline=(
            entry(8, "rolling_back", "rolling back", "bad", HARM, JUDGE, windows=1, evidence_against=13.8),
            entry(10, "judged", "judged", "bad", HARM, JUDGE, action="rollback"),
            *timeline()[1:],
        ),
        points=points(6, harm=True),
        actions=(),
        command=f"candlefish watch {ID} -e production",
    )


def release_rolled_back() -> ReleaseView:
    view = release_harmed()
    return replace(
        view,
        status="rolled_back",
        says="rolled back after 3 minutes: 21% of requests failed; 21 requests met it",
        ended_at=NOW - 2,
        slots=(
            view.slots[0],
            replace(view.slots[1], role="bad", pods=PodsView(0, 0), errors=view.slots[1].errors),
        ),
        timeline=(
            entry(
                2,
                "rolled_back",
                "rolled back",
                "bad",
                "1.0.0 serves all traffic; 1.1.0 is remembered as bad and its Pods are gone",
            ),
            *view.timeline,
        ),
        command="candlefish status backend-api -e production",
    )


def release_cannot_tell() -> ReleaseView:
    """Too little traffic; and one source is silent."""
    says = "cannot tell yet: 12 requests in 4 minutes, about 40 minutes more at this traffic"
    view = release_canary()
    return replace(
        view,
        says=says,
        tone="unknown",
        evidence=EvidenceView(
            "cannot_tell",
            says,
            at=NOW,
            position=0.03,
            odds="about even; 20 to 1 promotes",
            old=rate(0, 108, 0.0, 0.0336),
            new=rate(0, 12, 0.0, 0.265),
            windows=4,
            of=30,
            decided={"requests": [108, 12]},
        ),
        slots=(
            replace(view.slots[0], errors=rate(0, 108, 0.0, 0.0336), p50=None, p95=None),
            replace(
                view.slots[1],
                real=None,
                pods=PodsView(unknown="the cluster did not answer within 3 s"),
                errors=rate(0, 12, 0.0, 0.265),
                p50=None,
                p95=None,
            ),
        ),
        left=(Left("step", NOW + 26 * MINUTE, "if it cannot be told by then, a person is asked"),),
        unknown=(
            "no numbers from Prometheus since 14:31",
            "the weights of the load balancer could not be read: throttled",
        ),
    )


def release_promoted() -> ReleaseView:
    """Promoted, and its rollback window is open."""
    view = release_canary()
    return replace(
        view,
        status="promoted",
        says="1.1.0 is live for all users; it is watched for 48 minutes more, and 1.0.0 is kept ready to go back to",
        tone="good",
        step=9,
        steps=steps(10),
        slots=(
            SlotView(
                "blue",
                "stable",
                NEW,
                100,
                100,
                pods(10, 10),
                rate(130, 61_200, 0.0018, 0.0025),
                p50=0.043,
                p95=0.184,
            ),
            SlotView("green", "previous", OLD, 0, 0, pods(5, 5)),
        ),
        evidence=replace(
            view.evidence,
            says="no sign of harm: 130 of 61,200 requests failed (0.21%), 0.21% on 1.0.0 before the release",
            position=1.0,
            odds="more than 1,000 to 1 that it is as good; 20 to 1 promotes",
        ),
        ended_at=NOW - 12 * MINUTE,
        started_at=NOW - 64 * MINUTE,
        left=(
            Left(
                "window",
                NOW + 48 * MINUTE,
                "then 1.0.0 is taken away; until then it goes back within seconds",
            ),
        ),
        then="1.0.0 is taken away when the rollback window closes",
        timeline=(
            entry(12 * MINUTE, "promoted", "promoted", "good", "1.1.0 is live in production"),
            *timeline(),
        ),
        actions=(
            action(
                "rollback",
                "100% to 1.0.0 within seconds; 1.1.0 is remembered as bad, and is refused until somebody insists",
            ),
        ),
        command='candlefish rollback backend-api -e production --reason "..."',
    )


def release_train_member() -> ReleaseView:
    """The second of three of a train, held by a signal."""
    return replace(
        release_canary(),
        id="train-20261130-2220-gateway",
        service="gateway",
        status="held",
        says="held at 10%: the alarm gateway-latency of gateway fires since 14:36; it goes on when that is over",
        tone="warning",
        old=version("2.3.0", "gateway"),
        new=version("2.4.0", "gateway"),
        slots=(
            replace(release_canary().slots[0], version=version("2.3.0", "gateway")),
            replace(release_canary().slots[1], version=version("2.4.0", "gateway")),
        ),
        holds=("the alarm gateway-latency of gateway fires since 14:36",),
        left=(Left("hold", NOW + 55 * MINUTE, "if it is still held then, a person is asked"),),
        train="train-20261130-2220",
        then="judge, until it is told",
        actions=(
            action(
                "resume",
                "lifts the hold of a person; the alarm's stays until it is over",
                False,
                "no person holds it",
            ),
            action(
                "abort", "100% to 2.3.0 within seconds; the whole train train-20261130-2220 is taken back"
            ),
        ),
        command="candlefish watch train-20261130-2220-gateway -e production",
    )


def release_hostile() -> ReleaseView:
    """Every word that comes from outside is hostile."""
    bad = VersionView(HOSTILE, HOSTILE, HOSTILE)
    who = Who(HOSTILE, "approver")
    view = release_question()
    assert view.question is not None
    return replace(
        view,
        new=bad,
        reason=HOSTILE,
        says=f"waits for approval: shall {HOSTILE} go on?",
        requested_by=who,
        question=replace(view.question, reason=HOSTILE, requested_by=who, asks=HOSTILE, evidence=HOSTILE),
        slots=(
            view.slots[0],
            replace(
                view.slots[1],
                version=bad,
                pods=PodsView(ready=1, desired=5, restarting=1, troubles=(TroubleView(HOSTILE, HOSTILE),)),
            ),
        ),
        holds=(HOSTILE,),
        timeline=(
            EntryView(NOW, "judged", "judged", "info", HOSTILE, who, {HOSTILE: HOSTILE}),
            *view.timeline,
        ),
        unknown=(HOSTILE,),
    )


SERVICES = ("website", "backend-api", "gateway", "mailer", "search", "session-store")


def cell(environment: str, service: str, **more: Any) -> ServiceCell:
    return ServiceCell(
        **{
            "environment": environment,
            "service": service,
            "says": "all traffic on 1.0.0",
            "tone": "good",
            "version": version("1.0.0", service),
            "owner": "platform",
            **more,
        }
    )


def running_cell(environment: str, service: str, **more: Any) -> ServiceCell:
    return cell(
        environment,
        service,
        **{
            "says": "1.0.0 -> 1.1.0: 10%, no sign of harm",
            "incoming": version("1.1.0", service),
            "weight": 10,
            "release": ID.replace("backend-api", service),
            "status": "running",
            "step": 4,
            "steps": 9,
            "left": Left("judge", NOW + 7 * MINUTE, "about 7 minutes more at this traffic"),
            "last": replace(timeline()[0], evidence={}),
            **more,
        },
    )


def fleet() -> FleetView:
    """Six services in three environments; one waits for a person, one was rolled back, staging sleeps."""
    asked = question()
    asleep = {
        "tone": "info",
        "asleep": True,
        "says": "asleep until 06:00; 1.0.0 when it wakes",
        "left": Left("sleep", NOW + 15 * HOUR + 19 * MINUTE, "wakes at 06:00"),
    }
    cells = [
        cell(
            "production",
            "website",
            says="all traffic on 4.2.1",
            version=version("4.2.1", "website"),
            frozen=True,
        ),
        running_cell(
            "production",
            "backend-api",
            says="1.0.0 -> 1.1.0: 10%, waits for approval",
            tone="warning",
            status="awaiting_approval",
            step=5,
            needs_person=True,
            left=Left("approval", asked.expires_at, f"if nobody answers {asked.if_nobody}"),
        ),
        running_cell(
            "production",
            "gateway",
            says="2.3.0 -> 2.4.0: 10%, held: the alarm gateway-latency fires",
            tone="warning",
            status="held",
            held=True,
        ),
        cell(
            "production",
            "mailer",
            says="1.1.0 was rolled back 40 minutes ago: 21% failed; all traffic on 1.0.0",
            tone="bad",
            needs_person=True,
            last=entry(40 * MINUTE, "rolled_back", "rolled back", "bad", "1.0.0 serves all traffic"),
        ),
        cell(
            "production",
            "search",
            says="in quarantine: its record is older than what the load balancer says; nobody acts by it",
            tone="bad",
            needs_person=True,
        ),
        cell(
            "production",
            "session-store",
            says="not known: its record could not be read",
            tone="unknown",
            version=None,
        ),
        *(cell("staging", service, **asleep) for service in SERVICES),
        *(cell("development", service) for service in SERVICES[:5]),
        cell("development", "session-store", says="nothing has been released yet", tone="info", version=None),
    ]
    return FleetView(
        NOW,
        "3 things need a person in production; 2 releases are under way",
        "warning",
        needs=(
            NeedView(
                NOW - 8 * MINUTE,
                "warning",
                "backend-api 1.1.0 waits for approval by platform-lead or product-lead",
                "production",
                "backend-api",
                ID,
                asked,
                release_question().actions,
                release_question().command,
            ),
            NeedView(
                NOW - 40 * MINUTE,
                "bad",
                "mailer 1.1.0 was rolled back: 21% of requests failed; find out why, and release a mended version",
                "production",
                "mailer",
                ID.replace("backend-api", "mailer"),
                command=f"candlefish status {ID.replace('backend-api', 'mailer')} -e production",
            ),
            NeedView(
                NOW - 3 * HOUR,
                "bad",
                "search is in quarantine: its record is older than what the load balancer says; nobody acts by it",
                "production",
                "search",
                command="candlefish records verify -e production",
            ),
        ),
        environments=(
            ColumnView(
                "production",
                True,
                "3 things need a person; 2 releases are under way",
                "warning",
                left=(Left("freeze", NOW + 2 * HOUR, "website is frozen until 16:41: checkout sale"),),
            ),
            ColumnView(
                "staging",
                False,
                "asleep until 06:00",
                "info",
                asleep=True,
                left=(Left("sleep", NOW + 15 * HOUR + 19 * MINUTE, "wakes at 06:00"),),
            ),
            ColumnView(
                "development",
                False,
                "automation is off: the load balancer is being moved",
                "warning",
                automation_off="automation is off: the load balancer is being moved; go on with: candlefish automation on",
            ),
        ),
        cells=tuple(cells),
        unknown=("session-store in production: its record is newer than this control plane",),
        here="production",
    )


def fleet_of(services: int = 200, in_flight: int = 50) -> FleetView:
    """A large one: an environment with so many services, of which so many are being released, each tenth asked about."""
    names = [f"service-{n:03d}" for n in range(services)]
    asked = [name for n, name in enumerate(names[:in_flight]) if n % 10 == 0]
    cells = [
        running_cell("production", name, needs_person=name in asked)
        if n < in_flight
        else cell("production", name)
        for n, name in enumerate(names)
    ]
    needs = [
        NeedView(
            NOW - n * MINUTE,
            "warning",
            f"{name} 1.1.0 waits for approval by platform-lead or product-lead",
            "production",
            name,
            ID.replace("backend-api", name),
            replace(question(), service=name, release=ID.replace("backend-api", name), id=f"{n:08x}"),
            release_question().actions,
            release_question().command,
        )
        for n, name in enumerate(asked)
    ]
    says = f"{len(needs)} things need a person; {in_flight} releases are under way"
    column = ColumnView("production", True, says, "warning")
    return FleetView(NOW, says, "warning", tuple(needs), (column,), tuple(cells), here="production")


def releases() -> ReleasesPage:
    old = replace(release_rolled_back(), id="backend-api-20261129-101500-aa01", started_at=NOW - DAY)
    older = replace(release_promoted(), id="backend-api-20261125-090000-0b0c", started_at=NOW - 5 * DAY)
    return ReleasesPage(
        f"{NOW - 5 * DAY:020.6f}", (release_line(release_canary()), release_line(old), release_line(older))
    )


def service() -> ServiceView:
    view = release_canary()
    return ServiceView(
        cell=running_cell("production", "backend-api"),
        now=NOW,
        slots=view.slots,
        release=view,
        releases=releases().releases,
        older=releases().older,
        left=view.left,
        actions=(
            *view.actions,
            action(
                "freeze", "refuses new releases of backend-api until a time that you name; this one goes on"
            ),
        ),
        command=view.command,
    )


def signals() -> SignalsPage:
    return SignalsPage(
        f"{NOW - 2 * DAY:020.6f}",
        (
            SignalView(
                NOW - 5 * MINUTE,
                "gateway-latency",
                "P1",
                "gateway",
                "firing",
                "gateway-latency fires for gateway: its release is held",
                "warning",
                "hold",
                "a release of gateway is under way and its canary has 10%",
                "train-20261130-2220-gateway",
                {"p99": 2.4, "threshold": 2.0},
                "service/gateway",
                acted=True,
            ),
            SignalView(
                NOW - 40 * MINUTE,
                "mailer-errors",
                "P0",
                "mailer",
                "firing",
                "mailer-errors fired for mailer: rolled back to 1.0.0",
                "bad",
                "rollback",
                "mailer 1.1.0 was promoted 12 minutes before",
                ID.replace("backend-api", "mailer"),
                about="service/mailer",
                acted=True,
            ),
            SignalView(
                NOW - 2 * DAY,
                "database-cpu",
                "P2",
                "main",
                "resolved",
                "database-cpu of main was refused: a failover ran 20 minutes before, and the cooldown is an hour",
                "info",
                "refused",
                "cooldown: a failover ran 20 minutes before",
                about="database/main",
                count=3,
            ),
        ),
        says="3 newest signals of 3 alerts, 2 of which fire",
        left=(
            Left("mute", NOW + 90 * MINUTE, "service/website is muted by developer: a load test"),
            Left("cooldown", NOW + 20 * MINUTE, "rollback of service/mailer cools down"),
        ),
    )


def recovery() -> RecoveryView:
    return RecoveryView(
        NOW,
        "1 thing is not protected: bucket/uploads; the last drill, 3 days ago, restored main in 21 minutes",
        "bad",
        (
            ObjectiveView(
                "RTO", HOUR, 21 * MINUTE, NOW - 3 * DAY, "21 min of 1 h, in the drill of 3 days ago", "good"
            ),
            ObjectiveView(
                "RPO", HOUR, 4 * MINUTE, NOW - 3 * DAY, "4 min of 1 h, in the drill of 3 days ago", "good"
            ),
        ),
        (
            RunView(
                "audit",
                "audit",
                "production",
                "1 thing is not protected: bucket/uploads",
                "bad",
                NOW - HOUR,
                NOW - HOUR,
                evidence={
                    "findings": [
                        {
                            "subject": "bucket/uploads",
                            "rule": "recovery-copy",
                            "verdict": "fail",
                            "reason": "it has no replication to us-east-1",
                            "fix": "turn replication on, docs/recovery.md",
                        }
                    ],
                    "passed": [
                        {
                            "subject": "database/main",
                            "rule": "snapshot-age",
                            "reason": "the newest is 5 hours old",
                        }
                    ],
                },
            ),
            RunView(
                "drill-20261127",
                "drill",
                "main",
                "restored in 21 minutes; the sentinel was there",
                "good",
                NOW - 3 * DAY,
                NOW - 3 * DAY + 21 * MINUTE,
                rto=21 * MINUTE,
                rpo=4 * MINUTE,
                evidence={"snapshot": "rds:main-2026-11-27-04-10", "by": "schedule"},
            ),
            RunView(
                "production.cache.sessions.3",
                "failover",
                "cache/sessions",
                "was given up: the replica was 9 minutes behind, 5 are allowed; nothing was moved",
                "warning",
                NOW - 20 * DAY,
                NOW - 20 * DAY + 2 * MINUTE,
                rpo=9 * MINUTE,
                evidence={
                    "plan": "cache-cross-region",
                    "to": "us-east-1",
                    "by": "platform-lead",
                    "detect": 4 * MINUTE,
                    "decide": 9 * MINUTE,
                    "execute": None,
                    "steps": {},
                    "rpo_from": "replica lag",
                },
                timeline=(
                    entry(20 * DAY - 120, "abandoned", "abandoned", "info", "the region is back", LEAD),
                    entry(20 * DAY, "requested", "requested", "info", "us-west-2 does not answer", LEAD),
                ),
            ),
        ),
    )


def calendar() -> CalendarView:
    midnight = datetime(2026, 12, 1, 8, tzinfo=UTC).timestamp()
    days = []
    for n in range(3):
        start = midnight + n * DAY
        days += [
            DayView(start + 6 * HOUR, start + 22 * HOUR, "awake", "Mon-Fri 06:00-22:00"),
            DayView(start + 22 * HOUR, start + 30 * HOUR, "asleep", "outside of the hours awake"),
        ]
    days += [
        DayView(NOW + 23 * DAY, NOW + 33 * DAY, "frozen", "year-end: half the team is away"),
        DayView(NOW, NOW + 2 * HOUR, "frozen", "website, by product-lead: checkout sale", "website"),
    ]
    return CalendarView(
        NOW,
        "America/Los_Angeles",
        "awake until 22:00",
        tuple(days),
        (Left("sleep", midnight - 2 * HOUR, "falls asleep at 22:00"),),
    )


def cost() -> CostView:
    return CostView(
        NOW,
        "1,034 dollars this month by forecast: inside 800 to 1,200; sleeping saved 312",
        "good",
        spent=1001.44,
        forecast=1034.0,
        low=800.0,
        high=1200.0,
        saved=312.2,
        at=NOW - 5 * HOUR,
        environment="staging",
        month="2026-11",
        likely_low=1020.0,
        likely_high=1061.0,
        share=0.86,
        hours_asleep=301.5,
        advice="1,034 of at most 1,200: nothing is to be done",
        notes=("1 day is late on the bill and was filled in: 2026-11-30",),
        days=tuple(SpentView(f"2026-11-{day:02}", 34.0 + day % 3) for day in range(1, 30)),
    )


def audit() -> AuditPage:
    return AuditPage(
        f"{NOW - DAY:020.6f}",
        (
            AuditLine(
                NOW - 12 * MINUTE, DEVELOPER, "started", "backend-api", "release of 1.1.0: faster search", ID
            ),
            AuditLine(
                NOW - 40 * MINUTE,
                OURS,
                "rolled back",
                "mailer",
                "1.1.0: 21% of requests failed",
                ID.replace("backend-api", "mailer"),
            ),
            AuditLine(NOW - 2 * HOUR, LEAD, "froze", "website", "until 16:41: checkout sale"),
            AuditLine(NOW - DAY, PRODUCT, "approved", "gateway", "2.3.0: go on"),
        ),
    )


def me() -> MeView:
    return MeView(
        LEAD, "oidc:00u1-platform-lead", ("reader", "operator", "approver"), "platform-lead may approve"
    )


SAMPLES: dict[str, Callable[[], msgspec.Struct]] = {
    "release-canary": release_canary,
    "release-question": release_question,
    "release-question-own": release_question_own,
    "release-harmed": release_harmed,
    "release-rolled-back": release_rolled_back,
    "release-cannot-tell": release_cannot_tell,
    "release-promoted-in-window": release_promoted,
    "release-train-member": release_train_member,
    "release-hostile": release_hostile,
    "fleet": fleet,
    "service": service,
    "releases": releases,
    "signals": signals,
    "recovery": recovery,
    "calendar": calendar,
    "cost": cost,
    "audit": audit,
    "me": me,
}


def sample_text(name: str) -> str:
    """A sample as its file has it."""
    return msgspec.json.format(msgspec.json.encode(SAMPLES[name]()), indent=1).decode() + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in SAMPLES:
        (FOLDER / f"{name}.json").write_text(sample_text(name))
