"""An account whose request buckets are nearly empty: who takes users back is not kept from it, and who waits is not lost."""

from __future__ import annotations

from unittest.mock import patch

import msgspec
import pytest

from lab.quotas import AWS
from lab.simulator import boundary
from lab.simulator.growth import Growth, grow

SERVICES, RELEASES = 60, 16
# For a smaller account, smaller buckets.
SCARCE = tuple(
    msgspec.structs.replace(each, holds=max(1.0, each.holds * 0.15), refill=each.refill * 0.15)
    for each in AWS
)


@pytest.fixture(scope="module")
def full() -> Growth:
    return grow(SERVICES, RELEASES, quotas=SCARCE)


def test_no_throttle_reaches_a_rollback(full: Growth) -> None:
    assert list(full.wrong()) == []
    assert full.in_flight == RELEASES
    assert full.waited["restore_traffic"] > 0, "it was throttled, and asked on"


def test_the_reconciler_is_done_within_its_minute(full: Growth) -> None:
    assert len(full.looks) >= 19


def test_a_rollback_that_gave_way_like_the_others_would_be_noticed() -> None:
    with patch.object(boundary, "URGENT", frozenset()), patch.object(boundary, "ATTEMPTS", 1):
        found = grow(SERVICES, RELEASES, quotas=SCARCE)
    assert any("restore_traffic" in each for each in found.wrong())
