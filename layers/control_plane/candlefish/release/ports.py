"""What releases need of the world beside the shared ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, Protocol, TypeVar

from candlefish.release.model import (
    Approval,
    CronSeen,
    HookAnswer,
    HttpResponse,
    Image,
    JobSeen,
    Judgement,
    Manifest,
    PlanStep,
    Progress,
    Release,
    ReleaseEntry,
    Rollout,
    Running,
    SeenEvidence,
    SeenWindow,
    Selecting,
    Status,
    WorkflowClaims,
)
from candlefish.release.record import AskedFreezes


class CodeHost(Protocol):
    """Where the commit of a release is, and who looks at it there."""

    def tell(self, progress: Progress) -> None:
        """Say how a release stands; saying it again changes nothing.

        Raises
        ------
        Unavailable, Throttled
            It does not answer now, or wants to be left alone.
        Misconfigured
            It refuses; the message says what to mend.
        """


class JournalStore(Protocol):
    """Where releases and their timelines are kept; what an entry leads to, `journal.Journal` says."""

    def open(self, release: Release) -> bool:
        """Store a release, and say whether it is new; storing the same one again changes nothing."""

    def read(self, release: str) -> Release:
        """One release.

        Raises
        ------
        InvalidInput
            There is none of that id.
        """

    def append(self, release: str, entry: ReleaseEntry) -> None:
        """Add an entry to a timeline."""

    def replan(self, seen: Release, plan: tuple[PlanStep, ...]) -> None:
        """Write a release's plan in place of the one that was seen.

        Raises
        ------
        RecordContested
            Somebody else wrote one in between; nothing was written.
        """

    def set_status(
        self, release: str, status: Status, *, over: Set[Status], because: ReleaseEntry | None = None
    ) -> bool:
        """Write a release's status over one of these, and say whether it was written; any other stays.

        With it goes why and by whom, where that is given (`Release.why`).

        One that was never opened has none.
        """

    def entries(self, release: str) -> list[ReleaseEntry]:
        """All entries of a release, oldest first."""

    def recent(self, service: str, limit: int = 10) -> list[Release]:
        """The newest releases of a service, newest first."""


# What a change of the freezes returns: the next value, or that and an answer.
FreezesChanged = TypeVar("FreezesChanged", bound=AskedFreezes | tuple[AskedFreezes, Any])


class Freezes(Protocol):
    """The freezes that people asked for in one environment."""

    def get(self) -> AskedFreezes:
        """The newest (a consistent read); none where nobody ever asked for one."""

    def update(self, change: Callable[[AskedFreezes], FreezesChanged]) -> FreezesChanged:
        """Read, change, and store if nobody else stored in between; otherwise again from the start.

        A change returns the next value, or that and an answer: then both are returned. One that returns the value
        it was given stores nothing. What the change raises, this raises.

        Raises
        ------
        RecordContested
            Others were faster every time.
        """


class Judgements(Protocol):
    """Where the judge of a release keeps what it knows, between looks, steps and machines."""

    def read(self, release: str) -> Judgement:
        """What was written last; an empty one when nothing was, or another version of the judge wrote it."""

    def write(self, release: str, judgement: Judgement, at: float) -> None:
        """Write what is known now in place of what was read with the same revision, which is raised.

        Raises
        ------
        RecordContested
            Somebody else wrote in between; nothing was written.
        """


class Looks(Protocol):
    """Where the judge leaves what people see of its looks. No look fails because of it."""

    def keep(self, release: str, seen: SeenEvidence, windows: Sequence[SeenWindow]) -> None:
        """Keep the newest look's evidence in place of the one before, and the windows that it consumed; never raises."""


