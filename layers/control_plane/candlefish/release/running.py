"""What runs in a slot, read from its Deployment."""

from __future__ import annotations

from collections.abc import Mapping

from candlefish.release.manifests.model import (
    BUNDLE_DIGEST_NOTE,
    BUNDLE_NOTE,
    CONFIGURATION_DIGEST_NOTE,
    CONFIGURATION_NOTE,
    CRON_NOTE,
    IMAGE_NOTE,
    RELEASE_LABEL,
    RELEASE_NOTE,
    VERSION_NOTE,
    generation_of,
)
from candlefish.release.model import Manifest, Running
from candlefish.service.model import configuration_digest


def _configuration(notes: Mapping[str, str]) -> str:
    """The configuration that was written down, as long as it is what was written: a hand may have been at it."""
    text = notes.get(CONFIGURATION_NOTE, "")
    return text if configuration_digest(text) == notes.get(CONFIGURATION_DIGEST_NOTE, "") else ""


def running_of(deployment: Manifest, *, autoscaled: bool) -> Running:
    """What a Deployment of the API says of itself.

    Its annotations say what a release meant; the image is what its Pods get now, so that one which
    somebody else set is seen.
    """
    metadata, spec = deployment["metadata"], deployment["spec"]
    notes = metadata.get("annotations") or {}
    meant = notes.get(IMAGE_NOTE, "")
    images = [each["image"] for each in spec["template"]["spec"]["containers"]]
    return Running(
        image=meant if meant in images else images[0],
        version=notes.get(VERSION_NOTE, ""),
        # From before it was noted, there is only the label, which is cut.
        release=notes.get(RELEASE_NOTE) or (metadata.get("labels") or {}).get(RELEASE_LABEL, ""),
        generation=generation_of(notes),
        replicas=spec.get("replicas", 1),
        bundle=notes.get(BUNDLE_NOTE, ""),
        bundle_digest=notes.get(BUNDLE_DIGEST_NOTE, ""),
        configuration=_configuration(notes),
        autoscaled=autoscaled,
        cron=tuple(name for name in notes.get(CRON_NOTE, "").split(",") if name),
    )
