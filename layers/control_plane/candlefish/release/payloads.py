"""What crosses the state machines of releases: what they are started with, hand to functions and get back.

Held against statemachines/*.yaml by tests/unit/house/test_payloads.py: a state gives a function just the
fields that its event has, and reads only fields that its answer has.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from candlefish.bounds import Address, MaybeId, MaybeName, Name, Seconds, Sentence, Title, Token, Word
from candlefish.release.model import PlanStep, StepKind
from candlefish.requester import Requester
from candlefish.service.model import RollbackRequest, Slot, Version, other
from candlefish.service.record import ServiceRecord

# How many services a train may have. Its machine carries the requests of all of them, in at most 256 KB.
LONGEST_TRAIN = 40

# --- what somebody starts a machine with


class ReleaseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What somebody starts the release machine with (see events/release.json).

    `image` is a repository with a digest; a tag can change under us and is refused. `bundle` is an
    S3 URI of manifests rendered by `helm template`, `bundle_digest` its SHA-256.
    """

    service: Name
    image: Address
    reason: Sentence
    environment: MaybeName = ""
    label: Title = ""
    bundle: Address = ""
    bundle_digest: Word = ""
    train: MaybeId = ""
    # Why a freeze window or a known-bad version shall not stop this release.
    break_glass: Sentence = ""
    allow_bad: bool = False
    # A token of GitHub's for this machine, which proves who asks; checked at the gate and kept nowhere.
    token: Token = ""
    # Seconds beyond the strategy's rollback window that the predecessor stays at capacity.
    keep_for: Seconds = 0.0
    # The digest of the configuration that it was asked for with, and the image that was stable then; where either is
    # another one when the release begins, it is refused. Empty: whatever they are.
    configuration: Word = ""
    replaces: Address = ""

    @property
    def version(self) -> Version:
        return Version(self.image, self.label, self.bundle, self.bundle_digest)


