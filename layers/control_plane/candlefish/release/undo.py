"""Which earlier version an undo releases again: the one that served before, or one that is named. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from candlefish.errors import AlreadyStable, InvalidInput
from candlefish.release.model import Release
from candlefish.service.model import Version
from candlefish.service.record import ServiceRecord

# The least of a digest that names one.
SHORTEST_DIGEST = 7
_DIGEST = re.compile(rf"(?:sha256:)?(?P<hex>[0-9a-f]{{{SHORTEST_DIGEST},64}})")


def find_earlier(record: ServiceRecord, releases: Sequence[Release], to: str = "") -> Release:
    """The release whose version an undo brings again: by its id, label, or digest's beginning; or the last one that served
    before the version that serves now, and was never rolled back.

    `releases` are the service's, newest first. It goes through the whole protocol as a new release does, which refuses a
    version that is known bad.

    Raises
    ------
    InvalidInput
        There is none, or what is named is more than one.
    AlreadyStable
        It is the image that serves; its configuration is the catalog's, and comes with that.
    """
    stable = record.stable_version
    if stable is None:
        raise InvalidInput(f"{record.name} has never served a version; there is nothing to undo")
    known = [each for each in releases if each.status != "refused"]
    found = _named(record, known, to) if to else _before(record, stable, known)
    if found.version.brings_same(stable):
        raise AlreadyStable(
            f"{found.version.short} (release {found.id}) is the image that serves {record.name} already; nothing was asked "
            "for. Its configuration comes from the catalog: deploy the stack with the catalog of then, and release that "
            f"with: candlefish deploy {record.service} --configuration -e {record.environment}"
        )
    return found


def _named(record: ServiceRecord, releases: Sequence[Release], to: str) -> Release:
    found = [each for each in releases if _is_called(each, to)]
    if not found:
        labels = dict.fromkeys(each.version.short for each in releases)
        raise InvalidInput(
            f"no release of {record.name} that is known is called {to!r}, nor is its version; known are "
            f"{', '.join(labels) or 'none'}"
        )
    if len({(each.version.image, each.version.bundle_digest) for each in found}) > 1:
        names = ", ".join(f"{each.id} ({each.version.digest[:19]})" for each in found)
        raise InvalidInput(
            f"{to!r} is more than one version of {record.name}; name one of these releases: {names}"
        )
    return found[0]


def _is_called(release: Release, name: str) -> bool:
    if name in (release.id, release.version.label, release.version.image):
        return True
    match = _DIGEST.fullmatch(name)
    return match is not None and release.version.digest.removeprefix("sha256:").startswith(match["hex"])


def _before(record: ServiceRecord, stable: Version, releases: Sequence[Release]) -> Release:
    promoted = [each for each in releases if each.status == "promoted"]
    serves = next((at for at, each in enumerate(promoted) if each.version.brings_same(stable)), -1)
    for each in promoted[serves + 1 :]:
        known_bad = any(bad.names(each.version) for bad in record.bad)
        if not each.version.brings_same(stable) and not known_bad:
            return each
    raise InvalidInput(
        f"no version that served {record.name} before {stable.short} is known; name one with --to, or release an image with: "
        f"candlefish deploy {record.service} IMAGE -e {record.environment}"
    )
