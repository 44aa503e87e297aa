"""A changed configuration of the image that is live: released, taken back to just what ran, put right as it was released."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from candlefish.release.manifests import slot_name
from candlefish.service.model import Slot, other
from lab.kube.kinds import DEPLOYMENT
from tests.support.scenario import SimulatedStage, simulated

SERVICE, BEFORE, AFTER = "website", "1Gi", "1536Mi"


@pytest.fixture
def development() -> Iterator[SimulatedStage]:
    with simulated("development") as made:
        yield made


def carry(stage: SimulatedStage, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack is deployed with another memory limit in its catalog."""
    known = stage.site.catalog.services[SERVICE]
    need = msgspec.structs.replace(known.resources, memory_limit=limit)
    changed = msgspec.structs.replace(known, resources=need)
    # The functions of a site have its catalog in their hands.
    monkeypatch.setitem(stage.site.catalog.services, SERVICE, changed)


def limit(stage: SimulatedStage, slot: Slot) -> str:
    site = stage.site
    found = site.ground.cluster.store.get(DEPLOYMENT, site.ground.namespace, slot_name(SERVICE, slot))
    assert found is not None
    container = found["spec"]["template"]["spec"]["containers"][0]
    value: str = container["resources"]["limits"]["memory"]
    return value


def serving(stage: SimulatedStage) -> Slot:
    slot = stage.records.get(SERVICE).stable
    assert slot
    return slot


def test_a_memory_limit_is_a_canary_without_a_new_image(
    stage: SimulatedStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, slot, live = stage.records.get(SERVICE), serving(stage), stage.version(SERVICE)
    carry(stage, AFTER, monkeypatch)
    release = stage.start(SERVICE, live)
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    stage.follows(release, "retired")
    after = stage.settled(SERVICE, live)
    assert after.stable == other(slot)
    assert after.stable_version and before.stable_version
    assert after.stable_version.image == before.stable_version.image
    assert (limit(stage, slot), limit(stage, other(slot))) == (BEFORE, AFTER)
    assert stage.without_service(SERVICE) == 0


def test_a_memory_limit_that_is_taken_back_is_just_what_ran_before(
    stage: SimulatedStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, slot, live = stage.records.get(SERVICE), serving(stage), stage.version(SERVICE)
    carry(stage, AFTER, monkeypatch)
    release = stage.start(SERVICE, live)
    stage.comes_to(release, "shifted")
    stage.roll_back(SERVICE, "rb-limit")
    assert stage.ends(release)["status"] != "SUCCEEDED"
    stage.follows(release, "rolled_back")
    after = stage.settled(SERVICE, live)
    assert after.stable_version == before.stable_version
    assert limit(stage, slot) == BEFORE
    (bad,) = after.bad
    assert bad.configuration_digest
    again = stage.start(SERVICE, live)
    assert stage.ends(again)["error"] == "VersionKnownBad"


def test_a_limit_goes_back_in_place_although_the_catalog_says_otherwise(
    development: SimulatedStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = development
    before, slot, live = stage.records.get(SERVICE), serving(stage), stage.version(SERVICE)
    mine = limit(stage, slot)
    carry(stage, AFTER, monkeypatch)
    crash = stage.start(SERVICE, "crash")
    assert stage.ends(crash)["error"] == "RolloutFailed"
    after = stage.settled(SERVICE, live)
    assert after.stable_version == before.stable_version
    assert limit(stage, slot) == mine != AFTER


def test_a_repair_renders_what_was_released(stage: SimulatedStage, monkeypatch: pytest.MonkeyPatch) -> None:
    slot = serving(stage)
    carry(stage, AFTER, monkeypatch)
    stage.site.meddle(SERVICE, "autoscaler")
    stage.site.until(lambda: not stage.site.differs(stage.records.get(SERVICE)), "the repair", within=660)
    assert limit(stage, slot) == BEFORE
