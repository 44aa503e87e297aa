"""What people see of an environment, its services and their releases: values, as the API sends them.

Every view is ordered as it is read: what holds now in one sentence, what needs a person, where the traffic is, whether
it is harmed, how far along it is, what happened (newest first), how it was decided, identifiers. Times are epoch
seconds, durations seconds, shares 0 to 1, weights percent. What is not known is None or says so in words, and is never
shown as well. Text from outside stands here as it came: whoever draws it makes it text of its kind.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from candlefish.release.model import Status, StepKind
from candlefish.service.model import Slot

# How something stands, for a sign and a colour; each is also said in words.
Tone = Literal["good", "info", "warning", "bad", "unknown"]
# Of several the first of these is that of all.
WORST_FIRST: tuple[Tone, ...] = ("bad", "warning", "unknown", "info", "good")
# What a person may do to a release or service.
ActionName = Literal[
    "approve", "deny", "pause", "resume", "promote", "abort", "rollback", "freeze", "unfreeze"
]
# What a reader may do at all, each including what stands before it.
Role = Literal["reader", "operator", "approver"]


class Who(msgspec.Struct, frozen=True):
    """A person by the name that the catalog has, with what they may do there; or whoever else acted."""

    name: str
    role: str = ""


class Reader(msgspec.Struct, frozen=True):
    """Who looks: what the credential names, the person that the catalog knows by it ("" for nobody), and the roles."""

    principal: str
    name: str = ""
    roles: tuple[Role, ...] = ()


class Rate(msgspec.Struct, frozen=True):
    """How many of a version's requests were bad, from `since` to `until`; `low` and `high` bound the share at 95%."""

    requests: int
    events: int
    low: float
    high: float
    since: float
    until: float

    @property
    def share(self) -> float | None:
        """None where there were no requests."""
        return self.events / self.requests if self.requests else None


class TroubleView(msgspec.Struct, frozen=True):
    """A Pod that is not well, and why, in a sentence."""

    pod: str
    says: str


class PodsView(msgspec.Struct, frozen=True):
    """The Pods of a slot. `unknown` says why nobody can tell, and then the numbers mean nothing."""

    ready: int = 0
    desired: int = 0
    restarting: int = 0
    troubles: tuple[TroubleView, ...] = ()
    unknown: str = ""


class VersionView(msgspec.Struct, frozen=True):
    """A version: what people call it, and its image by digest; `configuration` is the digest of its configuration."""

    label: str
    image: str
    configuration: str = ""


class SlotView(msgspec.Struct, frozen=True):
    """One slot: what is in it, the weight that is wanted and the one that the load balancer has (None: not known)."""

    slot: Slot
    role: Literal["empty", "candidate", "stable", "previous", "bad"]
    version: VersionView | None
    wanted: int
    real: int | None = None
    pods: PodsView = PodsView(unknown="not asked")
    errors: Rate | None = None
    # Seconds; None where it is not known.
    p50: float | None = None
    p95: float | None = None


class StepView(msgspec.Struct, frozen=True):
    """One step of a plan. `title` is what people call it ("10%", "judge"); `until` when it ends at the latest."""

    kind: StepKind | Literal["promote"]
    title: str
    state: Literal["done", "now", "next", "failed", "skipped"]
    since: float = 0.0
    until: float = 0.0


class Left(msgspec.Struct, frozen=True):
    """Time that runs: what ends, when at the latest or by what is known now, and what happens then."""

    what: Literal[
        "step", "judge", "bake", "approval", "hold", "freeze", "window", "sleep", "lease", "mute", "cooldown"
    ]
    until: float
    says: str


class EvidenceView(msgspec.Struct, frozen=True):
    """What the judge knows, newest look.

    `says` is one plain sentence. `position` is where the evidence stands between "roll back" (-1) and "promote" (1), on
    a logarithmic scale; None where there is none. `odds` is that in words ("3 to 1 that it is as good; 20 to 1
    promotes"). `decided` are the numbers for whoever asks how it was decided.
    """

    state: Literal["none", "no_harm", "harmed", "cannot_tell"]
    says: str
    at: float = 0.0
    position: float | None = None
    odds: str = ""
    old: Rate | None = None
    new: Rate | None = None
    # Windows that were consumed in this step, and how many its deadline has room for; 0: not known.
    windows: int = 0
    of: int = 0
    decided: dict[str, Any] = {}


