"""What a demonstration claims, checked against what was measured. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import sqrt

import msgspec

from lab.traffic.load import Sample

# A share of the traffic may differ from its weight by this many standard deviations of chance.
SIGMAS = 5.0


class Claim(msgspec.Struct, frozen=True):
    """One sentence, whether it is true, and the numbers that say so."""

    text: str
    holds: bool
    numbers: str


def everything_is_accounted_for(sent: int, samples: Sequence[Sample]) -> Claim:
    """Every request has an outcome, and every answer names the version that gave it."""
    unnamed = sum(1 for s in samples if s.status and not s.version)
    versions = Counter(s.version or "(no service)" for s in samples)
    told = ", ".join(f"{count} by {version}" for version, count in sorted(versions.items()))
    return Claim(
        "every request that was sent is accounted for by version",
        sent == len(samples) and unnamed == 0,
        f"{sent} sent, {len(samples)} outcomes: {told}",
    )


def only_the_bad_version_failed(samples: Sequence[Sample], bad: str) -> Claim:
    """No request failed because of shifting, scaling or draining: failures are the bad version's own answers."""
    failed = [s for s in samples if s.failed]
    others = Counter(
        f"{s.status or s.error or 'no answer'} by {s.version or s.balancer or 'nobody'}"
        for s in failed
        if s.version != bad
    )
    return Claim(
        "no request failed because of shifting, scaling or draining",
        not others,
        f"{len(failed)} failed, all answered by version {bad}"
        if not others
        else f"also failed: {dict(others)}",
    )


def share_follows_weight(
    samples: Sequence[Sample], version: str, weight: int, between: tuple[float, float]
) -> Claim:
    """While a weight stood, the version's share of the traffic was that weight, within chance."""
    start, end = between
    seen = [s for s in samples if start <= s.at < end and s.version]
    mine = sum(1 for s in seen if s.version == version)
    share = mine / len(seen) if seen else 0.0
    expected = weight / 100
    allowed = SIGMAS * sqrt(expected * (1 - expected) / len(seen)) if seen else 0.0
    return Claim(
        f"at weight {weight}, version {version} got {weight}% of the traffic",
        bool(seen) and abs(share - expected) <= max(allowed, 0.001),
        f"{mine} of {len(seen)} requests, {share:.1%}",
    )


def rule_equals_record(rule: Mapping[str, int], record: Mapping[str, int]) -> Claim:
    """What the load balancer does is what the control plane recorded."""
    return Claim(
        "the listener rule equals the record", dict(rule) == dict(record), f"{sorted(rule.values())}"
    )


def served_by_one_version(samples: Sequence[Sample], version: str, since: float) -> Claim:
    """From a moment on, everything was served by one version."""
    seen = Counter(s.version for s in samples if s.at >= since)
    return Claim(
        f"in the end all traffic is served by {version}",
        set(seen) == {version},
        ", ".join(f"{count} by {name or '(no service)'}" for name, count in sorted(seen.items())),
    )
