"""Gates: what must be known of an image before a release of it may begin.

Facts come from the image's registry: its manifest list, and attestations that the build pushed beside it
(docs/security.md says what they prove and what they do not). A fact that is missing is a refusal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime

from candlefish.catalog.model import Duration, Gates
from candlefish.release.model import Image, Scan, Vulnerability

SEVERE = ("CRITICAL", "HIGH")
NAMED_AT_MOST = 5
# Clocks of builders may be ahead of ours by this much, in seconds.
SKEW = 300


def closed_gates(image: Image, gates: Gates, now: float) -> Iterator[str]:
    """Every gate that an image does not pass, with what to do. `now` is epoch seconds."""
    if missing := [platform for platform in gates.platforms if platform not in image.platforms]:
        yield (
            f"its manifest list has no image for {', '.join(missing)} (it has {', '.join(image.platforms) or 'none'}); "
            f"build with --platform {','.join(gates.platforms)} and release the list's digest"
        )
    yield from _provenance(image.sources, gates.sources)
    yield from _scan(image.scans, gates, now)


def _provenance(sources: Collection[str], allowed: Collection[str]) -> Iterator[str]:
    if not allowed:
        return
    if not sources:
        yield (
            "the registry has no provenance attestation of this digest; build it with the workflow of docs/deploy.md, "
            "which pushes one"
        )
    elif not set(sources) & set(allowed):
        yield (
            f"its provenance names {', '.join(sorted(sources))}, allowed are {', '.join(allowed)}; build it there, or "
            'add the repository to "sources" of the environment\'s gates'
        )


def _scan(scans: Iterable[Scan], gates: Gates, now: float) -> Iterator[str]:
    newest = max(scans, key=lambda scan: scan.at, default=None)
    if newest is None:
        yield "the registry has no scan result of this digest; run the workflow's scan job, which pushes one"
        return
    # A scan from the future is no scan that anybody made.
    if not -SKEW <= now - newest.at <= gates.scan_age:
        when = datetime.fromtimestamp(newest.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        yield f"its scan is from {when}, older than {Duration(gates.scan_age)} (or not yet); run the scan job again"
    today = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
    allowed = {entry.id: entry for entry in gates.allow if today <= entry.until}
    expired = {entry.id for entry in gates.allow if today > entry.until}
    for severity, most in zip(SEVERE, (gates.critical, gates.high), strict=True):
        found = sorted(
            {v for v in newest.findings if v.severity == severity and v.id not in allowed}, key=_order
        )
        if len({v.id for v in found}) > most:
            yield _too_many(severity, found, most, expired)


def _order(finding: Vulnerability) -> tuple[bool, str, str]:
    """Those that can be fixed first."""
    return (not finding.fixed_in, finding.id, finding.package)


def _too_many(severity: str, found: list[Vulnerability], most: int, expired: set[str]) -> str:
    require_short_name = [
        f"{v.id} in {v.package}"
        + (f" (fixed in {v.fixed_in})" if v.fixed_in else "")
        + (" (its allowance expired)" if v.id in expired else "")
        for v in found[:NAMED_AT_MOST]
    ]
    more = f" and {len(found) - NAMED_AT_MOST} more" if len(found) > NAMED_AT_MOST else ""
    return (
        f"{len({v.id for v in found})} {severity.lower()} vulnerabilities, at most {most} may be: {', '.join(require_short_name)}{more}; "
        'update the packages, or allow one with a reason and a date in "allow" of the environment\'s gates'
    )
