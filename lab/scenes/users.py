"""Users of a running lab, sent from outside: what they met, told now and then and at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import msgspec

from lab.traffic.load import Load, Sample, summarise


class Site(msgspec.Struct, frozen=True):
    """Where the users of an environment go: the load balancer's address, and the hosts of its services."""

    environment: str
    front_door: str
    hosts: dict[str, str]


class Met(msgspec.Struct, frozen=True):
    """What users met from `since` to `until`: requests by version, failures by version and status; p95 in seconds."""

    since: float
    until: float
    requests: int
    by_version: dict[str, int]
    failed: int
    failures: dict[str, int]
    p95: float | None

    @property
    def says(self) -> str:
        """In a line."""
        versions = ", ".join(f"{count:,} by {name}" for name, count in sorted(self.by_version.items()))
        if not self.requests:
            return "no request was answered"
        slow = f"; p95 {1000 * self.p95:.0f} ms" if self.p95 is not None else ""
        if not self.failed:
            return f"{self.requests:,} requests, none failed ({versions}){slow}"
        why = ", ".join(f"{count:,} {name}" for name, count in sorted(self.failures.items()))
        return f"{self.requests:,} requests, {self.failed:,} failed: {why} ({versions}){slow}"


def met(samples: list[Sample], since: float, until: float) -> Met:
    """What the samples say of a stretch of time."""
    summary = summarise(samples, since, until)
    seconds = sorted(each.seconds for each in samples if since <= each.at < until and each.status)
    p95 = seconds[min(int(0.95 * len(seconds)), len(seconds) - 1)] if seconds else None
    return Met(since, until, summary.total, summary.by_version, summary.failed, summary.failures, p95)


class Users:
    """Users of some services of one environment, `rate` requests a second in all."""

    def __init__(self, site: Site, services: list[str], rate: float) -> None:
        hosts = [site.hosts[name] for name in services or sorted(site.hosts)]
        split = urlsplit(site.front_door)
        self._load = Load(split.port or 80, hosts, rate, address=split.hostname or "127.0.0.1")
        self.began = 0.0

    def start(self) -> None:
        """Begin to send."""
        self.began = time.time()
        self._load.start()

    def stop(self) -> Met:
        """Stop, wait for the answers that are due, and say what all of them met."""
        samples = self._load.stop()
        return met(samples, self.began, time.time() + 1)

    def reports(
        self, every: float, goes_on: Callable[[], bool], seconds: float = float("inf")
    ) -> Iterator[Met]:
        """What they met, every so many seconds, as long as it goes on."""
        since = self.began
        while goes_on() and time.time() - self.began < seconds:
            time.sleep(min(0.2, every))
            # Those that were sent a moment ago have a moment for their answers.
            if time.time() - since >= every + 0.5:
                until = since + every
                yield met(list(self._load.samples), since, until)
                since = until