class Approvals(Protocol):
    """Where open questions are kept; one a release at a time."""

    def ask(self, approval: Approval) -> bool:
        """Store a question in place of an earlier one of the same release, and the token of the task that waits.

        Whether it is new: asking the same again changes only the token, and its answers stay.
        """

    def read(self, release: str) -> Approval:
        """The newest question of a release.

        Raises
        ------
        InvalidInput
            The release never asked one.
        """

    def answer(self, seen: Approval, after: Approval) -> bool:
        """Store a question with one more answer, if it is still as it was seen; whether it was."""

    def token(self, asked: Approval) -> str:
        """The token of the task that waits for the answer to just this question.

        Raises
        ------
        InvalidInput
            No task waits.
        """


class Nonces(Protocol):
    """Remembers what was used."""

    def first(self, nonce: str, until: float, *, holder: str = "") -> bool:
        """Whether this is the first use of a nonce, or a repetition by the holder that was named then.

        It is remembered until then (epoch seconds).
        """


class WorkflowTokens(Protocol):
    """Tokens that GitHub signs for the jobs of workflows."""

    def read(self, token: str) -> WorkflowClaims:
        """What a token says. Whether it says so to us and now is not looked at.

        Raises
        ------
        NotAllowed
            GitHub did not sign it.
        Unavailable
            GitHub's keys cannot be had.
        """


class Registry(Protocol):
    """Where images are."""

    def describe(self, image: str) -> Image:
        """What is known of an image (repository@digest).

        Raises
        ------
        InvalidInput
            There is no such image.
        Unavailable
            The registry does not answer.
        """


