"""Gates: what must be known of an image before a release of it may begin.

Facts come from the image's registry: its manifest list, and attestations that the build pushed beside it and that
a workflow signed. One that an allowed workflow did not sign is none. A fact that is missing is a refusal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime

from candlefish.catalog.model import Duration, Gates
from candlefish.release.model import Image, SigningWorkflow, Vulnerability

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
    yield from _provenance(image, gates)
    yield from _scan(image, gates, now)


def may_sign(signer: SigningWorkflow, gates: Gates) -> bool:
    """Whether what a workflow signed counts: its repository, its path and its branch are all allowed."""
    return not any(wrong for _, wrong in _judged(signer, gates))


def _judged(signer: SigningWorkflow, gates: Gates) -> Iterator[tuple[str, bool]]:
    """What is allowed of a signer, in words, and whether it is something else."""
    for field, found, allowed in (
        ("sources", signer.repository, gates.sources),
        ("workflows", signer.workflow, gates.workflows),
        ("branches", signer.ref, tuple(f"refs/heads/{branch}" for branch in gates.branches)),
    ):
        if allowed:
            yield f"{field} {' or '.join(allowed)}", found not in allowed


def signer_of(signer: SigningWorkflow) -> str:
    """A signer in words."""
    return f"{signer.repository} {signer.workflow} on {signer.ref}"


def _others(signers: Collection[SigningWorkflow], gates: Gates) -> str:
    """Who signed, and what had to be otherwise."""
    found = sorted({signer_of(signer) for signer in signers})
    more = f" and {len(found) - NAMED_AT_MOST} more" if len(found) > NAMED_AT_MOST else ""
    wrong = dict.fromkeys(words for signer in signers for words, bad in _judged(signer, gates) if bad)
    return f"{', '.join(found[:NAMED_AT_MOST])}{more}; allowed are {', '.join(wrong)}"


def _missing(image: Image) -> str:
    """What else is there, which does not count."""
    if not image.invalid:
        return ""
    more = f"; and {len(image.invalid) - NAMED_AT_MOST} more" if len(image.invalid) > NAMED_AT_MOST else ""
    return f" that is valid ({'; '.join(image.invalid[:NAMED_AT_MOST])}{more})"


def _provenance(image: Image, gates: Gates) -> Iterator[str]:
    if not (gates.sources or gates.workflows or gates.branches):
        return
    if not image.provenance:
        yield (
            f"the registry has no provenance attestation of this digest{_missing(image)}; build it with the workflow "
            "of docs/deploy.md, which signs and pushes one"
        )
    elif not any(may_sign(signer, gates) for signer in image.provenance):
        yield (
            f"its provenance was signed by {_others(image.provenance, gates)}; build it there, or change the "
            "environment's gates in the catalog"
        )


def _scan(image: Image, gates: Gates, now: float) -> Iterator[str]:
    counting = [scan for scan in image.scans if may_sign(scan.signer, gates)]
    newest = max(counting, key=lambda scan: scan.at, default=None)
    if newest is None and image.scans:
        yield (
            f"its scan was signed by {_others([scan.signer for scan in image.scans], gates)}; run the scan job there, "
            "or change the environment's gates in the catalog"
        )
        return
    if newest is None:
        yield (
            f"the registry has no scan result of this digest{_missing(image)}; run the workflow's scan job, which "
            "signs and pushes one"
        )
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
