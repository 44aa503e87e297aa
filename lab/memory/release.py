"""What releases write down and ask, in memory: journal, approvals, nonces, bundles, hooks."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import msgspec

from candlefish.adapters.table.items import change_stored
from candlefish.bounds import LONGEST_REASON, fit
from candlefish.errors import InvalidInput, NotAllowed, RecordContested, Unavailable
from candlefish.release.model import (
    Approval,
    HookAnswer,
    Image,
    Judgement,
    Manifest,
    PlanStep,
    Progress,
    Release,
    ReleaseEntry,
    SeenEvidence,
    SeenWindow,
    Status,
    WorkflowClaims,
)
from candlefish.release.ports import FreezesChanged
from candlefish.release.record import AskedFreezes
from lab.memory.store import Store, kept, sortable


class MemoryJournalStore(Store):
    """`release.ports.JournalStore`. The list of a service's releases is written after the release."""

    def __init__(self) -> None:
        super().__init__()
        self.releases: dict[str, Release] = {}
        self.timeline: defaultdict[str, list[ReleaseEntry]] = defaultdict(list)
        # By service: when each began, and its id.
        self.listed: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)

    def open(self, release: Release) -> bool:
        new = release.id not in self.releases
        release = self.releases.setdefault(release.id, kept(release))
        self.between()
        line = (sortable(release.started_at), release.id)
        if line not in self.listed[release.service]:
            self.listed[release.service].append(line)
        return new

    def read(self, release: str) -> Release:
        try:
            return kept(self.releases[release])
        except KeyError:
            raise InvalidInput(f"there is no release {release!r}") from None

    def append(self, release: str, entry: ReleaseEntry) -> None:
        self.timeline[release].append(kept(entry))

    def replan(self, seen: Release, plan: tuple[PlanStep, ...]) -> None:
        self.between()
        if self.releases[seen.id].plan != seen.plan:
            raise RecordContested(f"the plan of release {seen.id} was written by another look meanwhile")
        self.releases[seen.id] = kept(msgspec.structs.replace(self.releases[seen.id], plan=plan))

    def set_status(
        self, release: str, status: Status, *, over: Set[Status], because: ReleaseEntry | None = None
    ) -> bool:
        if release not in self.releases or self.releases[release].status not in over:
            return False
        why = {"why": fit(because.reason, LONGEST_REASON), "why_by": because.by} if because else {}
        self.releases[release] = msgspec.structs.replace(self.releases[release], status=status, **why)
        return True

    def entries(self, release: str) -> list[ReleaseEntry]:
        found = sorted(self.timeline.get(release, ()), key=lambda entry: sortable(entry.at))
        return [kept(entry) for entry in found]

    def recent(self, service: str, limit: int = 10) -> list[Release]:
        newest = sorted(self.listed.get(service, ()), reverse=True)[:limit]
        return [self.read(release) for _, release in newest]


class MemoryFreezes(Store):
    """`release.ports.Freezes`."""

    def __init__(self, environment: str) -> None:
        super().__init__()
        self.record = AskedFreezes(environment)

    def get(self) -> AskedFreezes:
        return kept(self.record)

    def update(self, change: Callable[[AskedFreezes], FreezesChanged]) -> FreezesChanged:
        return change_stored(self.get, change, self._put, f"the freezes of {self.record.environment}")

    def _put(self, record: AskedFreezes, seen: int) -> bool:
        self.between()
        if self.record.revision != seen:
            return False
        self.record = kept(record)
        return True


class MemoryJudgements:
    """`release.ports.Judgements`."""

    def __init__(self) -> None:
        self.known: dict[str, Judgement] = {}

    def read(self, release: str) -> Judgement:
        return kept(self.known.get(release, Judgement()))

    def write(self, release: str, judgement: Judgement, at: float) -> None:
        if judgement.revision != self.known.get(release, Judgement()).revision:
            raise RecordContested(
                f"what the judge of release {release} knows was written by another look meanwhile"
            )
        self.known[release] = kept(msgspec.structs.replace(judgement, revision=judgement.revision + 1))


class MemoryLooks:
    """`release.ports.Looks`."""

    def __init__(self) -> None:
        self.seen: dict[str, SeenEvidence] = {}
        # By release and start.
        self.windows: defaultdict[str, dict[int, SeenWindow]] = defaultdict(dict)

    def keep(self, release: str, seen: SeenEvidence, windows: Sequence[SeenWindow]) -> None:
        self.seen[release] = kept(seen)
        for window in windows:
            self.windows[release][sortable(window.start)] = kept(window)


