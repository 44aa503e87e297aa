"""What a stateful service is rendered as, and what the catalog says of it that cannot be."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.catalog.checks.kinds import kinds
from candlefish.catalog.model import Autoscale, Job, Replicas, Service, ServiceOverride, Stateful, Volume
from candlefish.errors import InvalidInput
from candlefish.release.configuration import configuration_changes, configured, read_configuration
from candlefish.release.manifests import Workload, from_bundle, job_objects, render
from candlefish.release.model import Manifest
from candlefish.service.model import Version
from tests.support.catalogs import catalog as fixture_catalog
from tests.support.kubernetes.samples import service, workload

DATA = Volume(name="data", path="/data", size="20Gi", storage_class="gp3")


def ledger(**changes: Any) -> Service:
    fields: dict[str, Any] = {
        "kind": "stateful",
        "host": "",
        "replicas": Replicas(min=3, max=3),
        "stateful": Stateful(volumes=(DATA,)),
    }
    return service(**{**fields, **changes})


def made(**changes: Any) -> Workload:
    return workload("shop", service=ledger(**changes), slot="green", target_group="")


def by_kind(objects: tuple[Manifest, ...]) -> dict[str, Manifest]:
    return {each["kind"]: each for each in objects}


def test_it_has_one_object_of_each_kind_whose_name_stays_in_either_slot() -> None:
    names = []
    for slot in ("blue", "green"):
        objects = render(msgspec.structs.replace(made(), slot=slot))
        names.append([(each["kind"], each["metadata"]["name"]) for each in objects])
    assert names[0] == names[1]
    assert dict(names[0]) == {
        "ServiceAccount": "api",
        "NetworkPolicy": "api",
        "Service": "api-headless",
        "PodDisruptionBudget": "api",
        "StatefulSet": "api",
    }, "no autoscaler, no target group"


def test_its_pods_keep_their_volumes_and_find_each_other_before_they_are_ready() -> None:
    found = by_kind(render(made()))
    spec = found["StatefulSet"]["spec"]
    assert "replicas" not in spec
    assert spec["selector"] == {"matchLabels": {"candlefish.ai/service": "api"}}, (
        "nothing that a release changes"
    )
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "data"
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "20Gi"}},
        "storageClassName": "gp3",
    }
    (container,) = spec["template"]["spec"]["containers"]
    assert {"name": "data", "mountPath": "/data"} in container["volumeMounts"]
    headless = found["Service"]["spec"]
    assert (headless["clusterIP"], headless["publishNotReadyAddresses"]) == ("None", True)
    assert headless["selector"].items() <= spec["template"]["metadata"]["labels"].items()
    assert found["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    own = [{"podSelector": {"matchLabels": {"candlefish.ai/service": "api"}}}]
    policy = found["NetworkPolicy"]["spec"]
    assert {"from": own} in policy["ingress"]
    assert {"to": own} in policy["egress"]


def test_its_pods_have_time_to_read_their_log_again_and_to_write_what_they_have() -> None:
    spec = by_kind(render(made()))["StatefulSet"]["spec"]["template"]["spec"]
    start = spec["containers"][0]["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= 3600
    assert spec["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    assert spec["terminationGracePeriodSeconds"] == made().drain + made().finish + 120


def test_a_service_of_its_names_that_is_there_is_used_and_not_written() -> None:
    objects = render(made(stateful=Stateful(headless_service="db-hl", start="together")))
    spec = by_kind(objects)["StatefulSet"]["spec"]
    assert (spec["serviceName"], spec["podManagementPolicy"]) == ("db-hl", "Parallel")
    assert "Service" not in by_kind(objects)
    assert "volumeClaimTemplates" not in spec


def test_its_jobs_mount_no_volume_of_one_of_its_pods() -> None:
    about = made()
    _, job = job_objects(render(about), about, Job(name="migrate", when="before"), name="api-migrate")
    pod = job["spec"]["template"]["spec"]
    mounted = {mount["name"] for each in pod["containers"] for mount in each["volumeMounts"]}
    assert mounted <= {each["name"] for each in pod["volumes"]}


def test_a_bundle_of_it_is_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidInput, match=r"stateful.*catalog"):
        from_bundle([], made())


def test_its_volumes_are_part_of_its_configuration() -> None:
    catalog = fixture_catalog()
    name = next(iter(catalog.services))
    like = catalog.services[name]
    changed = []
    for size in ("20Gi", "40Gi"):
        volume = msgspec.structs.replace(DATA, size=size)
        one = msgspec.structs.replace(
            like, kind="stateful", host="", stateful=Stateful(volumes=(volume,)), smoke_paths=()
        )
        with_it = msgspec.structs.replace(catalog, services={**catalog.services, name: one})
        version = configured(
            Version(f"{like.image}@sha256:{'a' * 64}"), name, next(iter(catalog.environments)), with_it
        )
        known = read_configuration(version, name, next(iter(catalog.environments)), with_it)
        assert known.service.stateful.volumes[0].size == size
        changed.append(version.configuration)
    (line,) = configuration_changes(*changed)
    assert "20Gi" in line
    assert "40Gi" in line


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"host": "db.example.org"}, "host", "no load balancer"),
        ({"port": 0}, "port", "missing"),
        ({"health_path": ""}, "health_path", "missing"),
        ({"smoke_paths": ("/",)}, "smoke_paths", "in place"),
        ({"autoscale": Autoscale(memory=80)}, "autoscale", "not made and taken by load"),
        ({"replicas": Replicas(min=2, max=5)}, "max", "no range"),
        ({"stateful": Stateful(volumes=(DATA, DATA))}, "name", "another volume has data"),
        (
            {"stateful": Stateful(volumes=(msgspec.structs.replace(DATA, path="/tmp"),))},
            "path",
            "writable_paths",
        ),
        ({"stateful": Stateful(volumes=(msgspec.structs.replace(DATA, name="writable-0"),))}, "name", "ours"),
        ({"kind": "cluster"}, "stateful", "in two slots"),
        ({"kind": "worker"}, "stateful", "in two slots"),
    ],
)
def test_what_cannot_be_is_said(changes: dict[str, Any], field: str, words: str) -> None:
    catalog = fixture_catalog()
    one = ledger(name="ledger", **changes)
    with_it = msgspec.structs.replace(catalog, services={**catalog.services, "ledger": one})
    found = [each for each in kinds(with_it) if "ledger" in each.path]
    assert any(each.path[-1] == field and words in each.what for each in found), found


def test_an_environment_gives_it_no_range_either() -> None:
    catalog = fixture_catalog()
    name, environment = next(iter(catalog.environments.items()))
    override = ServiceOverride(replicas=Replicas(min=1, max=3))
    here = msgspec.structs.replace(environment, overrides={**environment.overrides, "ledger": override})
    with_it = msgspec.structs.replace(
        catalog,
        services={**catalog.services, "ledger": ledger(name="ledger")},
        environments={**catalog.environments, name: here},
    )
    (found,) = [each for each in kinds(with_it) if "ledger" in each.path]
    assert "no range" in found.what


def test_one_that_is_as_it_should_be_has_nothing_to_say() -> None:
    catalog = fixture_catalog()
    with_it = msgspec.structs.replace(catalog, services={**catalog.services, "ledger": ledger(name="ledger")})
    assert not [each for each in kinds(with_it) if "ledger" in each.path]
