"""A production environment in memory: the first user's catalog and fakes for every port."""

from __future__ import annotations

import msgspec
import pytest

from tests.support.release_world import World
from tests.support.service import V1, fresh, released


@pytest.fixture
def world() -> World:
    """Production, with backend-api stable on V1 in the green slot and its rollback window closed."""
    record = released(fresh(), "r1", V1, window=0)
    return World(msgspec.structs.replace(record, window_until=0.0))