class Car(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One service of a train."""

    service: Name
    image: Address
    label: Title = ""
    bundle: Address = ""
    bundle_digest: Word = ""


class TrainRelease(msgspec.Struct, frozen=True):
    """One release of a train: what its execution is called, and its input."""

    name: str
    request: ReleaseRequest


class TrainRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What somebody starts the train machine with (see events/train.json)."""

    releases: Annotated[tuple[Car, ...], msgspec.Meta(max_length=LONGEST_TRAIN)]
    reason: Sentence
    environment: MaybeName = ""
    break_glass: Sentence = ""
    # As a release's.
    token: Token = ""


class OnboardRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which service to onboard."""

    service: Name


# --- the first state of a machine: its execution, and the input it was started with


class ReleaseStart(msgspec.Struct, frozen=True):
    """The execution that asks for a release, and the input it was started with."""

    release: str
    execution: str
    request: ReleaseRequest


class Gated(msgspec.Struct, frozen=True):
    """Who asked for a release that passed the gates, and what was looked at, in words."""

    requester: Requester
    looked: tuple[str, ...]


class GatedStart(ReleaseStart, frozen=True):
    """A release that passed the gates, and who asked for it."""

    requester: Requester


class RollbackStart(msgspec.Struct, frozen=True):
    """The execution that rolls back, and the input it was started with."""

    execution: str
    request: RollbackRequest


class TrainStart(msgspec.Struct, frozen=True):
    """The execution that asks for a train, and the input it was started with."""

    train: str
    execution: str
    request: TrainRequest


class TrainEnd(msgspec.Struct, frozen=True):
    """How a train ended, and why when it failed."""

    train: str
    outcome: Literal["arrived", "failed"]
    reason: str = ""


# --- what every other state hands on


class ReleaseRun(msgspec.Struct, frozen=True):
    """Which release of which service, and the generation with which it holds the service."""

    release: str
    environment: str
    service: str
    generation: int


class ReleaseContext(ReleaseRun, frozen=True):
    """What the release machine carries from state to state. `window` is the rollback window in seconds."""

    slot: Slot
    # Healthy targets the slot needs for the weight it has or is about to get.
    required: int
    window: float


class NextStepInput(ReleaseContext, frozen=True):
    """Which step comes next? `index` is its place in the plan."""

    index: int


class Instruction(msgspec.Struct, frozen=True):
    """What the release machine does next: a step of the plan, or `held`, or `promote`."""

    kind: StepKind | Literal["held", "promote"]
    index: int
    since: float
    wait: int = 0
    # Not a PlanStep: the machine reads `within` whatever the kind is.
    step: PlanStep | None = None

    @property
    def look_again(self) -> float | None:
        return self.wait if self.kind == "held" else None

    @property
    def reason(self) -> str:
        return "the release is held" if self.kind == "held" else f"step {self.index}: {self.kind}"


class StepInput(ReleaseContext, frozen=True):
    """A step to do. `since` is when it began, epoch seconds."""

    step: PlanStep
    since: float


class AnalysisInput(StepInput, frozen=True):
    """A step that looks at metrics. `index` is the place in the plan after it."""

    index: int


class JobInput(StepInput, frozen=True):
    """A step that runs a Job. `index` is the place in the plan after it."""

    index: int


class JobLook(msgspec.Struct, frozen=True):
    """What the machine does next: look again, go on, or ask a person, because how the Job ended is not known."""

    action: Literal["again", "go_on", "ask"]
    reason: str
    # The place in the plan to go on at.
    index: int = 0
    # Seconds until the next look.
    poll: float = 0.0
    # For "ask": the instruction that makes the machine ask a person.
    ask: Instruction | None = None

    @property
    def look_again(self) -> float | None:
        return self.poll if self.action == "again" else None


class ApprovalRequest(StepInput, frozen=True):
    """A step, and the token of the task that waits for its answer."""

    token: str


class Readiness(msgspec.Struct, frozen=True):
    """Whether a slot can take the traffic that it is about to get, and why not yet."""

    ready: bool
    reason: str
    # Something else runs there than the release deployed: it has to be deployed again.
    overwritten: bool = False
    poll: float = 0.0

    @property
    def look_again(self) -> float | None:
        return None if self.ready or self.overwritten else self.poll


class SmokeResult(msgspec.Struct, frozen=True):
    """Whether every smoke path answered rightly this time, and which one did not."""

    passed: bool
    reason: str
    poll: float = 0.0

    @property
    def look_again(self) -> float | None:
        return None if self.passed else self.poll


class AnalysisResult(msgspec.Struct, frozen=True):
    """What the machine does next: look again, go on, make an experiment first, or ask a person."""

    action: Literal["again", "go_on", "experiment", "ask"]
    reason: str
    # The place in the plan to go on at.
    index: int = 0
    # Seconds until the next look.
    poll: float = 0.0
    # For "ask": the instruction that makes the machine ask a person.
    ask: Instruction | None = None
    # Both versions are in a trouble that an experiment has shown not to be the canary's doing.
    worlds: bool = False

    @property
    def look_again(self) -> float | None:
        return self.poll if self.action == "again" else None


class CronKept(msgspec.Struct, frozen=True):
    """What differed from the stable version's CronJobs, and was put right."""

    differed: tuple[str, ...]


class WatchContext(ReleaseRun, frozen=True):
    """What the watch machine is started with after a promotion, and carries from state to state.

    `slot` has the promoted version, `retiring` loses its capacity in the end; `since` is when the version was
    released, `window_until` when its rollback window closes, epoch seconds.
    """

    slot: Slot
    retiring: Slot
    since: float
    window_until: float
    # Name of the execution that watches.
    name: str
    # Whether the service may have CronJobs, which are to run the promoted version now.
    cron: bool = False


class RollbackContext(ReleaseRun, frozen=True):
    """What the rollback machine carries on after the traffic is back."""

    slot: Slot
    # The execution of the release that is rolled back, where it has to be stopped.
    stop: str
    reason: str
    since: float
    # Seconds until writers of older generations are dead and the last look is worth taking.
    settle_in: int


class RetireInput(ReleaseRun, frozen=True):
    """Which slot shall lose its capacity; `since` is when its weight became 0, epoch seconds."""

    slot: Slot
    since: float


class RollbackEnd(ReleaseRun, frozen=True):
    """The end of a rollback; `left` is why its slot kept its capacity or its version is not back, empty if neither."""

    left: str = ""


class Retirement(msgspec.Struct, frozen=True):
    """Whether the slot has been scaled down, and why not yet. `poll` is seconds until the next look."""

    done: bool
    reason: str
    poll: float

    @property
    def look_again(self) -> float | None:
        return None if self.done else self.poll


def watch_context(record: ServiceRecord) -> WatchContext:
    """Input of the watch machine for a service whose release was promoted."""
    assert record.stable
    return WatchContext(
        release=record.promoted_release,
        environment=record.environment,
        service=record.service,
        generation=record.generation,
        slot=record.stable,
        retiring=other(record.stable),
        since=record.generation_at,
        window_until=record.window_until,
        name=record.watcher,
    )