class MemoryNonces:
    """`release.ports.Nonces`."""

    def __init__(self) -> None:
        self.used: dict[str, str] = {}

    def first(self, nonce: str, until: float, *, holder: str = "") -> bool:
        new = nonce not in self.used
        return holder == self.used.setdefault(nonce, holder) and (new or bool(holder))


class MemoryCodeHost:
    """`release.ports.CodeHost`: what people would see of releases and commits, and how often it was told."""

    def __init__(self) -> None:
        self.told: list[Progress] = []
        # States of each release's deployment, and the newest of each service's commit and environment.
        self.deployments: dict[str, list[str]] = {}
        self.commits: dict[tuple[str, str, str, str], str] = {}

    def tell(self, progress: Progress) -> None:
        self.told.append(progress)
        self.deployments.setdefault(progress.release, []).append(progress.deployment)
        key = (progress.repository, progress.sha, progress.environment, progress.service)
        self.commits[key] = progress.commit


class MemoryWorkflowTokens:
    """`release.ports.WorkflowTokens`: what GitHub signed, by token."""

    def __init__(self) -> None:
        self.signed: dict[str, WorkflowClaims] = {}

    def read(self, token: str) -> WorkflowClaims:
        try:
            return self.signed[token]
        except KeyError:
            raise NotAllowed("the token is not one that GitHub signed") from None


class MemoryApprovals(Store):
    """`release.ports.Approvals`."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, Approval] = {}
        self.tokens: dict[tuple[str, str], str] = {}

    def ask(self, approval: Approval) -> bool:
        self.tokens[approval.release, approval.question] = approval.token
        known = self.stored.get(approval.release)
        if known and known.question == approval.question:
            return False
        self.stored[approval.release] = kept(msgspec.structs.replace(approval, token=""))
        return True

    def token(self, asked: Approval) -> str:
        if (asked.release, asked.question) not in self.tokens:
            raise InvalidInput(f"release {asked.release!r} waits for no answer")
        return self.tokens[asked.release, asked.question]

    def read(self, release: str) -> Approval:
        try:
            return self.stored[release]
        except KeyError:
            raise InvalidInput(f"release {release!r} waits for no approval") from None

    def answer(self, seen: Approval, after: Approval) -> bool:
        if self.stored[seen.release] != seen:
            return False
        self.stored[seen.release] = kept(after)
        return True


class MemoryBundles:
    """`release.ports.Bundles`, by address; one that was given none must not be read at all."""

    def __init__(self, bundles: Mapping[str, bytes] | None = None) -> None:
        self.bundles = bundles

    def read(self, uri: str, digest: str) -> list[Manifest]:
        assert self.bundles is not None, "a release without a bundle must not read one"
        if uri not in self.bundles:
            raise InvalidInput(f"there is no bundle {uri}")
        body = self.bundles[uri]
        if hashlib.sha256(body).hexdigest() != digest.removeprefix("sha256:"):
            raise InvalidInput(f"bundle {uri} was changed since: its SHA-256 is not {digest}")
        try:
            return msgspec.json.decode(body, type=list[dict[str, Any]])
        except msgspec.MsgspecError as error:
            raise InvalidInput(f"bundle {uri} is no JSON array of Kubernetes objects: {error}") from error


class MemoryHooks:
    """`release.ports.Hooks`: every hook gives the one answer; without one, none does."""

    def __init__(self, answer: HookAnswer | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def call(self, target: str, payload: Mapping[str, Any], within: float) -> HookAnswer:
        self.asked.append((target, msgspec.json.decode(msgspec.json.encode(payload))))
        if self.answer is None:
            raise Unavailable(f"{target} did not answer")
        return self.answer


class MemoryRegistry:
    """`release.ports.Registry`: the images that were pushed, by repository@digest."""

    def __init__(self, images: Mapping[str, Image] | None = None) -> None:
        self.images = dict(images or {})

    def push(self, image: str, what: Image) -> None:
        """Push an image, or attest something more of it."""
        self.images[image] = what

    def describe(self, image: str) -> Image:
        try:
            return self.images[image]
        except KeyError:
            raise InvalidInput(f"the registry has no image {image}") from None
