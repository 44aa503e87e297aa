"""A slot's objects as the catalog makes them."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.catalog.model import Secret
from candlefish.catalog.read import effective
from candlefish.errors import InvalidInput, StaleGeneration
from candlefish.release.manifests import Workload, render
from candlefish.release.manifests.model import GENERATION_NOTE, label_value, refuse_newer
from candlefish.release.model import Manifest, Running
from candlefish.release.running import running_of
from lab.kube.defaults import with_defaults
from lab.kube.kinds import KINDS
from lab.kube.pod_security import violations
from lab.kube.schema import check
from lab.kube.validation import validate
from tests.support.manifests import environment, service, workload, workloads

LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")


def by_kind(made: Workload) -> dict[str, Manifest]:
    return {manifest["kind"]: manifest for manifest in render(made)}


def pod_of(made: Workload) -> dict[str, Any]:
    spec: dict[str, Any] = by_kind(made)["Deployment"]["spec"]["template"]["spec"]
    return spec


@given(workloads())
def test_every_object_is_one_that_kubernetes_takes(made: Workload) -> None:
    kinds = {(kind.api_version, kind.kind): kind for kind in KINDS}
    for manifest in render(made):
        kind = kinds[manifest["apiVersion"], manifest["kind"]]
        assert check(manifest, kind.model) == ([], [])
        validate(kind, with_defaults(manifest), None)


@given(workloads())
def test_every_pod_passes_pod_security_restricted(made: Workload) -> None:
    template = by_kind(made)["Deployment"]["spec"]["template"]
    assert violations("restricted", template["metadata"], template["spec"]) == []


@given(workloads())
def test_a_deployment_never_says_how_many_pods(made: Workload) -> None:
    assert "replicas" not in by_kind(made)["Deployment"]["spec"]


def without_generation(manifest: Manifest) -> Manifest:
    notes = {k: v for k, v in manifest["metadata"]["annotations"].items() if k != GENERATION_NOTE}
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": notes}}


@given(workloads())
def test_every_object_says_which_generation_writes_it_and_no_pod_does(made: Workload) -> None:
    """In the Pod template it would replace Pods whenever somebody takes the service over."""
    later = msgspec.structs.replace(made, generation=made.generation + 1)
    before, after = by_kind(made), by_kind(later)
    written_by = {each["metadata"]["annotations"][GENERATION_NOTE] for each in after.values()}
    assert written_by == {str(made.generation + 1)}
    assert {k: without_generation(v) for k, v in before.items()} == {
        k: without_generation(v) for k, v in after.items()
    }


def test_a_deployment_says_all_that_a_lost_record_would() -> None:
    bundle = {"bundle": "s3://bundles/api.json", "bundle_digest": "sha256:1"}
    made = workload(version="2.4 (rc)", release="r1/x", generation=7, **bundle)
    asked = by_kind(made)["Deployment"]
    asked["spec"]["replicas"] = 3
    said = running_of(asked, autoscaled=False)
    assert said == Running(made.image, "2.4 (rc)", "r1/x", 7, 3, *bundle.values(), autoscaled=False)
    assert running_of(by_kind(workload())["Deployment"], autoscaled=True).bundle == ""


def test_what_runs_is_what_somebody_set_by_hand() -> None:
    asked = by_kind(workload())["Deployment"]
    asked["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/api:hotfix"
    assert running_of(asked, autoscaled=True).image == "registry.example/api:hotfix"


def test_a_deployment_of_nobody_we_know_says_nothing() -> None:
    pod = {"containers": [{"name": "web", "image": "nginx"}]}
    found = {"metadata": {}, "spec": {"template": {"spec": pod}}}
    assert running_of(found, autoscaled=True) == Running("nginx", "", "", 0, 1)


@pytest.mark.parametrize(
    "written_by",
    [
        {},
        {GENERATION_NOTE: "4"},
        {GENERATION_NOTE: "5"},
        {GENERATION_NOTE: "x"},
        {GENERATION_NOTE: "9" * 5000},
    ],
)
def test_who_holds_the_newest_generation_or_finds_none_has_the_slot(written_by: dict[str, str]) -> None:
    refuse_newer("Deployment api-blue", written_by, 5)


def test_a_slot_that_a_newer_generation_deployed_is_somebody_elses() -> None:
    # Compared as numbers: as text, 10 would come before 9.
    with pytest.raises(StaleGeneration, match="api-blue: generation 10 wrote it, the caller holds 9"):
        refuse_newer("Deployment api-blue", {GENERATION_NOTE: "10"}, 9)


@given(workloads())
def test_selectors_hold_nothing_of_a_version(made: Workload) -> None:
    later = msgspec.structs.replace(made, version="other", release="other", image=made.image[:-1] + "0")
    for kind, path in {
        "Deployment": "selector",
        "PodDisruptionBudget": "selector",
        "Service": "selector",
    }.items():
        if kind == "Service" and made.service.kind == "worker":
            continue
        assert by_kind(made)[kind]["spec"][path] == by_kind(later)[kind]["spec"][path]


@given(workloads())
def test_a_slot_selects_its_own_pods_and_never_the_other_slots(made: Workload) -> None:
    other = msgspec.structs.replace(made, slot="green" if made.slot == "blue" else "blue")
    labels = by_kind(made)["Deployment"]["spec"]["template"]["metadata"]["labels"]
    foreign = by_kind(other)["Deployment"]["spec"]["template"]["metadata"]["labels"]
    objects = by_kind(made)
    for selector in (
        *(each["spec"]["selector"] for kind, each in objects.items() if kind == "Service"),
        objects["Deployment"]["spec"]["selector"]["matchLabels"],
        objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
        assert not selector.items() <= foreign.items()


@given(workloads())
def test_a_candidate_changes_nothing_that_the_stable_slot_uses(made: Workload) -> None:
    stable = msgspec.structs.replace(
        made, slot="green" if made.slot == "blue" else "blue", version="old", release="old"
    )
    mine = {(each["kind"], each["metadata"]["name"]): each for each in render(made)}
    theirs = {(each["kind"], each["metadata"]["name"]): each for each in render(stable)}
    both = mine.keys() & theirs.keys()
    assert {kind for kind, _ in both} == {"ServiceAccount"}
    assert all(mine[key] == theirs[key] for key in both)


@given(workloads())
def test_a_pod_has_nothing_to_escalate_with(made: Workload) -> None:
    pod = pod_of(made)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]["limits"]) == {"cpu", "memory"}


@given(workloads())
def test_only_the_writable_paths_can_be_written(made: Workload) -> None:
    pod = pod_of(made)
    assert [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]] == list(
        made.service.writable_paths
    )
    assert all("emptyDir" in volume for volume in pod["volumes"])


@given(workloads())
def test_a_pod_has_time_to_drain_and_then_to_finish(made: Workload) -> None:
    pod = pod_of(made)
    hooks = pod["containers"][0].get("lifecycle")
    asked = made.service.kind != "worker"
    assert hooks == ({"preStop": {"sleep": {"seconds": made.drain}}} if asked else None)
    assert pod["terminationGracePeriodSeconds"] == made.drain + made.finish


@given(workloads())
def test_a_hanging_start_gets_a_second_try_within_the_deadline(made: Workload) -> None:
    spec = by_kind(made)["Deployment"]["spec"]
    probe = pod_of(made)["containers"][0].get("startupProbe")
    if probe is None:
        assert (made.service.kind, made.service.health_command) == ("worker", ())
        return
    start = probe["periodSeconds"] * probe["failureThreshold"]
    assert start <= max(10, spec["progressDeadlineSeconds"] / 2 + probe["periodSeconds"])


@given(workloads())
def test_the_target_group_gets_the_pods_of_its_slot_on_the_services_port(made: Workload) -> None:
    objects = by_kind(made)
    if not made.service.balanced:
        assert "TargetGroupBinding" not in objects
        return
    binding, service_ = objects["TargetGroupBinding"]["spec"], objects["Service"]
    assert binding["serviceRef"]["name"] == service_["metadata"]["name"]
    (port,) = service_["spec"]["ports"]
    assert (binding["serviceRef"]["port"], port["targetPort"]) == (port["port"], made.service.port)
    assert binding["targetGroupARN"] == made.target_group


def test_a_low_port_needs_no_capability() -> None:
    low = pod_of(workload(service=service(port=80)))["securityContext"]["sysctls"]
    assert low == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]
    assert "sysctls" not in pod_of(workload())["securityContext"]


def test_production_keeps_off_spot_nodes_and_others_prefer_them() -> None:
    production = pod_of(workload())
    (term,) = production["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term["matchExpressions"][0]["operator"] == "NotIn"
    assert "tolerations" not in production
    staging = pod_of(workload(environment=environment(name="staging", production=False)))
    assert staging["tolerations"][0]["value"] == "SPOT"
    assert "preferredDuringSchedulingIgnoredDuringExecution" in staging["affinity"]["nodeAffinity"]


def test_a_secret_is_passed_by_name_and_never_by_value() -> None:
    secret = Secret(name="example/production/db", env="DATABASE_SECRET")
    env = {
        each["name"]: each["value"]
        for each in pod_of(workload(service=service(secrets=(secret,))))["containers"][0]["env"]
    }
    assert env["DATABASE_SECRET"] == "example/production/db"
    assert env["CANDLEFISH_SLOT"] == "blue"


def test_the_role_is_on_the_account_only_when_there_is_one() -> None:
    with_role = by_kind(workload(role="arn:aws:iam::1:role/x"))["ServiceAccount"]["metadata"]
    assert with_role["annotations"]["eks.amazonaws.com/role-arn"] == "arn:aws:iam::1:role/x"
    assert "eks" not in str(by_kind(workload())["ServiceAccount"]["metadata"]["annotations"])


def test_egress_is_opened_to_dependencies_and_stores_that_exist() -> None:
    gateway = service(name="api-gateway", port=8080)

    def ports(made: Workload) -> list[int]:
        rules = by_kind(made)["NetworkPolicy"]["spec"]["egress"]
        return [port["port"] for rule in rules for port in rule["ports"]]

    assert ports(workload()) == [53, 53, 443]
    stores = workload(dependencies=(gateway,), stores=("postgres", "redis"))
    assert ports(stores) == [53, 53, 443, 8080, 5432, 6379]


@pytest.mark.parametrize(
    "image", ["ghcr.io/example-org/api:1.2", "ghcr.io/example-org/api", "ghcr.io/x@sha256:abc", ""]
)
def test_an_image_without_a_digest_is_refused(image: str) -> None:
    with pytest.raises(InvalidInput, match="by digest"):
        workload(image=image)


@given(st.text(max_size=200))
def test_any_text_becomes_a_valid_label(text: str) -> None:
    value = label_value(text)
    assert len(value) <= 63
    assert LABEL.fullmatch(value)


def test_images_are_pulled_with_the_secrets_of_environment_and_service_and_with_none_where_nodes_may() -> (
    None
):
    assert "imagePullSecrets" not in pod_of(workload())
    here = environment(image_pull_secrets=("registry", "hub"))
    both = effective(service(image_pull_secrets=("own", "registry")), here)
    assert pod_of(workload(service=both, environment=here))["imagePullSecrets"] == [
        {"name": "registry"},
        {"name": "hub"},
        {"name": "own"},
    ]


def expanded(sent: list[Manifest]) -> dict[str, str]:
    """The environment as kubelet makes it: `$$` is a `$`, `$(NAME)` a variable that stands before it."""
    known: dict[str, str] = {}
    for variable in sent:
        known[variable["name"]] = re.sub(
            r"\$\$|\$\(([^)]*)\)",
            lambda m: "$" if m[0] == "$$" else known.get(m[1], m[0]),
            variable["value"],
        )
    return known


@given(st.dictionaries(st.sampled_from("ABCD"), st.text(st.sampled_from("$()ABC{}x"), max_size=12)))
def test_a_variable_arrives_letter_for_letter(env: dict[str, str]) -> None:
    (container,) = pod_of(workload(service=service(env=env)))["containers"]
    assert {n: v for n, v in expanded(container["env"]).items() if n in env} == env
