"""Retries, refusals and answers that are none, with a scripted API."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import urllib3

from candlefish.adapters.kubernetes.api import ATTEMPTS, LONGEST_PAUSE, TIMEOUT, Api
from candlefish.adapters.kubernetes.cluster import KubernetesCluster
from candlefish.adapters.kubernetes.kinds import in_apply_order
from candlefish.adapters.kubernetes.refusal import read_status, refusal
from candlefish.errors import ClusterRefused, InvalidInput, Throttled, Unavailable
from candlefish.release.manifests import render
from tests.support.manifests import workload

Scripted = tuple[int, Any] | tuple[int, Any, dict[str, str]] | Exception


class Response:
    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.status, self._headers = status, headers or {}
        self._data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def read(self) -> bytes:
        return self._data

    def getheader(self, name: str) -> str | None:
        return self._headers.get(name)


class Script:
    """Answers in order, the last one for ever; keeps what was sent and how long was slept."""

    def __init__(self, *answers: Scripted, left: list[float] | None = None) -> None:
        self._answers = list(answers)
        # What the function has left at each look, in seconds; the last one for ever.
        self._left = left or [math.inf]
        self.timeouts: list[tuple[float, float]] = []
        self.sent: list[tuple[str, str]] = []
        self.slept: list[float] = []
        self.tokens: list[str] = []

    def call_api(self, method: str, url: str, headers: dict[str, str], *args: Any, **kwargs: Any) -> Response:
        self.sent.append((method, url))
        self.tokens.append(headers["Authorization"])
        self.timeouts.append(kwargs["_request_timeout"])
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return Response(*answer)

    def _next(self) -> float:
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]

    def cluster(self) -> KubernetesCluster:
        made = [0]

        def tokens(*, fresh: bool = False) -> str:
            made[0] += fresh
            return f"token-{made[0]}"

        api = Api("https://cluster.example", "", tokens, sleep=self.slept.append, left=self._next)
        api._client = self  # type: ignore[assignment]
        return KubernetesCluster(api)


def scale(replicas: int) -> dict[str, Any]:
    return {"spec": {"replicas": replicas}}


RESET = urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "reset"))
SLOW = urllib3.exceptions.ReadTimeoutError(None, "/", "Read timed out.")  # type: ignore[arg-type]
DOWN = urllib3.exceptions.NewConnectionError(None, "refused")  # type: ignore[arg-type]


@pytest.mark.parametrize("trouble", [(503, {}), (500, {}), (429, {}), RESET, SLOW, DOWN])
def test_trouble_that_passes_is_not_noticed(trouble: Scripted) -> None:
    script = Script(trouble, trouble, (200, scale(3)))
    assert script.cluster().current_replicas("ns", "api-blue") == 3
    assert len(script.slept) == 2


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        ((429, {}), Throttled),
        ((503, {}), Unavailable),
        (RESET, Unavailable),
        (SLOW, Unavailable),
        (DOWN, Unavailable),
    ],
)
def test_trouble_that_stays_is_an_error_to_retry_later(trouble: Scripted, error: type[Exception]) -> None:
    script = Script(trouble)
    with pytest.raises(error, match="Deployment api-blue in ns"):
        script.cluster().current_replicas("ns", "api-blue")
    assert len(script.sent) == ATTEMPTS
    assert len(script.slept) == ATTEMPTS - 1


def test_pauses_grow_and_follow_what_the_api_asks_for() -> None:
    script = Script(
        (429, {}, {"Retry-After": "2"}), (429, {}, {"Retry-After": "90"}), (503, {}), (200, scale(1))
    )
    script.cluster().current_replicas("ns", "api-blue")
    assert script.slept[0] == 2.0
    assert script.slept[1] == LONGEST_PAUSE
    assert 0.4 <= script.slept[2] <= 0.8


def test_no_request_outlives_the_function_that_sends_it() -> None:
    """What is still on its way when a function is stopped would arrive after the wait for it."""
    script = Script((200, scale(3)), left=[100.0, 6.0, 1.4])
    cluster = script.cluster()
    cluster.current_replicas("ns", "api-blue")
    cluster.current_replicas("ns", "api-blue")
    assert script.timeouts == [TIMEOUT, (2.5, 2.5)]
    with pytest.raises(Unavailable, match="Deployment api-blue in ns: the function has no time left"):
        cluster.current_replicas("ns", "api-blue")
    assert len(script.sent) == 2


def test_what_fails_is_tried_again_only_while_there_is_time() -> None:
    # Before the request, and before the pause after it.
    script = Script((503, {"message": "etcd is away"}), left=[20.0, 9.0, 8.0, 1.6])
    with pytest.raises(Unavailable, match="etcd is away"):
        script.cluster().current_replicas("ns", "api-blue")
    assert (len(script.sent), len(script.slept)) == (2, 1)


def test_an_unknown_token_is_replaced_once() -> None:
    script = Script((401, {}), (200, scale(1)))
    assert script.cluster().current_replicas("ns", "api-blue") == 1
    assert script.tokens == ["Bearer token-0", "Bearer token-1"]
    refused = Script((401, {"message": "Unauthorized"}))
    with pytest.raises(ClusterRefused, match="access entry"):
        refused.cluster().current_replicas("ns", "api-blue")
    assert len(refused.sent) == 2
    assert refused.slept == []


@pytest.mark.parametrize("body", [b"<html>captive portal</html>", b"", {"spec": {"replicas": "three"}}])
def test_an_answer_that_is_not_kubernetes_is_no_answer(body: Any) -> None:
    with pytest.raises(Unavailable, match="not the Kubernetes API"):
        Script((200, body)).cluster().current_replicas("ns", "api-blue")


LIVE = (200, {"metadata": {"resourceVersion": "7"}})


def test_everything_is_looked_at_and_rehearsed_before_anything_is_changed() -> None:
    script = Script(LIVE)
    objects = render(workload())
    script.cluster().apply(objects, generation=1)
    sent = [(method, "dryRun=All" in url) for method, url in script.sent]
    assert sent == [("GET", False), ("PATCH", True)] * len(objects) + [("PATCH", False)] * len(objects)
    patched = [url for method, url in script.sent if method == "PATCH"]
    assert all("force=false" in url and "fieldManager=candlefish-control-plane" in url for url in patched)


def conflict(*managers: str) -> tuple[int, Any]:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "{name}" using autoscaling/v2',
            "field": ".spec.x",
        }
        for name in managers
    ]
    return 409, {"reason": "Conflict", "details": {"causes": causes}}


def test_only_a_conflict_with_ourselves_alone_is_forced() -> None:
    (autoscaler,) = [each for each in render(workload()) if each["kind"] == "HorizontalPodAutoscaler"]
    own = Script(LIVE, conflict("candlefish-control-plane"), LIVE)
    own.cluster().apply([autoscaler], generation=1)
    forced = ["force=true" in url for method, url in own.sent if method == "PATCH"]
    assert forced == [False, True, True]
    foreign = Script(LIVE, conflict("candlefish-control-plane", "kubectl-edit"))
    with pytest.raises(ClusterRefused, match="kubectl-edit"):
        foreign.cluster().apply([autoscaler], generation=1)
    assert len(foreign.sent) == 2


def test_objects_are_applied_in_the_order_in_which_they_depend_on_each_other() -> None:
    shuffled = list(reversed(render(workload())))
    kinds = [each["kind"] for each in in_apply_order(shuffled)]
    assert kinds[0] == "ServiceAccount"
    assert kinds[-2:] == ["Deployment", "HorizontalPodAutoscaler"]


def test_a_kind_that_a_release_does_not_apply_is_refused_before_anything_is_sent() -> None:
    script = Script((200, {}))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "ns"}}
    with pytest.raises(InvalidInput, match="Secret x in ns"):
        script.cluster().apply([*render(workload()), secret], generation=1)
    assert script.sent == []


@pytest.mark.parametrize(
    ("code", "message", "next_step"),
    [
        (403, 'deployments.apps is forbidden: User "x" cannot patch', r"deploy/rbac\.yaml"),
        (403, 'pods "a" is forbidden: exceeded quota: small', "ResourceQuota"),
        (403, 'admission webhook "policy.example" denied the request', "admission webhook"),
        (404, 'namespaces "x" not found', "docs/kubernetes.md"),
        (422, "is invalid: spec.maxReplicas", "correct the object"),
        (418, "teapot", "API server's log"),
    ],
)
def test_every_refusal_names_object_words_and_next_step(code: int, message: str, next_step: str) -> None:
    error = refusal("Deployment api-blue in ns", code, read_status(json.dumps({"message": message}).encode()))
    assert str(error).startswith("Deployment api-blue in ns: the cluster answered")
    assert message in str(error)
    with pytest.raises(ClusterRefused, match=next_step):
        raise error


def test_an_answer_without_a_status_is_quoted() -> None:
    assert read_status(b"<html>\xff").message.startswith("<html>")
