"""What the repository ships as examples can be used in the lab as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.traffic.behaviour import digest_of
from lab.world import GOOD_VERSIONS

EVENTS = Path(__file__).parents[3] / "events"


@pytest.mark.parametrize("name", ["release.json", "train.json"])
def test_the_images_of_sample_events_can_be_pulled(name: str) -> None:
    images = re.findall(r"example-org/([a-z-]+)@(sha256:[0-9a-f]{64})", (EVENTS / name).read_text())
    assert images
    for service, digest in images:
        assert digest in {digest_of(service, version) for version in GOOD_VERSIONS}
