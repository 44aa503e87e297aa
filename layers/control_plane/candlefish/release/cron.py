"""Which CronJobs a service has in the cluster, and whether they are those of its stable version. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from candlefish.release.manifests.model import (
    BUNDLE_DIGEST_NOTE,
    CONFIGURATION_DIGEST_NOTE,
    IMAGE_NOTE,
    RESTING_NOTE,
    generation_of,
)
from candlefish.release.model import CronSeen, Manifest
from candlefish.service.model import Version
from candlefish.service.record import ServiceRecord


def may_have_cron(record: ServiceRecord) -> bool:
    """Whether some version of a record may have CronJobs: it says so, or brings a bundle, which is not read here."""
    slots = record.slots.values()
    known = (version for slot in slots for version in (slot.version, slot.incoming, slot.before) if version)
    return any(version.bundle or _declared(version.configuration) for version in known)


def _declared(configuration: str) -> bool:
    # Read only where the word stands: most have none, and this is asked at every look.
    return '"cron":' in configuration and bool(json.loads(configuration)["service"].get("cron"))


def cron_seen(cron_job: Manifest) -> CronSeen:
    """What a CronJob of the API says of itself; the image is what its Pods get now."""
    metadata, spec = cron_job["metadata"], cron_job["spec"]
    notes = metadata.get("annotations") or {}
    images = [each["image"] for each in spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]]
    meant = notes.get(IMAGE_NOTE, "")
    return CronSeen(
        name=metadata["name"],
        image=meant if meant in images else images[0],
        bundle_digest=notes.get(BUNDLE_DIGEST_NOTE, ""),
        configuration_digest=notes.get(CONFIGURATION_DIGEST_NOTE, ""),
        generation=generation_of(notes),
        suspended=bool(spec.get("suspend")),
        resting=RESTING_NOTE in notes,
    )


def cron_differences(
    seen: Sequence[CronSeen], names: Iterable[str], version: Version | None, *, written_by: int = 0
) -> tuple[str, ...]:
    """What is not as it shall be, a line each: `version` has the CronJobs of these names, and no others run.

    `written_by` is the generation that must have written them; 0 where it does not matter. A CronJob that somebody
    suspended by hand stays so, as does one that sleeps.
    """
    by_name = {each.name: each for each in seen}
    found = []
    for name in sorted(names):
        each = by_name.pop(name, None)
        if why := _differs(each, version, written_by):
            found.append(f"CronJob {name} {why}")
    return (
        *found,
        *(f"CronJob {each.name} is of no version any more" for each in by_name.values() if _awake(each)),
    )


def _awake(each: CronSeen) -> bool:
    return not (each.resting and each.suspended)


def _differs(each: CronSeen | None, version: Version | None, written_by: int) -> str:
    if each is None:
        return "is missing"
    assert version
    if each.image != version.image:
        return f"runs {each.image} instead of {version.image} ({version.short})"
    if each.bundle_digest != version.bundle_digest:
        return f"runs {version.short} with another bundle"
    # Of a version of older code no configuration is known.
    if version.configuration and each.configuration_digest != version.configuration_digest:
        return f"runs {version.short} with another configuration"
    if each.resting:
        return "rests"
    if written_by and each.generation != written_by:
        return f"was written by generation {each.generation}, the holder has {written_by}"
    return ""