class Cluster(Protocol):
    """The Kubernetes API of one environment's cluster. Every call may be repeated.

    `name` is a slot's name (`manifests.slot_name`): its Deployment and HorizontalPodAutoscaler
    are both called that. Of a stateful service it is `manifests.model.stateful_name`: its one StatefulSet, where that is
    the slot's, and nothing else; what is said of Deployments holds of that. `generation` is the record's that the caller holds: what it writes is
    stamped with it, and no older generation may write it afterwards, however late its request comes.

    Raises
    ------
    StaleGeneration
        A newer generation wrote the object; it was left as it was.
    Throttled, Unavailable
        The API asked to slow down, or did not answer, and retries ran out; or others kept on writing
        the object between look and write. A call that was cut off may have taken effect; repeat it.
    ClusterRefused
        The API said no (not found, forbidden, invalid, owned by somebody else); the message names
        the object and the next step.
    """

    def apply(
        self,
        objects: Sequence[Manifest],
        *,
        generation: int,
        force: bool = False,
        resting: bool = False,
        again: bool = False,
    ) -> tuple[str, ...]:
        """Server-side apply in dependency order, as field manager `candlefish-control-plane`.

        All objects are looked at and tried against the API first (dry run), so that a refused one leaves
        the cluster as it was. Fields that somebody else owns are a refusal, unless `force`.

        Applying never changes how many Pods a Deployment asks for: one that rests at 0 still does
        afterwards, and a new one starts with 1, or `resting` with none. `raise_to` wakes it.

        What can never be changed of a StatefulSet stays as it is: another wish is a refusal, unless the version ran
        there before (`again`).

        Returns
        -------
        tuple[str, ...]
            What it changed, a short line for each object that is new and each field; for a person to read.
        """

    def running(self, namespace: str, name: str) -> Running | None:
        """What runs in the slot; None when it has no Deployment."""

    def rollout(self, namespace: str, name: str) -> Rollout:
        """How far the slot's Deployment has come. A missing one is a refusal, never ready."""

    def of_revision(self, revision: int) -> Cluster:
        """This cluster for who follows a revision of a record: numbers of Pods and ranges that a later one of the same
        generation gave are refused to it (`StaleGeneration`)."""

    def raise_to(self, namespace: str, name: str, replicas: int, *, generation: int) -> int:
        """Ask for at least this many Pods now; how many are asked for afterwards.

        Wakes a slot that rests at 0, which its autoscaler never would. A missing Deployment is a refusal.
        """

    def scale_to(self, namespace: str, name: str, replicas: int, *, generation: int) -> None:
        """Ask for just this many Pods now. A missing Deployment is a refusal."""

    def set_bounds(self, namespace: str, name: str, *, minimum: int, maximum: int, generation: int) -> None:
        """Set the autoscaler's range. It rests while the Deployment is scaled to 0. A missing one is a refusal."""

    def retire(self, namespace: str, name: str, generation: int) -> bool:
        """Take all Pods away and keep everything else. A slot that does not exist is retired.

        A StatefulSet that was there before its first release gets back what it ran then, and keeps its Pods.

        Returns
        -------
        bool
            Whether this generation gave something back that ran before, and that has to come up again.
        """

    def free_stuck(self, namespace: str, name: str, generation: int) -> str:
        """Delete the Pod of a StatefulSet that is of another release than the newest template and not ready, which
        Kubernetes itself waits for for ever; what the Pod is called, empty where there is none. It is made again, with its
        volumes. Only where this generation wrote the StatefulSet; where Pods may not be deleted (deploy/rbac.yaml)
        nothing is, and `rollout` says which one a person has to.
        """

    def rehearse(self, objects: Sequence[Manifest], *, generation: int) -> None:
        """Refuse what `apply` would refuse, and change nothing."""

    def current_replicas(self, namespace: str, name: str) -> int:
        """How many Pods the Deployment asks for now; 0 when there is none."""

    def job(self, namespace: str, name: str) -> JobSeen | None:
        """How far a Job is, with the end of its log when it has ended; None when there is none."""

    def jobs_at_work(self, namespace: str, service: str) -> tuple[str, ...]:
        """The names of a service's Jobs that were let run and have not ended."""

    def make_job(self, job: Manifest) -> None:
        """Make a Job. One of its name that is there stays as it is."""

    def let_job_run(self, namespace: str, name: str, *, uid: str, generation: int) -> None:
        """Let a suspended Job run, if it is the one with that uid. Let run already, it stays as it is.

        A missing one, or another one in its place, is a refusal.
        """

    def stop_job(self, namespace: str, name: str, *, generation: int) -> None:
        """End a Job's Pods and the Job; it stays to be seen, as failed. One that is missing or has ended stays so."""

    def cron_jobs(self, namespace: str, service: str) -> tuple[CronSeen, ...]:
        """The CronJobs of a service, those that rest too."""

    def rest_cron_job(self, namespace: str, name: str, rests: bool, *, generation: int) -> None:
        """Suspend a CronJob until it is let go on, or let one go on that was suspended so. A missing one is at rest."""

    def pod_security(self, namespace: str) -> str | None:
        """The Pod Security standard that the namespace enforces, like `restricted`; "" for none.

        None when the namespace may not be read.
        """

    def selecting(self, namespace: str) -> tuple[Selecting, ...]:
        """The Services, budgets and Deployments of a namespace, with what they find Pods by."""

    def access_modes(self, namespace: str, claim: str) -> tuple[str, ...] | None:
        """How a claim's volume may be mounted, like `ReadWriteOnce`; None when there is no such claim."""


class Bundles(Protocol):
    """Manifest bundles that `helm template` rendered, kept in S3."""

    def read(self, uri: str, digest: str) -> list[Manifest]:
        """The objects of a bundle.

        Raises
        ------
        InvalidInput
            There is no such object, its SHA-256 is not `digest`, or it is no list of objects.
        """


class Web(Protocol):
    """The load balancers' front doors, as a user sees them."""

    def get(self, listener: str, host: str, path: str, headers: Mapping[str, str]) -> HttpResponse:
        """One GET of a host at the listener with that ARN; no answer is status 0, never an error."""


class Hooks(Protocol):
    """Calls that may veto a release."""

    def call(self, target: str, payload: Mapping[str, Any], within: float) -> HookAnswer:
        """Ask a Lambda function (by name) or an HTTPS URL.

        Raises
        ------
        Unavailable
            It did not answer within the time.
        """
