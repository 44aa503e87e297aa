"""What releases ask of the world outside, in memory: bundles, the front door, hooks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from candlefish.errors import InvalidInput, Unavailable
from candlefish.release.model import HookAnswer, HttpResponse, Manifest


class FakeBundles:
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


class FakeWeb:
    """`release.ports.Web`: answers with a list of statuses, the last one for ever; remembers what was asked."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    def get(self, host: str, path: str, headers: Mapping[str, str]) -> HttpResponse:
        self.asked.append((host, path, dict(headers)))
        return HttpResponse(self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0], "as told")


class FakeHooks:
    """`release.ports.Hooks`: every hook gives the one answer; without one, none does."""

    def __init__(self, answer: HookAnswer | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def call(self, target: str, payload: Mapping[str, Any], within: float) -> HookAnswer:
        self.asked.append((target, dict(payload)))
        if self.answer is None:
            raise Unavailable(f"{target} did not answer")
        return self.answer
