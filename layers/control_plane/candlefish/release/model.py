"""What a release is: its plan, its timeline, its questions, and what is known of its image. Values, nothing else."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

from candlefish.bounds import LONGEST_BY, fit, fit_line
from candlefish.service.model import Slot, Version

# What an entry of a timeline says at most, in characters, and in bytes of evidence.
LONGEST_ENTRY = 4000
LARGEST_EVIDENCE = 64_000
# A Kubernetes object as the API takes it.
Manifest = dict[str, Any]
# The lease outlives any one step by this much, so that a slow step does not look like a dead one.
LEASE_MARGIN = 900.0
# A release takes its canary out of the traffic so often at most, to see whose fault a trouble is.
MOST_EXPERIMENTS = 2

Status = Literal["running", "held", "awaiting_approval", "promoted", "rolling_back", "rolled_back", "refused"]

StepKind = Literal[
    "deploy", "ready", "smoke", "scale", "shift", "judge", "bake", "approve", "hook", "experiment", "job"
]


class PlanStep(msgspec.Struct, frozen=True, omit_defaults=True):
    """One instruction for the release machine. Times are seconds."""

    kind: StepKind
    # Percent of traffic for the candidate (scale and shift).
    weight: int = 0
    # How long the step may take at most, and how long to wait between two looks.
    within: float = 0.0
    poll: int = 0
    policy: str = ""
    name: str = ""
    target: str = ""
    four_eyes: bool = True
    unclear: Literal["ask", "go_on"] = "ask"
    # How long a person has to answer when the judge cannot tell, or fails itself.
    ask_within: float = 0.0
    # The person who promoted the release without it; empty where it is to be done.
    skipped_by: str = ""

    def __str__(self) -> str:
        detail = (
            f" {self.weight}%" if self.kind in ("scale", "shift") else f" {self.name}" if self.name else ""
        )
        return self.kind + detail


class PlannedJob(msgspec.Struct, frozen=True):
    """A Job that a release shall run: before its version, or after the last step. `within` is seconds."""

    name: str
    when: Literal["before", "after"]
    within: float


class Release(msgspec.Struct, frozen=True, omit_defaults=True):
    """One attempt to bring a version to one service in one environment."""

    id: str
    environment: str
    service: str
    version: Version
    requested_by: str
    reason: str
    started_at: float
    execution: str = ""
    status: Status = "running"
    generation: int = 0
    slot: Slot | None = None
    strategy: str = ""
    plan: tuple[PlanStep, ...] = ()
    train: str = ""
    break_glass: str = ""
    # What the requester's credential said; empty when nothing proves who asked.
    proof: dict[str, str] = {}
    # Whether the code that it runs with passes steps over that a person skipped.
    passes_skipped: bool = False
    # What was stable when it began, without the text of its configuration; None where nothing was, or older code began it.
    replaces: Version | None = None
    # Why it is taken back or was refused, and by whom, for lists, which read no timelines; empty where it was not.
    why: str = ""
    why_by: str = ""

    @property
    def experiments(self) -> int:
        """How often its canary was, or is, taken out of the traffic to see whose fault a trouble is."""
        return sum(step.kind == "experiment" for step in self.plan)


class ReleaseEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was decided or done. `at` is epoch seconds; `by` is a person, rule or function."""

    at: float
    kind: str
    reason: str
    by: str = "control-plane"
    evidence: dict[str, Any] = {}

    def fit(self) -> ReleaseEntry:
        """The entry as it can be kept and published: an event takes 256 KB, an item of the table 400."""
        evidence = self.evidence
        if (size := len(msgspec.json.encode(evidence))) > LARGEST_EVIDENCE:
            evidence = {"left_out": f"{size} bytes of evidence"}
        return msgspec.structs.replace(
            self,
            reason=fit(self.reason, LONGEST_ENTRY),
            by=fit_line(self.by, LONGEST_BY),
            evidence=evidence,
        )


class AskedFreeze(msgspec.Struct, frozen=True, omit_defaults=True):
    """A freeze that a person asked for: until then no release of the service begins; of any where none is named.

    Times are epoch seconds. `lifted_by` is who ended it before its time.
    """

    service: str
    reason: str
    by: str
    since: float
    until: float
    lifted_by: str = ""
    lifted_at: float = 0.0

    @property
    def what(self) -> str:
        """What it freezes, for a sentence."""
        return self.service or "every service"


# In GitHub's words.
DeploymentState = Literal["in_progress", "pending", "success", "failure", "error"]
CommitState = Literal["pending", "success", "failure", "error"]


