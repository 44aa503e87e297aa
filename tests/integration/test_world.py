"""A lab that says that it is up is up."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

import lab.world
from lab.aws.load_balancing import Traffic
from lab.traffic.load import Load
from tests.support.stage import running
from tests.support.waiting import eventually

ENVIRONMENT, SERVICE = "staging", "website"


def test_the_first_request_after_it_came_up_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than whatever comes between the last write of a rule and the first request.
    monkeypatch.setattr(lab.world, "Traffic", partial(Traffic, propagation=1.5))
    with running(tmp_path, (ENVIRONMENT,), (SERVICE,)) as world:
        load = Load(world.sites[ENVIRONMENT].port, [world.host(ENVIRONMENT, SERVICE)], 100.0)
        load.start()
        eventually(lambda: load.sent >= 50)
        samples = load.stop()
    assert {sample.status for sample in samples} == {200}
