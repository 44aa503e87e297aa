"""The three environments' strategies, a bundle from Helm, and trains, each through its own stack."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab.scenes import helm_chart
from lab.simulator.site import NotReached, Site
from tests.support.scenario import SERVICES, SimulatedStage, simulated


@pytest.fixture
def development() -> Iterator[SimulatedStage]:
    with simulated("development") as made:
        yield made


@pytest.fixture
def staging() -> Iterator[SimulatedStage]:
    with simulated("staging") as made:
        yield made


def shifted(stage: SimulatedStage, release: str) -> list[int]:
    """The weights that a release's version was given, in order."""
    slot = stage.read(release).slot
    return [e.evidence["weights"][slot] for e in stage.site.entries(release) if e.kind == "shifted"]


def test_development_updates_in_place(development: SimulatedStage) -> None:
    stage = development
    slot = stage.records.get("backend-api").stable
    release = stage.start("backend-api", "1.1.0")
    assert stage.ends(release)["status"] == "SUCCEEDED"
    record = stage.settled("backend-api", "1.1.0")
    assert record.stable == slot, "in place: the slot stays the same"
    assert shifted(stage, release) == []
    assert stage.without_service("backend-api") == 0


def test_a_promotion_is_remembered(development: SimulatedStage) -> None:
    stage = development
    assert stage.ends(stage.start("api-gateway", "1.1.0"))["status"] == "SUCCEEDED"

    def known() -> bool:
        version = stage.site.stores.stable.read("api-gateway")
        return version is not None and version.label == "1.1.0"

    stage.site.until(known, "the stable version to be remembered", within=600)


def test_development_goes_back_in_place_when_the_version_does_not_come_up(
    development: SimulatedStage,
) -> None:
    stage = development
    before = stage.version("website")
    release = stage.start("website", "crash")
    assert stage.ends(release)["error"] == "RolloutFailed"
    stage.settled("website", before)
    assert "restored" in stage.kinds(release)
    assert stage.without_service("website") == 0


def test_development_goes_back_in_place_to_what_came_as_a_bundle(development: SimulatedStage) -> None:
    stage = development
    bundle = upload(stage, chart(stage, "1.2.0"))
    assert stage.ends(stage.start("api-gateway", "1.2.0", **bundle))["status"] == "SUCCEEDED"
    release = stage.start("api-gateway", "crash")
    assert stage.ends(release)["error"] == "RolloutFailed"
    record = stage.settled("api-gateway", "1.2.0")
    assert record.stable_version is not None
    assert record.stable_version.bundle == bundle["bundle"]


def test_staging_is_blue_green(staging: SimulatedStage) -> None:
    stage = staging
    slot = stage.records.get("backend-api").stable
    release = stage.start("backend-api", "1.1.0")
    assert stage.ends(release)["status"] == "SUCCEEDED"
    assert shifted(stage, release) == [100]
    assert stage.kinds(release).index("smoke_tested") < stage.kinds(release).index("shifted")
    record = stage.settled("backend-api", "1.1.0")
    assert record.stable != slot, "blue-green: the slots change places"
    assert stage.without_service("backend-api") == 0