class QuestionView(msgspec.Struct, frozen=True):
    """An open question to people: what is asked, on what evidence, what each answer leads to, and until when."""

    id: str
    release: str
    service: str
    environment: str
    asks: str
    evidence: str
    weight: int
    next_weight: int
    if_yes: str
    if_no: str
    if_nobody: str
    requested_by: Who
    reason: str
    expires_at: float
    needed: int = 1
    # Who said yes already, and who may still answer.
    given: tuple[Who, ...] = ()
    may_answer: tuple[Who, ...] = ()


class EntryView(msgspec.Struct, frozen=True):
    """One thing that happened. `word` is its kind as people say it; `evidence` is opened on demand."""

    at: float
    kind: str
    word: str
    tone: Tone
    says: str
    by: Who
    evidence: dict[str, Any] = {}


class ActionView(msgspec.Struct, frozen=True):
    """Something that can be done now: what it will do in numbers, whether this reader may, why not, and who can.

    `command` is the same at a terminal.
    """

    name: ActionName
    does: str
    may: bool
    why_not: str = ""
    who: tuple[Who, ...] = ()
    command: str = ""


class SideView(msgspec.Struct, frozen=True):
    """What one version did in one window: `p95` is seconds, `low` and `high` bound the share of errors at 95%; None where
    it is not known."""

    requests: int
    errors: int
    slow: int = 0
    p95: float | None = None
    low: float | None = None
    high: float | None = None


class PointView(msgspec.Struct, frozen=True):
    """One window of a release, [start, end): both versions, the new one's weight, and the evidence after it.

    `position` is as in `EvidenceView`.
    """

    start: float
    end: float
    weight: int
    old: SideView
    new: SideView
    position: float | None = None


class ReleaseView(msgspec.Struct, frozen=True):
    """One release, as it stands. `step` of `steps` is counted from 1; 0 before the first."""

    id: str
    environment: str
    service: str
    status: Status
    # What holds now, in one sentence.
    says: str
    tone: Tone
    old: VersionView | None
    new: VersionView
    strategy: str
    requested_by: Who
    reason: str
    started_at: float
    # 0 while it is not over.
    ended_at: float
    now: float
    question: QuestionView | None = None
    slots: tuple[SlotView, ...] = ()
    evidence: EvidenceView = EvidenceView("none", "nothing has been judged yet")
    step: int = 0
    steps: tuple[StepView, ...] = ()
    left: tuple[Left, ...] = ()
    # What comes after this, in a sentence; empty when nothing does.
    then: str = ""
    holds: tuple[str, ...] = ()
    timeline: tuple[EntryView, ...] = ()
    # Where the timeline goes on, for the next page; empty at its end.
    older: str = ""
    points: tuple[PointView, ...] = ()
    actions: tuple[ActionView, ...] = ()
    # What to type next.
    command: str = ""
    train: str = ""
    # What could not be read, a sentence each.
    unknown: tuple[str, ...] = ()


class ReleaseLine(msgspec.Struct, frozen=True):
    """A release in a list."""

    id: str
    service: str
    version: str
    status: Status
    says: str
    tone: Tone
    started_at: float
    requested_by: Who
    reason: str


class ServiceCell(msgspec.Struct, frozen=True):
    """A service in an environment, in a line: what is live, where the traffic is, and what goes on."""

    environment: str
    service: str
    says: str
    tone: Tone
    version: VersionView | None = None
    # The version that a release brings, with its weight; None when none does.
    incoming: VersionView | None = None
    weight: int = 0
    release: str = ""
    status: Status | None = None
    step: int = 0
    steps: int = 0
    left: Left | None = None
    # Who owns it, as the catalog says.
    owner: str = ""
    asleep: bool = False
    frozen: bool = False
    held: bool = False
    needs_person: bool = False
    last: EntryView | None = None


class NeedView(msgspec.Struct, frozen=True):
    """Something that needs a person: in a sentence, since when, and what to do."""

    at: float
    tone: Tone
    says: str
    environment: str
    service: str = ""
    release: str = ""
    question: QuestionView | None = None
    actions: tuple[ActionView, ...] = ()
    command: str = ""


class ColumnView(msgspec.Struct, frozen=True):
    """An environment in the fleet. `unknown` says why nothing is known of it."""

    environment: str
    production: bool
    says: str
    tone: Tone
    automation_off: str = ""
    asleep: bool = False
    left: tuple[Left, ...] = ()
    unknown: str = ""


class FleetView(msgspec.Struct, frozen=True):
    """Everything at a glance: what needs a person (newest first), environments, and a cell for each service in each."""

    now: float
    says: str
    tone: Tone
    needs: tuple[NeedView, ...]
    environments: tuple[ColumnView, ...]
    cells: tuple[ServiceCell, ...]
    unknown: tuple[str, ...] = ()
    # Which environment's control plane answers: of the others there are lines, and nothing to press.
    here: str = ""


