"""Configuration is a part of a version: its digest, what is rendered from it, and what is done by it."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.adapters.table.items import carried
from candlefish.catalog.model import Catalog, Cost, Job, Replicas
from candlefish.errors import (
    AlreadyStable,
    InvalidInput,
    RecordTooNew,
    UnknownService,
    Unreadable,
    VersionKnownBad,
)
from candlefish.release.configuration import (
    LARGEST_CONFIGURATION,
    UNRENDERED_OF_ENVIRONMENT,
    UNRENDERED_OF_SERVICE,
    configuration_changes,
    configuration_of,
    configured,
    read_configuration,
)
from candlefish.release.manifests.model import CONFIGURATION_DIGEST_NOTE, CONFIGURATION_NOTE
from candlefish.release.model import Manifest
from candlefish.release.running import running_of
from candlefish.release.scale_slot import scale_slot
from candlefish.release.workload import objects_of
from candlefish.service.model import BadVersion, Version
from lab.memory.release import MemoryBundles
from tests.support.catalogs import catalog
from tests.support.manifests import environment, service, services
from tests.support.release_world import World
from tests.support.service import V1, V2, fresh, image, released, rollback, take

CATALOG = catalog()
SERVICE = "backend-api"


def with_service(known: Catalog, name: str = SERVICE, **changes: Any) -> Catalog:
    """A catalog in which somebody changed a service."""
    changed = msgspec.structs.replace(known.services[name], **changes)
    return msgspec.structs.replace(known, services={**known.services, name: changed})


def with_memory(limit: str) -> Catalog:
    """The catalog with another memory limit of backend-api, in every environment."""
    need = msgspec.structs.replace(CATALOG.services[SERVICE].resources, memory_limit=limit)
    production = CATALOG.environments["production"]
    bare = msgspec.structs.replace(production, overrides={})
    known = msgspec.structs.replace(CATALOG, environments={**CATALOG.environments, "production": bare})
    return with_service(known, resources=need)


OLD, NEW = with_memory("512Mi"), with_memory("768Mi")


def limit_of(deployment: Manifest) -> str:
    limit: str = deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
    return limit


def rendered(known: Catalog, version: Version = V1) -> list[Manifest]:
    """What a slot's objects are, by a catalog; without the configuration's own notes."""
    objects = objects_of(fresh(), "blue", version, release="r", catalog=known, bundles=MemoryBundles())
    plain = msgspec.json.decode(msgspec.json.encode(objects))
    for each in plain:
        for note in (CONFIGURATION_NOTE, CONFIGURATION_DIGEST_NOTE):
            each["metadata"].get("annotations", {}).pop(note, None)
    return plain


def deployment_of(objects: list[Manifest]) -> Manifest:
    return next(each for each in objects if each["kind"] == "Deployment")


# --- the text and its digest -----------------------------------------------------------------


def one(served: Any, env: Any) -> Catalog:
    """A catalog of one service."""
    named = msgspec.structs.replace(served, name=SERVICE)
    return msgspec.structs.replace(
        CATALOG,
        services={**CATALOG.services, SERVICE: named},
        environments={**CATALOG.environments, "production": env},
    )


@given(services(), services(), st.booleans())
def test_a_configuration_is_another_one_when_any_object_is(before: Any, after: Any, spot: bool) -> None:
    old = one(before, environment())
    new = one(after, environment(production=not spot))
    if rendered(old) != rendered(new):
        assert configuration_of(SERVICE, "production", old) != configuration_of(SERVICE, "production", new)


@given(services(), st.randoms())
def test_the_order_in_which_things_are_written_is_nothing(served: Any, random: Any) -> None:
    variables = list(served.env.items())
    random.shuffle(variables)
    shuffled = msgspec.structs.replace(served, env=dict(variables))
    known = one(served, environment())
    assert configuration_of(SERVICE, "production", known) == configuration_of(
        SERVICE, "production", one(shuffled, environment())
    )


@given(services())
def test_a_version_is_rendered_from_its_own_configuration_whatever_the_catalog_says(served: Any) -> None:
    known = one(served, environment())
    version = configured(V1, SERVICE, "production", known)
    assert rendered(one(service(), environment()), version) == rendered(known)


UNRENDERED: dict[str, dict[str, Any]] = {
    "service": {
        "depends_on": ("website",),
        "host": "else.example.org",
        "image": "ghcr.io/example-org/else",
        "judge": "else",
        "metrics": ("orders",),
        "owner": "others",
        "repository": "example-org/else",
        "runbook": "https://else.example",
        "sidecars": (),
        "smoke_paths": ("/else",),
        "websockets": True,
    },
    "environment": {
        "cost": Cost(low=5, high=6),
        "recovery_region": "us-east-2",
        "strategy": "rolling",
        "timezone": "UTC",
        "host_prefix": "else",
    },
}


@pytest.mark.parametrize(("field", "value"), sorted(UNRENDERED["service"].items()), ids=str)
def test_what_no_object_of_a_service_is_made_of_changes_no_configuration(field: str, value: Any) -> None:
    before, after = one(service(), environment()), one(service(**{field: value}), environment())
    if field == "depends_on":
        # Whom it calls is rendered; that one is in the list of the callees.
        assert configuration_of(SERVICE, "production", before) != configuration_of(
            SERVICE, "production", after
        )
        return
    assert rendered(before) == rendered(after)
    assert configuration_of(SERVICE, "production", before) == configuration_of(SERVICE, "production", after)


@pytest.mark.parametrize(("field", "value"), sorted(UNRENDERED["environment"].items()), ids=str)
def test_what_no_object_of_an_environment_is_made_of_changes_no_configuration(field: str, value: Any) -> None:
    before, after = one(service(), environment()), one(service(), environment(**{field: value}))
    if field == "strategy":
        alike = msgspec.structs.replace(
            after.strategies["rolling"], ready_within=after.strategies["canary"].ready_within
        )
        after = msgspec.structs.replace(after, strategies={**after.strategies, "rolling": alike})
    assert rendered(before) == rendered(after)
    assert configuration_of(SERVICE, "production", before) == configuration_of(SERVICE, "production", after)


def test_every_list_names_fields_that_there_are() -> None:
    assert set(type(service()).__struct_fields__) >= UNRENDERED_OF_SERVICE
    assert set(type(environment()).__struct_fields__) >= UNRENDERED_OF_ENVIRONMENT
    assert set(UNRENDERED["service"]) == UNRENDERED_OF_SERVICE - {"name"}


def test_a_service_that_left_the_catalog_is_still_rendered() -> None:
    version = configured(V1, SERVICE, "production", OLD)
    gone = msgspec.structs.replace(
        OLD, services={name: each for name, each in OLD.services.items() if name != SERVICE}
    )
    assert limit_of(deployment_of(rendered(gone, version))) == "512Mi"
    with pytest.raises(UnknownService):
        rendered(gone, V1)


def test_what_newer_code_wrote_is_not_rendered_without_it() -> None:
    text = json.loads(configuration_of(SERVICE, "production", OLD))
    text["service"]["sings"] = True
    newer = msgspec.structs.replace(V1, configuration=json.dumps(text))
    with pytest.raises(RecordTooNew, match="sings"):
        rendered(OLD, newer)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"service": 5}', "null"])
def test_what_is_no_configuration_is_said_so(text: str) -> None:
    with pytest.raises(Unreadable, match="cannot be read"):
        rendered(OLD, msgspec.structs.replace(V1, configuration=text))


def test_a_configuration_has_a_size() -> None:
    known = with_service(OLD, env={f"VARIABLE_{n}": "x" * 500 for n in range(60)})
    with pytest.raises(InvalidInput, match=f"room for {LARGEST_CONFIGURATION:,}"):
        configuration_of(SERVICE, "production", known)


def test_changes_are_said_by_path_and_values_of_variables_are_not() -> None:
    louder = with_service(NEW, env={"LOG_LEVEL": "hunter2"})
    before, after = (configuration_of(SERVICE, "production", each) for each in (OLD, louder))
    found = configuration_changes(before, after)
    assert 'service.resources.memory_limit: "512Mi" becomes "768Mi"' in found
    assert "service.env.LOG_LEVEL changed" in found
    assert not any("hunter2" in line for line in found)
    assert configuration_changes("", after) == ()


def test_values_of_a_jobs_variables_are_not_said_either() -> None:
    def with_job(**variables: str) -> str:
        job = Job(name="migrate", command=("migrate",), env=variables)
        return configuration_of(SERVICE, "production", with_service(OLD, jobs=(job,)))

    (added,) = configuration_changes(configuration_of(SERVICE, "production", OLD), with_job(KEY="hunter2"))
    assert added.startswith("service.jobs: the default becomes") and '"KEY"' in added
    (changed,) = configuration_changes(with_job(KEY="hunter2"), with_job(KEY="hunter3"))
    assert changed == "service.jobs changed"
    assert "hunter" not in added


# --- as a version ----------------------------------------------------------------------------

A, B = (configured(V1, SERVICE, "production", known) for known in (OLD, NEW))


def test_another_configuration_of_a_stable_image_is_another_version() -> None:
    record = released(fresh(), "r1", A)
    with pytest.raises(AlreadyStable):
        take(record, "r2", A)
    assert take(record, "r2", B).slots["green"].version != take(record, "r2", B).slots["blue"].version


def test_bad_is_an_image_with_its_configuration() -> None:
    record = released(released(fresh(), "r1", A), "r2", B)
    back = msgspec.structs.replace(rollback(record), rollback=None, holder=None)
    assert back.stable_version == A
    with pytest.raises(VersionKnownBad, match="another configuration"):
        take(back, "r3", B)
    third = configured(V1, SERVICE, "production", with_memory("1Gi"))
    assert take(back, "r3", third).holder


def test_what_older_code_called_bad_is_bad_with_any_configuration() -> None:
    record = msgspec.structs.replace(
        released(fresh(), "r1", V2), bad=(BadVersion(image(1), "", "errors", 1.0),)
    )
    with pytest.raises(VersionKnownBad):
        take(record, "r2", A)


def test_a_configuration_that_is_not_known_is_taken_for_the_same() -> None:
    with pytest.raises(AlreadyStable):
        take(released(fresh(), "r1", V1), "r2", B)


# --- released, scaled, put back --------------------------------------------------------------


@pytest.fixture
def serving(world: World) -> World:
    """V1 serves from green with the old limit, and the stack carries the new one."""
    world.catalog = OLD
    slots = dict(world.record.slots)
    slots["green"] = msgspec.structs.replace(slots["green"], version=A)
    world.records.stored[SERVICE] = msgspec.structs.replace(world.record, slots=slots)
    world.runs("green")
    world.catalog = NEW
    return world


def test_the_image_that_is_live_is_released_with_another_configuration(serving: World) -> None:
    begun = serving.begin("r2", image=image(1), replaces=image(1), configuration=B.configuration_digest)
    (started,) = serving.journal.timeline["r2"]
    assert f"gets another configuration ({B.configuration_digest[:12]})" in started.reason
    assert started.evidence["configuration_changes"] == [
        'service.resources.memory_limit: "512Mi" becomes "768Mi"'
    ]
    serving.deploy(begun)
    limits = {
        slot: limit_of(serving.cluster.objects["Deployment", f"{SERVICE}-{slot}"])
        for slot in ("blue", "green")
    }
    assert limits == {"blue": "768Mi", "green": "512Mi"}


def test_a_release_brings_what_was_looked_at_or_nothing(serving: World) -> None:
    before = serving.record
    with pytest.raises(InvalidInput, match="Deploy the stack with your catalog first"):
        serving.begin("r2", image=image(1), configuration=A.configuration_digest)
    with pytest.raises(InvalidInput, match=f"while {image(7)} was stable"):
        serving.begin("r3", image=image(1), replaces=image(7))
    assert serving.record == before
    assert serving.journal.kinds("r2") == serving.journal.kinds("r3") == ["refused"]


def test_asking_again_for_a_release_of_what_was_live_is_the_same_release(serving: World) -> None:
    asked = partial(serving.begin, "r2", image=image(1), replaces=image(1))
    assert asked() == asked()


def test_each_slot_stays_in_the_range_of_its_own_version(serving: World) -> None:
    wide = with_service(OLD, replicas=Replicas(min=3, max=9))
    narrow = with_service(OLD, replicas=Replicas(min=2, max=4))
    for known, slot in ((wide, "green"),):
        slots = dict(serving.record.slots)
        slots[slot] = msgspec.structs.replace(
            slots[slot], version=configured(V1, SERVICE, "production", known)
        )
        serving.records.stored[SERVICE] = msgspec.structs.replace(serving.record, slots=slots)
    serving.catalog = narrow
    begun = serving.begin("r2", image=image(1))
    serving.deploy(begun)
    serving.cluster.replicas[f"{SERVICE}-green"] = 7
    scale_slot(
        serving.step(begun, "scale", weight=100),
        catalog=serving.catalog,
        records=serving.records,
        cluster=serving.cluster,
        journal=serving.journal,
        now=serving.clock,
    )
    assert serving.cluster.bounds == {f"{SERVICE}-green": (7, 9), f"{SERVICE}-blue": (4, 4)}


def test_a_lost_record_finds_the_configuration_in_the_cluster(serving: World) -> None:
    found = serving.cluster.running("example-prod", f"{SERVICE}-green")
    assert found and found.configuration == A.configuration
    ours = serving.cluster.objects["Deployment", f"{SERVICE}-green"]
    forged = msgspec.json.decode(msgspec.json.encode(ours))
    forged["metadata"]["annotations"][CONFIGURATION_NOTE] = B.configuration
    forged["spec"]["replicas"] = 1
    assert running_of(forged, autoscaled=True).configuration == "", "a hand was at it"


class OlderVersion(msgspec.Struct, frozen=True):
    """A version as code of before configurations knew it."""

    image: str
    label: str = ""
    bundle: str = ""
    bundle_digest: str = ""


class OlderSlot(msgspec.Struct, frozen=True):
    version: OlderVersion
    running: bool = False


def test_older_code_keeps_a_configuration_where_the_version_stays_and_loses_it_where_it_does_not() -> None:
    stored = msgspec.json.encode({"version": A, "running": True})
    known = msgspec.json.decode(stored, type=OlderSlot)
    after = carried(msgspec.structs.replace(known, running=False), stored)
    assert msgspec.json.decode(after, type=dict[str, Any])["version"]["configuration"] == A.configuration
    moved = carried(msgspec.structs.replace(known, version=OlderVersion(image(9))), stored)
    version = msgspec.convert(msgspec.json.decode(moved, type=dict[str, Any])["version"], Version)
    assert (version.image, version.configuration) == (image(9), "")


def test_a_reader_works_out_the_catalogs_fields_once(monkeypatch: pytest.MonkeyPatch) -> None:
    version = msgspec.structs.replace(A, configuration="")
    before = read_configuration(version, SERVICE, "production", CATALOG)
    asked: list[object] = []
    monkeypatch.setattr("msgspec.structs.fields", lambda kind: asked.append(kind) or ())
    assert read_configuration(version, SERVICE, "production", CATALOG) == before
    assert asked == []
