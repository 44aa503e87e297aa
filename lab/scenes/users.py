"""Users of a running lab, sent from outside: what they met, told now and then and at the end."""

from __future__ import annotations

import time
from array import array
from collections import Counter
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
    account = Account()
    account.add([each for each in samples if since <= each.at < until])
    return account.met(since, until)


class Account:
    """What users met so far. Of a request it keeps how long it took and no more: users may be sent for days."""

    def __init__(self) -> None:
        self._requests = 0
        self._by_version: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._seconds = array("d")

    def add(self, samples: list[Sample]) -> None:
        """Count these as well."""
        summary = summarise(samples)
        self._requests += summary.total
        self._by_version.update(summary.by_version)
        self._failures.update(summary.failures)
        self._seconds.extend(each.seconds for each in samples if each.status)

    def met(self, since: float, until: float) -> Met:
        """All of them, who were sent from `since` to `until`."""
        seconds = sorted(self._seconds)
        p95 = seconds[min(int(0.95 * len(seconds)), len(seconds) - 1)] if seconds else None
        by_version, failures = dict(self._by_version), dict(self._failures)
        return Met(since, until, self._requests, by_version, self._failures.total(), failures, p95)


class Users:
    """Users of some services of one environment, `rate` requests a second in all."""

    def __init__(self, site: Site, services: list[str], rate: float) -> None:
        hosts = [site.hosts[name] for name in services or sorted(site.hosts)]
        split = urlsplit(site.front_door)
        self._load = Load(split.port or 80, hosts, rate, address=split.hostname or "127.0.0.1")
        self._whole = Account()
        # Those that no report was about yet.
        self._untold: list[Sample] = []
        self.began = 0.0

    def start(self) -> None:
        """Begin to send."""
        self.began = time.time()
        self._load.start()

    def stop(self) -> Met:
        """Stop, wait for the answers that are due, and say what all of them met."""
        self._load.stop()
        self._take()
        return self._whole.met(self.began, time.time() + 1)

    def _take(self) -> None:
        """Take over what was answered; in place, as it goes on being added to."""
        came = self._load.samples
        fresh = came[:]
        del came[: len(fresh)]
        self._whole.add(fresh)
        self._untold += fresh

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
                self._take()
                yield met(self._untold, since, until)
                self._untold = [each for each in self._untold if each.at >= until]
                since = until
