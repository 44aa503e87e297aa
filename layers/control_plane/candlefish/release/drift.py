"""What a slot runs, compared with what its record says."""

from __future__ import annotations

from candlefish.release.model import Running
from candlefish.service.model import Version


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