class ServiceView(msgspec.Struct, frozen=True):
    """One service: how it stands, both slots, its releases (newest first), and what can be done."""

    cell: ServiceCell
    now: float
    slots: tuple[SlotView, ...]
    release: ReleaseView | None
    releases: tuple[ReleaseLine, ...]
    older: str = ""
    holds: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()
    actions: tuple[ActionView, ...] = ()
    command: str = ""
    unknown: tuple[str, ...] = ()


class Page(msgspec.Struct, frozen=True):
    """Part of a list that goes on at `older`; empty at its end."""

    older: str = ""


class ReleasesPage(Page, frozen=True):
    releases: tuple[ReleaseLine, ...] = ()


class TimelinePage(Page, frozen=True):
    entries: tuple[EntryView, ...] = ()


class SignalView(msgspec.Struct, frozen=True):
    """A signal: what it said, what was decided and done, or refused and why.

    `about` is its subject with its kind, as `mute` takes it (service/website); `acted` whether it led to something, and
    `count` how many alerts the line stands for.
    """

    at: float
    name: str
    severity: str
    subject: str
    status: str
    says: str
    tone: Tone
    decision: str
    reason: str
    release: str = ""
    evidence: dict[str, Any] = {}
    about: str = ""
    acted: bool = False
    count: int = 1


class SignalsPage(Page, frozen=True):
    """Signals, newest first. The first page says as well why nothing acts by itself, what is muted, and what cools down."""

    signals: tuple[SignalView, ...] = ()
    # How many of what came, and what of it still fires.
    says: str = ""
    automation_off: str = ""
    left: tuple[Left, ...] = ()


class ObjectiveView(msgspec.Struct, frozen=True):
    """What recovery promises and what was measured: RTO or RPO, seconds. `measured` is None where nothing was."""

    what: Literal["RTO", "RPO"]
    target: float
    measured: float | None
    at: float
    says: str
    tone: Tone


class RunView(msgspec.Struct, frozen=True):
    """A failover, drill or audit: what it was about, how it ended, what it measured.

    The newest failover of each target has its timeline, newest first.
    """

    id: str
    kind: Literal["failover", "drill", "audit"]
    target: str
    says: str
    tone: Tone
    started_at: float
    ended_at: float
    rto: float | None = None
    rpo: float | None = None
    evidence: dict[str, Any] = {}
    timeline: tuple[EntryView, ...] = ()


class RecoveryView(msgspec.Struct, frozen=True):
    """Whether we could recover: objectives, the last drill, the newest audit, failovers that run or ran."""

    now: float
    says: str
    tone: Tone
    objectives: tuple[ObjectiveView, ...]
    runs: tuple[RunView, ...]
    older: str = ""


class DayView(msgspec.Struct, frozen=True):
    """A stretch of the calendar: awake, asleep or frozen, and why. `service` is what is frozen; empty where everything is."""

    start: float
    end: float
    state: Literal["awake", "asleep", "frozen"]
    says: str
    service: str = ""


class CalendarView(msgspec.Struct, frozen=True):
    """When an environment is awake in the coming days, and when nothing may be released."""

    now: float
    zone: str
    says: str
    days: tuple[DayView, ...]
    left: tuple[Left, ...] = ()


class SpentView(msgspec.Struct, frozen=True):
    """What a day (ISO 8601, UTC) cost, in dollars."""

    day: str
    spent: float


class CostView(msgspec.Struct, frozen=True):
    """What an environment costs this month, in dollars, against its target.

    `advice` is what is to be done about it and why, `notes` are what the forecast rests on, `days` those of the month that
    the bill shows.
    """

    now: float
    says: str
    tone: Tone
    spent: float | None
    forecast: float | None
    low: float | None
    high: float | None
    saved: float | None
    at: float
    environment: str = ""
    # As 2026-11.
    month: str = ""
    # Where the forecast is likely to end, and how much of the target's upper end it is.
    likely_low: float | None = None
    likely_high: float | None = None
    share: float | None = None
    hours_asleep: float = 0.0
    advice: str = ""
    notes: tuple[str, ...] = ()
    days: tuple[SpentView, ...] = ()


class AuditLine(msgspec.Struct, frozen=True):
    """Something that a person or the control plane did: who, what, to what, why."""

    at: float
    by: Who
    word: str
    subject: str
    says: str
    release: str = ""


class AuditPage(Page, frozen=True):
    lines: tuple[AuditLine, ...] = ()


class MeView(msgspec.Struct, frozen=True):
    """Who reads, as the credential says, and what they may do."""

    who: Who
    principal: str
    roles: tuple[Role, ...]
    says: str = ""
