"""The callers of a Service go back to the Pods that it selected before, and only where those are ready."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.errors import Misconfigured, Unavailable
from cli.adopt.callers import lead_back, led_back, require_pods, selected_before, service_of

LED = {
    "metadata": {
        "name": "catalog",
        "resourceVersion": "7",
        "labels": {"candlefish.ai/share": "cluster", "team": "shop"},
        "annotations": {
            "candlefish.ai/selector-before": '{"app": "catalog"}',
            "candlefish.ai/weights": "100 0",
            "theirs": "stays",
        },
    },
    "spec": {"selector": {"candlefish.ai/service": "catalog", "candlefish.ai/slot": "blue"}},
}


class Cluster:
    """Answers for one path, and keeps what it was sent."""

    def __init__(self, status: int = 200, body: Any = None) -> None:
        self.status, self.body, self.sent = status, body or {}, []  # type: ignore[var-annotated]

    def __call__(self, path: str, method: str = "GET", patch: Any = None) -> tuple[int, bytes]:
        self.sent.append((method, path, patch))
        return self.status, msgspec.json.encode(self.body)


def pod(ready: str, **metadata: Any) -> Any:
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


def test_a_service_selects_again_what_it_selected_and_is_nobodys() -> None:
    patch = led_back(LED)
    assert patch["spec"]["selector"] == {
        "app": "catalog",
        "candlefish.ai/service": None,
        "candlefish.ai/slot": None,
    }
    assert patch["metadata"]["labels"] == {"candlefish.ai/share": None}
    assert set(patch["metadata"]["annotations"].values()) == {None}
    assert "theirs" not in patch["metadata"]["annotations"]
    # Whoever changed it meanwhile makes the cluster refuse.
    assert patch["metadata"]["resourceVersion"] == "7"


@pytest.mark.parametrize("said", ["", "no JSON", "[]"])
def test_what_is_not_known_leads_nowhere(said: str) -> None:
    live = {"metadata": {"annotations": {"candlefish.ai/selector-before": said}}}
    assert selected_before(live) == {} == selected_before({})


@pytest.mark.parametrize(
    "found", [[], [pod("False")], [pod("True", deletionTimestamp="2026-11-30T00:00:00Z")]]
)
def test_callers_are_not_led_to_pods_that_are_not_ready(found: list[Any]) -> None:
    with pytest.raises(Misconfigured, match="nothing was changed"):
        require_pods(Cluster(body={"items": found}), "shop", "catalog", {"app": "catalog"})


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_a_cluster_that_does_not_say_is_not_one_without_pods(status: int) -> None:
    with pytest.raises(Unavailable, match=f"answered {status} .* not known .*nothing was changed") as told:
        require_pods(Cluster(status, {"message": "no"}), "shop", "catalog", {"app": "catalog"})
    assert "no Pod" not in str(told.value)


def test_one_ready_pod_of_before_is_enough() -> None:
    cluster = Cluster(body={"items": [pod("False"), pod("True")]})
    require_pods(cluster, "shop", "catalog", {"app": "catalog", "tier": "a"})
    (sent,) = cluster.sent
    assert sent[1] == "/api/v1/namespaces/shop/pods?labelSelector=app%3Dcatalog%2Ctier%3Da"


def test_what_the_cluster_refuses_is_told() -> None:
    with pytest.raises(Unavailable, match="run give-back again"):
        lead_back(Cluster(409), "shop", LED)
    with pytest.raises(Unavailable, match="nothing was changed"):
        service_of(Cluster(503), "shop", "catalog")
    assert service_of(Cluster(404), "shop", "catalog") == {}