class Progress(msgspec.Struct, frozen=True):
    """How a release that a workflow asked for stands, for where its commit is. `run` is the workflow's, or empty."""

    repository: str
    sha: str
    run: str
    environment: str
    service: str
    release: str
    deployment: DeploymentState
    commit: CommitState
    says: str


ApprovalAnswer = Literal["approved", "denied"]


class Judgement(msgspec.Struct, frozen=True):
    """What the judge of a release knows: its state by source, and the last verdict in the timeline."""

    states: dict[str, Any] = {}
    written: str = ""
    revision: int = 0


class ServedCounts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one version answered in a stretch of time. Quantiles are seconds; None where the counts do not tell."""

    requests: int
    errors: int = 0
    slow: int = 0
    p50: float | None = None
    p95: float | None = None


class SeenWindow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One window as the judge consumed it, [start, end): what people see of it later.

    `weight` is percent of the traffic for the new version; `position` where the evidence stood after it, from -1 (rolls
    back) to 1 (promotes), None where several windows were consumed at once.
    """

    start: float
    end: float
    weight: int
    old: ServedCounts
    new: ServedCounts
    source: str = ""
    position: float | None = None


class SeenEvidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the newest look of a release's judge found, for people; the judge itself never reads it.

    `since` is when the step began, `until` where the newest window ended that was consumed. `old` and `new` are counted
    since the step began, by the source that saw most. `stretch` are the counts that speak most against the version, of
    `metric`: the old one's requests and bad ones, the new one's. `against` and `favour` are evidence, `rolls_back` and
    `promotes` what each has to reach; `decided` by which rule it was. `silent` sources did not answer.
    """

    at: float
    action: str
    mode: str
    since: float
    until: float
    reason: str
    old: ServedCounts = ServedCounts(0)
    new: ServedCounts = ServedCounts(0)
    windows: int = 0
    length: float = 0.0
    source: str = ""
    metric: str = ""
    stretch: tuple[int, ...] = ()
    decided: str = ""
    against: float = 1.0
    rolls_back: float = 0.0
    favour: float = 1.0
    promotes: float = 0.0
    position: float | None = None
    # Until when the step may last, and what it needs at least to promote early.
    deadline: float = 0.0
    min_requests: int = 0
    min_windows: int = 0
    warm_until: float = 0.0
    # The old version serves no traffic: what it is compared with is from before the release.
    recorded: bool = False
    silent: tuple[str, ...] = ()
    # The verdict's own numbers.
    numbers: dict[str, Any] = {}


class Approval(msgspec.Struct, frozen=True, omit_defaults=True):
    """One question to a person, and the answers to it. `expires_at` is epoch seconds."""

    release: str
    environment: str
    service: str
    name: str
    requested_by: str
    four_eyes: bool
    expires_at: float
    # Of the task that waits for the answer. It is kept apart: empty in what is read (`Approvals.token`).
    token: str = ""
    # Its id: an answer says which question it is for.
    question: str = ""
    # How many people have to say yes, each another; one no is enough.
    needed: int = 1
    status: Literal["pending", "approved", "denied"] = "pending"
    # Who said yes, in their order.
    approvers: tuple[str, ...] = ()
    # Who answered last.
    by: str = ""


def question_id(release: str, step: str, since: float) -> str:
    """A question's id: the same however often it is asked, and another for every other question of a release."""
    return hashlib.sha256(f"{release}/{step}/{since!r}".encode()).hexdigest()[:8]


def answer_question(approval: Approval, answer: ApprovalAnswer, by: str) -> Approval:
    """A question after a person's answer. One no ends it; yes counts once a person, and ends it when enough said so."""
    if answer == "denied":
        return msgspec.structs.replace(approval, status="denied", by=by)
    approvers = approval.approvers if by in approval.approvers else (*approval.approvers, by)
    status: Literal["pending", "approved"] = "approved" if len(approvers) >= approval.needed else "pending"
    return msgspec.structs.replace(approval, status=status, approvers=approvers, by=by)


class Answered(msgspec.Struct, frozen=True):
    """What came of an answer, for whoever gave it: everything but the token of the task that waits."""

    release: str
    status: Literal["pending", "approved", "denied"]
    by: str
    approvers: tuple[str, ...]
    # How many more people have to say yes.
    left: int
    # All that in a sentence.
    says: str = ""

    @property
    def words(self) -> str:
        if self.status == "pending":
            return f"{self.release}: {self.by} said yes; {self.left} more must say yes before it goes on"
        who = " and ".join(self.approvers) if self.status == "approved" else self.by
        return f"{self.release} was {self.status} by {who}"


