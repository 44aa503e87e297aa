"""Whether a rollout is up, coming, or hopeless."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.release.model import Culprit, Rollout
from candlefish.release.pods import Pod, log_tail
from candlefish.release.rollout import Deployment, judge_rollout

NEWEST = {"app": "api", "candlefish.ai/release": "new"}
OLD = {"app": "api", "candlefish.ai/release": "old"}


def deployment(desired: int = 2, *, generation: int = 3, **status: Any) -> Deployment:
    value = {
        "metadata": {"name": "api-blue", "generation": generation},
        "spec": {"replicas": desired, "template": {"metadata": {"labels": NEWEST}}},
        "status": {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, **status},
    }
    return msgspec.json.decode(json.dumps(value), type=Deployment)


def pod(labels: dict[str, str] = NEWEST, *, going: bool = False, **status: Any) -> Pod:
    metadata: dict[str, Any] = {"name": "api-blue-1", "labels": labels}
    if going:
        metadata["deletionTimestamp"] = "2026-11-24T10:00:00Z"
    return msgspec.json.decode(json.dumps({"metadata": metadata, "status": status}), type=Pod)


def container(
    state: dict[str, Any], *, restarts: int = 0, last: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "containerStatuses": [
            {"name": "web", "ready": False, "restartCount": restarts, "state": state, "lastState": last or {}}
        ]
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


CRASHED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}


def ended(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


PULL = "Back-off pulling image r/x@sha256:0: ErrImagePull: "


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            container(waiting("ImagePullBackOff", "manifest unknown")),
            ["ImagePullBackOff", "manifest unknown"],
        ),
        (container(waiting("ErrImagePull", "r/x@sha256:0: not found")), ["check that the digest exists"]),
        (container(waiting("ImagePullBackOff", PULL + "no match for platform in manifest")), ["platform"]),
        (container(waiting("InvalidImageName")), ["InvalidImageName"]),
        (
            container(
                waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root")
            ),
            ["numeric user that is not root"],
        ),
        (
            container(
                waiting("RunContainerError", 'exec: "/srv": stat /srv: no such file or directory: unknown')
            ),
            ["check the container's command"],
        ),
        (
            container(waiting("CrashLoopBackOff"), restarts=2, last=CRASHED),
            ["exit code 137", "OOMKilled", "more memory", "2 restarts"],
        ),
        (container(CRASHED, restarts=2), ["exit code 137", "2 restarts"]),
        (container(ended(0, "Completed"), restarts=2), ["exit code 0", "has to go on running"]),
        (container(ended(127), restarts=2), ["command was not found"]),
        (container(ended(1, message="a\nb\nno DATABASE_URL\n"), restarts=2), ["a | b | no DATABASE_URL"]),
        (container(waiting("CrashLoopBackOff"), restarts=4), ["exit code not reported", "4 restarts"]),
    ],
)
def test_what_waiting_cannot_mend_fails_at_once_with_what_the_pod_says(
    state: dict[str, Any], words: list[str]
) -> None:
    seen = judge_rollout(deployment(), [pod(**state)])
    assert seen.status == "failed"
    for word in [*words, "container web of Pod api-blue-1", "api-blue: "]:
        assert word in seen.reason


@pytest.mark.parametrize(
    "state",
    [
        container(waiting("ContainerCreating")),
        container(waiting("ErrImagePull")),
        container(waiting("ImagePullBackOff", PULL + "unexpected status code 503 Service Unavailable")),
        container(waiting("ImagePullBackOff", PULL + "toomanyrequests: Rate exceeded")),
        container(waiting("ImagePullBackOff", PULL + "dial tcp: lookup r: no such host")),
        container(waiting("CreateContainerConfigError", 'secret "db" not found')),
        container(waiting("CreateContainerConfigError", "couldn't find key url in Secret shop/db")),
        container(waiting("CreateContainerError", "context deadline exceeded")),
        container(waiting("CrashLoopBackOff"), restarts=1, last=CRASHED),
        container(CRASHED, restarts=0),
        container({"running": {}}, restarts=5),
    ],
)
def test_what_may_still_come_right_is_waited_for_and_named(state: dict[str, Any]) -> None:
    seen = judge_rollout(deployment(), [pod(**state)])
    assert seen.status == "progressing"
    assert "container web of Pod api-blue-1" in seen.reason


def init(state: dict[str, Any], restarts: int, **more: Any) -> Pod:
    """A Pod whose init container is in a state."""
    found = container(state, restarts=restarts, last=CRASHED)["containerStatuses"]
    spec = {"initContainers": [{"name": "web", **more}]}
    value = {
        "metadata": {"name": "api-blue-1", "labels": NEWEST},
        "spec": spec,
        "status": {"initContainerStatuses": found},
    }
    return msgspec.json.decode(json.dumps(value), type=Pod)


def test_an_init_container_may_try_for_longer_than_a_container() -> None:
    """It waits for something; a sidecar is an init container that has to run like any other."""
    loops = waiting("CrashLoopBackOff")
    assert judge_rollout(deployment(), [init(loops, 3)]).status == "progressing"
    failed = judge_rollout(deployment(), [init(loops, 5)])
    assert failed.status == "failed"
    assert "init container web of Pod api-blue-1 crashes: exit code 137" in failed.reason
    assert judge_rollout(deployment(), [init(loops, 3, restartPolicy="Always")]).status == "failed"


def test_an_init_container_that_came_through_is_no_trouble() -> None:
    seen = judge_rollout(deployment(availableReplicas=2), [init(ended(0, "Completed"), 9)])
    assert seen.status == "ready"


def test_dead_pods_beside_enough_ready_ones_are_no_trouble_and_named_where_pods_are_missing() -> None:
    evicted = pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
    assert judge_rollout(deployment(availableReplicas=2), [evicted]).status == "ready"
    seen = judge_rollout(deployment(availableReplicas=1), [evicted])
    assert seen.status == "progressing"
    assert "Pod api-blue-1 was ended (Evicted): The node was low on resource: memory." in seen.reason
    coming = pod(**container(waiting("ContainerCreating")))
    assert "ContainerCreating" in judge_rollout(deployment(availableReplicas=1), [evicted, coming]).reason


def test_whose_log_says_more_is_named_where_the_pod_does_not_say_it() -> None:
    seen = judge_rollout(
        deployment(), [pod(**container(waiting("CrashLoopBackOff"), restarts=3, last=CRASHED))]
    )
    assert seen.culprit == Culprit("api-blue-1", "web", previous=True)
    overdue = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    seen = judge_rollout(deployment(conditions=[overdue]), [pod(**container({"running": {}}))])
    assert seen.culprit == Culprit("api-blue-1", "web")


@given(st.text())
def test_a_log_is_text_in_one_line(text: str) -> None:
    tail = log_tail(text)
    assert len(tail) <= 400
    assert not set("\x1b\x00\n\r\u202e") & set(tail)


@pytest.mark.parametrize(
    "old",
    [pod(OLD, **container(waiting("ImagePullBackOff"))), pod(going=True, **container(CRASHED, restarts=9))],
)
def test_pods_of_an_older_template_and_leaving_ones_do_not_count(old: Pod) -> None:
    assert judge_rollout(deployment(availableReplicas=2), [old]).status == "ready"


def test_a_quota_stands_in_the_reason() -> None:
    failure = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": "exceeded quota: q",
    }
    seen = judge_rollout(deployment(updatedReplicas=1, conditions=[failure]), [])
    assert (seen.status, "exceeded quota: q" in seen.reason) == ("progressing", True)


def test_a_pod_without_a_node_is_named() -> None:
    unscheduled = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    seen = judge_rollout(deployment(), [pod(phase="Pending", conditions=[unscheduled])])
    assert (seen.status, "0/3 nodes are available" in seen.reason) == ("progressing", True)


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        (
            [pod(**container({"running": {}}))],
            "container web of Pod api-blue-1 is not ready; check its health path and its log",
        ),
        ([pod(phase="Pending")], "Pod api-blue-1 is still pending"),
        ([], "no Pod says why"),
    ],
)
def test_a_missed_deadline_fails_with_what_was_waited_for(pods: list[Pod], words: str) -> None:
    overdue = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    seen = judge_rollout(deployment(conditions=[overdue]), pods)
    assert seen.status == "failed"
    assert words in seen.reason


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (deployment(generation=4, availableReplicas=2), "has not seen"),
        (deployment(0, replicas=0, updatedReplicas=0), "scaled to 0"),
        (deployment(updatedReplicas=1, availableReplicas=2), "1 of 2 Pods run the newest template"),
        (deployment(replicas=3, availableReplicas=3), "1 old Pods are still stopping"),
        (deployment(availableReplicas=1), "1 of 2 Pods are ready"),
    ],
)
def test_every_stage_on_the_way_is_named(value: Deployment, words: str) -> None:
    seen = judge_rollout(value, [])
    assert seen.status == "progressing"
    assert words in seen.reason


counts = st.integers(0, 4)


@given(
    st.builds(
        dict,
        desired=counts,
        generation=st.integers(2, 4),
        replicas=counts,
        updatedReplicas=counts,
        availableReplicas=counts,
    )
)
def test_ready_means_that_every_pod_asked_for_serves_and_no_other_does(values: dict[str, int]) -> None:
    seen: Rollout = judge_rollout(deployment(**values), [])
    if seen.status == "ready":
        assert values["desired"] > 0
        assert values["generation"] <= 3
        assert (
            values["replicas"] == values["updatedReplicas"] or values["replicas"] < values["updatedReplicas"]
        )
        assert min(values["updatedReplicas"], values["availableReplicas"]) >= values["desired"]
    assert seen.reason
