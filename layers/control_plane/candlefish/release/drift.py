"""What a slot runs, compared with what its record says."""

from __future__ import annotations

from collections.abc import Mapping

from candlefish.release.model import Running
from candlefish.service.model import Version
from candlefish.service.record import ServiceRecord


def other_version(running: Running | None, version: Version) -> str:
    """How what runs in a slot differs from the version that shall; empty when it is that version."""
    if running is None:
        return "it has no Deployment or StatefulSet"
    if running.image != version.image:
        # Its notes say the version that was deployed, whatever somebody set by hand since: the image says what runs.
        return f"it runs {running.image or 'no image'} instead of {version.image} ({version.short})"
    # A Deployment of before bundles were written down names none.
    if running.bundle_digest and running.bundle_digest != version.bundle_digest:
        return f"it runs {version.short} with another bundle"
    # Nor does one of before configurations were, and a version of then has none on record.
    if running.configuration and version.configuration and running.configuration != version.configuration:
        return f"it runs {version.short} with another configuration"
    return ""


def overwritten(running: Running | None, version: Version, generation: int) -> str:
    """Why a slot is not as this generation deployed it; empty when it is."""
    if why := other_version(running, version):
        return why
    assert running
    if running.generation != generation:
        return f"generation {running.generation} wrote it, the holder has {generation}"
    return ""


def wait_for_writers(since: float, live: float, now: float) -> float:
    """Seconds until whoever wrote to the cluster before `since` is dead: each lives `live` seconds at most."""
    return max(0.0, since + live - now)


def weights_settle_at(record: ServiceRecord, writers_live: float) -> float:
    """From when on no write of an older intention than the record's can arrive any more.

    Who writes an older one began before this one was intended, and lives `writers_live` seconds at most.
    """
    return max(record.intended_at, record.generation_at) + writers_live


def to_settle(
    record: ServiceRecord, weights: Mapping[str, int] | None, *, read_at: float, writers_live: float
) -> bool:
    """Whether weights that were read at `read_at` or later follow a record for good, and it does not say so yet (pure)."""
    if record.settled_revision == record.intended_revision:
        return False
    agrees = weights is not None and dict(weights) == record.weights_by_target_group()
    return agrees and weights_settle_at(record, writers_live) <= read_at


def changed_by_others(record: ServiceRecord) -> bool:
    """Whether weights that differ from their record were changed by somebody who is none of us (pure).

    Record and weights are never read at one moment: `record` is as it was read after the weights. Until its intention is
    settled, what differs may be a write of ours: one of before that came late, or this one, which has not arrived.
    """
    return record.settled_revision >= record.intended_revision