def test_production_is_a_canary_with_a_persons_approval(stage: SimulatedStage) -> None:
    release = stage.start("backend-api", "1.1.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    assert shifted(stage, release) == [10, 50, 100]
    assert any(e.kind == "approved" and e.by == "platform-lead" for e in stage.site.entries(release))
    stage.follows(release, "retired")
    stage.settled("backend-api", "1.1.0")
    assert stage.without_service("backend-api") == 0


def chart(stage: SimulatedStage, version: str) -> list[dict[str, Any]]:
    return helm_chart.rendered("api-gateway", stage.site.image("api-gateway", version))


def upload(stage: SimulatedStage, documents: list[dict[str, Any]]) -> dict[str, str]:
    """Store a bundle; what a release says of it."""
    body = json.dumps(documents).encode()
    digest = hashlib.sha256(body).hexdigest()
    bundles = stage.site.stores.bundles
    bundles.bundles = {**(bundles.bundles or {}), f"s3://bundles/{digest}": body}
    return {"bundle": f"s3://bundles/{digest}", "bundle_digest": digest}


def test_a_bundle_that_helm_wrote(staging: SimulatedStage) -> None:
    stage = staging
    release = stage.start("api-gateway", "1.1.0", **upload(stage, chart(stage, "1.1.0")))
    assert stage.ends(release)["status"] == "SUCCEEDED", stage.kinds(release)
    stage.settled("api-gateway", "1.1.0")
    assert stage.without_service("api-gateway") == 0


def test_a_bundle_that_must_not_be_applied_is_refused_before_anything_is_taken(
    staging: SimulatedStage,
) -> None:
    stage = staging
    before = stage.site.record("api-gateway")
    capture = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "backend-api"}, "spec": {}}
    release = stage.start("api-gateway", "1.2.0", **upload(stage, [*chart(stage, "1.2.0"), capture]))
    ended = stage.ends(release)
    assert (ended["error"], stage.kinds(release)) == ("InvalidInput", ["refused"])
    assert "Service backend-api: metadata.name" in ended["cause"]
    assert stage.site.record("api-gateway") == before


def test_a_bundle_that_was_changed_after_it_was_named_is_refused(staging: SimulatedStage) -> None:
    stage = staging
    before = stage.site.record("api-gateway")
    bundle = upload(stage, chart(stage, "1.2.0"))
    release = stage.start("api-gateway", "1.2.0", **{**bundle, "bundle_digest": "0" * 64})
    ended = stage.ends(release)
    assert (ended["error"], "was changed since" in ended["cause"]) == ("InvalidInput", True)
    assert stage.site.record("api-gateway") == before


def test_a_train_arrives_in_the_order_of_its_dependencies(staging: SimulatedStage) -> None:
    stage = staging
    order = ["backend-api", "api-gateway", "website"]
    train = stage.start_train(dict.fromkeys(reversed(order), "1.2.0"))
    ended = stage.follow_train(train)
    assert ended["status"] == "SUCCEEDED", ended["cause"]
    assert json.loads(ended["output"])["released"] == order
    begun = [stage.site.entries(f"{train}-{service}")[0].at for service in order]
    assert begun == sorted(begun)
    for service in SERVICES:
        stage.settled(service, "1.2.0")
        assert stage.without_service(service) == 0


def test_a_train_that_fails_takes_back_what_it_promoted(staging: SimulatedStage) -> None:
    stage = staging
    before = {service: stage.version(service) for service in SERVICES}
    train = stage.start_train({"website": "smoke-fails", "api-gateway": "1.1.0", "backend-api": "1.1.0"})
    assert stage.follow_train(train)["error"] == "TrainFailed"
    for service in SERVICES:
        stage.settled(service, before[service])
        assert stage.without_service(service) == 0
    assert stage.status(f"{train}-backend-api") == "rolled_back"


def test_another_environments_machine_refuses(stage: SimulatedStage) -> None:
    with pytest.raises(NotReached, match="the input names 'staging'"):
        stage.start("website", "1.1.0", environment="staging")
    request = {"service": "website", "image": stage.site.image("website", "1.1.0"), "reason": "past the door"}
    ended = stage.ends(stage.start_raw({**request, "environment": "staging"}, "past-the-door"))
    assert (ended["error"], "deploys to production" in ended["cause"]) == ("InvalidInput", True)


def test_a_repeated_onboarding_changes_nothing(stage: SimulatedStage) -> None:
    before = stage.records.get("website")
    stage.site.call("onboard", {"service": "website"})
    assert stage.records.get("website") == before


def test_a_service_whose_targets_are_all_gone_is_seen_by_the_counts() -> None:
    """What the assertions on `without_service` rest on."""
    with Site("production") as site:
        site.bring_up(("website",))
        stage = SimulatedStage(site)
        site.run(120)
        assert stage.without_service("website") == 0
        site.lose_pods("website", 99)
        site.run(180)
        assert stage.without_service("website") > 0