class Vulnerability(msgspec.Struct, frozen=True):
    """One finding of a scanner. `severity` is CRITICAL, HIGH, ...; `fixed_in` is empty where there is no fix."""

    id: str
    severity: str
    package: str = ""
    fixed_in: str = ""


class SigningWorkflow(msgspec.Struct, frozen=True):
    """Who signed an attestation, as the certificate says: a workflow, on a ref of a repository.

    Like `https://github.com/org/repo`, `.github/workflows/build.yml` and `refs/heads/main`. `workflow` is a whole
    address where the repository called one of another repository.
    """

    repository: str = ""
    workflow: str = ""
    ref: str = ""


class Scan(msgspec.Struct, frozen=True):
    """A scan's result. `at` is when it finished, in epoch seconds."""

    at: float
    findings: tuple[Vulnerability, ...] = ()
    signer: SigningWorkflow = SigningWorkflow()


class Image(msgspec.Struct, frozen=True):
    """What the registry says of an image.

    `platforms` are like `linux/arm64`, empty when the digest is no manifest list; `provenance` are the signers of
    its provenance attestations. Only attestations of exactly this digest whose signature is right are here;
    `invalid` says why others do not count.
    """

    platforms: tuple[str, ...] = ()
    provenance: tuple[SigningWorkflow, ...] = ()
    scans: tuple[Scan, ...] = ()
    invalid: tuple[str, ...] = ()


class WorkflowClaims(msgspec.Struct, frozen=True):
    """What a token of GitHub's says of the job that it was given to. Times are epoch seconds."""

    iss: str
    aud: str
    jti: str
    exp: float
    nbf: float
    iat: float
    repository: str
    actor: str
    ref: str = ""
    sha: str = ""
    environment: str = ""
    workflow_ref: str = ""
    run_id: str = ""


class HttpResponse(msgspec.Struct, frozen=True):
    """What a web server answered; status 0 when it did not."""

    status: int
    reason: str = ""


class HookAnswer(msgspec.Struct, frozen=True):
    """What a hook said."""

    passed: bool
    reason: str = ""


RolloutStatus = Literal["progressing", "ready", "failed"]


class Culprit(msgspec.Struct, frozen=True):
    """The container whose log says more; `previous` when what crashed is the run before."""

    pod: str
    container: str
    previous: bool = False


class CronSeen(msgspec.Struct, frozen=True):
    """A CronJob as the cluster has it: what its Pods get, and which release's generation wrote it.

    `resting` says that we suspended it ourselves, because the stable version has none of its name.
    """

    name: str
    image: str
    bundle_digest: str = ""
    configuration_digest: str = ""
    generation: int = 0
    suspended: bool = False
    resting: bool = False


class JobSeen(msgspec.Struct, frozen=True):
    """How far a Job is. `reason` is a sentence for an operator, `log` the end of its Pod's.

    `let_run` says that it was begun; `hopeless` that no waiting mends what keeps its Pod from running.
    """

    uid: str
    state: Literal["running", "complete", "failed"]
    reason: str = ""
    let_run: bool = False
    suspended: bool = False
    hopeless: bool = False
    log: str = ""
    culprit: Culprit | None = None


class Rollout(msgspec.Struct, frozen=True):
    """How far a Deployment has come.

    `reason` is a sentence for an operator. `ready` counts available Pods, at most as many as there
    are of the newest template; `desired` is what the Deployment asks for, `total` counts old Pods too.
    `culprit` is the container whose log may say why it failed. `hindered` is one that waits for what is no doing of the
    newest version.
    """

    status: RolloutStatus
    reason: str
    ready: int
    desired: int
    total: int = 0
    generation: int = 0
    observed_generation: int = 0
    culprit: Culprit | None = None
    hindered: bool = False


class Running(msgspec.Struct, frozen=True):
    """What runs in a slot, as its Deployment says; texts are empty where it does not say.

    `image` is what the slot's container runs now, whoever set it. `generation` is the record's that wrote the
    Deployment last, 0 when it does not say; `replicas` are the Pods it asks for. `autoscaled` is False when its
    HorizontalPodAutoscaler is missing.
    """

    image: str
    version: str
    release: str
    generation: int
    replicas: int
    bundle: str = ""
    bundle_digest: str = ""
    configuration: str = ""
    autoscaled: bool = True
    # The CronJobs that its version has.
    cron: tuple[str, ...] = ()


class Selecting(msgspec.Struct, frozen=True):
    """An object that finds Pods by their labels."""

    kind: str
    name: str
    selector: dict[str, Any] | None = None
    labels: dict[str, str] = {}
