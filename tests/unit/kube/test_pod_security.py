"""Pod Security in the lab's cluster: which Pods a namespace takes, by the standard that its label names."""

from __future__ import annotations

from typing import Any

import pytest

from lab.kube.cluster import apply_all, furnish
from lab.kube.kinds import NAMESPACE, POD
from lab.kube.pod_security import ENFORCE, guarded, violations
from lab.kube.problems import ApiError
from lab.kube.store import Store
from lab.kube.writes import Options, Writes

STRICT = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod(
    container: dict[str, Any] | None = None, context: dict[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    made = {"name": "c", "image": "i", **(container or {}), "securityContext": {**STRICT, **(context or {})}}
    return {"containers": [made], **spec}


LOOSE = {
    "hostNetwork": (pod(hostNetwork=True), "baseline"),
    "hostPath": (pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "baseline"),
    "hostPort": (pod({"ports": [{"containerPort": 1, "hostPort": 1}]}), "baseline"),
    "privileged": (pod(context={"privileged": True}), "baseline"),
    "procMount": (pod(context={"procMount": "Unmasked"}), "baseline"),
    "sysctls": (pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}), "baseline"),
    "Unconfined": (pod(securityContext={"seccompProfile": {"type": "Unconfined"}}), "baseline"),
    "seLinuxOptions": (pod(securityContext={"seLinuxOptions": {"type": "spc_t"}}), "baseline"),
    "hostProcess": (pod(securityContext={"windowsOptions": {"hostProcess": True}}), "baseline"),
    "SYS_ADMIN": (pod(context={"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}), "baseline"),
    "probe": (pod({"livenessProbe": {"httpGet": {"host": "x", "port": 1}}}), "baseline"),
    "lifecycle": (pod({"lifecycle": {"preStop": {"tcpSocket": {"host": "x"}}}}), "baseline"),
    "volume types": (pod(volumes=[{"name": "v", "nfs": {}}]), "restricted"),
    "allowPrivilegeEscalation": (pod(context={"allowPrivilegeEscalation": None}), "restricted"),
    "runAsNonRoot": (pod(context={"runAsNonRoot": None}), "restricted"),
    "runAsUser=0": (pod(context={"runAsUser": 0}), "restricted"),
    "seccompProfile": (pod(context={"seccompProfile": None}), "restricted"),
    "must drop": (pod(context={"capabilities": {}}), "restricted"),
    "must not add": (pod(context={"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}), "restricted"),
    "ephemeral": (pod(ephemeralContainers=[{"name": "ephemeral"}]), "restricted"),
}


@pytest.mark.parametrize("what", LOOSE)
def test_a_pod_is_refused_by_the_standard_that_forbids_it(what: str) -> None:
    spec, level = LOOSE[what]
    assert what in " ".join(violations("restricted", {}, spec))
    assert bool(violations("baseline", {}, spec)) == (level == "baseline")
    assert violations("privileged", {}, spec) == violations("", {}, spec) == []


def test_what_restricted_asks_for_may_stand_in_the_pod_or_in_its_containers() -> None:
    shared = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    bare = {
        "name": "c",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    assert violations("restricted", {}, {"securityContext": shared, "containers": [bare]}) == []
    assert violations("restricted", {}, pod({"ports": [{"containerPort": 1}]}, {"runAsUser": 7})) == []
    low = {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]}
    assert violations("restricted", {}, pod(securityContext=low)) == []


def test_a_namespace_takes_the_pods_of_its_standard() -> None:
    writes = Writes(Store())
    furnish(writes, ["a", "b"])
    apply_all(writes, [guarded("a")])
    assert writes.existing(NAMESPACE, "", "a")["metadata"]["labels"] == {ENFORCE: "restricted"}
    loose = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    with pytest.raises(ApiError, match='violates PodSecurity "restricted:latest"') as refused:
        writes.create(POD, "a", loose, Options())
    assert refused.value.code == 403
    assert writes.create(POD, "b", loose, Options())["metadata"]["name"] == "p"
    assert writes.create(POD, "a", {"metadata": {"name": "p"}, "spec": pod()}, Options())
