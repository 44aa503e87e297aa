"""What releases write down and ask, in memory: journal, approvals, nonces, bundles, hooks."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec

from candlefish.errors import InvalidInput, Unavailable
from candlefish.release.model import (
    Approval,
    ApprovalAnswer,
    HookAnswer,
    Manifest,
    Release,
    ReleaseEntry,
    Status,
)


class MemoryJournalStore:
    """`release.ports.JournalStore`."""

    def __init__(self) -> None:
        self.releases: dict[str, Release] = {}
        self.timeline: defaultdict[str, list[ReleaseEntry]] = defaultdict(list)

    def open(self, release: Release) -> None:
        # Through JSON, as the adapter does: what cannot be stored must not pass a test.
        stored = msgspec.json.decode(msgspec.json.encode(release), type=Release)
        self.releases.setdefault(release.id, stored)

    def read(self, release: str) -> Release:
        try:
            return self.releases[release]
        except KeyError:
            raise InvalidInput(f"there is no release {release!r}") from None

    def append(self, release: str, entry: ReleaseEntry) -> None:
        self.timeline[release].append(msgspec.json.decode(msgspec.json.encode(entry), type=ReleaseEntry))

    def set_status(self, release: str, status: Status) -> None:
        if release in self.releases:
            self.releases[release] = msgspec.structs.replace(self.releases[release], status=status)

    def entries(self, release: str) -> list[ReleaseEntry]:
        return sorted(self.timeline[release], key=lambda entry: entry.at)

    def recent(self, service: str, limit: int = 10) -> list[Release]:
        mine = [release for release in self.releases.values() if release.service == service]
        return sorted(mine, key=lambda release: release.started_at, reverse=True)[:limit]


class MemoryNonces:
    """`release.ports.Nonces`."""

    def __init__(self) -> None:
        self.used: set[str] = set()

    def first(self, nonce: str, until: float) -> bool:
        new = nonce not in self.used
        self.used.add(nonce)
        return new


class MemoryApprovals:
    """`release.ports.Approvals`."""

    def __init__(self) -> None:
        self.stored: dict[str, Approval] = {}

    def ask(self, approval: Approval) -> None:
        self.stored[approval.release] = approval

    def read(self, release: str) -> Approval:
        try:
            return self.stored[release]
        except KeyError:
            raise InvalidInput(f"release {release!r} waits for no approval") from None

    def answer(self, release: str, token: str, status: ApprovalAnswer, by: str) -> Approval:
        approval = self.read(release)
        if approval.token == token and approval.status == "pending":
            self.stored[release] = msgspec.structs.replace(approval, status=status, by=by)
        return self.stored[release]


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
        self.asked.append((target, dict(payload)))
        if self.answer is None:
            raise Unavailable(f"{target} did not answer")
        return self.answer
