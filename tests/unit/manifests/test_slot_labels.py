"""A slot's Pods are nobody else's: what a chart's live objects select by does not find them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.label_selectors import selects
from candlefish.release.manifests import Workload, from_bundle, render
from candlefish.release.manifests.labels import pod_labels
from candlefish.release.model import Manifest, Selecting
from candlefish.release.strangers import cannot_share, captured, pods_labels
from tests.support.manifests import REPOSITORY, workload

HELM = {"app.kubernetes.io/name": "backend-api", "app.kubernetes.io/instance": "backend-api"}
LIMITS = {"limits": {"cpu": "1", "memory": "64Mi"}}


def chart(selector: dict[str, str], **more: str) -> list[Manifest]:
    container = {"name": "web", "image": f"{REPOSITORY}:1", "ports": [{"containerPort": 8000}]}
    labels = {**selector, **more}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "backend-api"},
            "spec": {"selector": selector, "ports": [{"port": 80, "targetPort": 8000}]},
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "backend-api"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": selector}},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "backend-api", "labels": labels},
            "spec": {
                "selector": {"matchLabels": selector},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        },
    ]


def labels_of(bundle: list[Manifest], made: Workload) -> Any:
    return pods_labels(from_bundle(bundle, made))


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ({"app": "website"}, {"app": "website-blue"}),
        ({"app.kubernetes.io/name": "backend-api"}, {"app.kubernetes.io/name": "backend-api-blue"}),
        # What helm create selects by is not the slot's already: the instance is another one.
        (HELM, {"app.kubernetes.io/name": "backend-api", "app.kubernetes.io/instance": "backend-api-blue"}),
    ],
)
def test_a_live_service_of_the_same_chart_does_not_find_the_candidate(
    selector: dict[str, str], found: dict[str, str]
) -> None:
    made = labels_of(chart(selector, tier="web"), workload())
    assert not selects({"matchLabels": selector}, made)
    assert found.items() <= made.items()
    assert made["tier"] == "web"
    assert (made["candlefish.ai/service"], made["candlefish.ai/slot"]) == ("backend-api", "blue")


def test_a_value_that_would_be_another_services_name_is_left_out() -> None:
    made = pod_labels({"app": "web"}, [{"matchLabels": {"app": "web"}}], workload(services=("web-blue",)))
    assert "app" not in made


keys = st.sampled_from(["app", "tier", "app.kubernetes.io/name", "app.kubernetes.io/part-of", "release"])
values = st.sampled_from(["backend-api", "website", "candlefish", "a" * 63, ""])
expressions = st.builds(
    lambda key, operator, some: {"key": key, "operator": operator, "values": some},
    keys,
    st.sampled_from(["In", "Exists"]),
    st.lists(values, min_size=1, max_size=2),
)


@given(st.dictionaries(keys, values), st.lists(expressions, max_size=2), st.dictionaries(keys, values))
def test_no_selector_that_says_what_must_be_there_finds_them(
    exact: dict[str, str], more: list[dict[str, Any]], given_labels: dict[str, str]
) -> None:
    selector = {"matchLabels": exact, "matchExpressions": more}
    made = pod_labels({**given_labels, **exact}, [selector], workload())
    assert not (exact or more) or not selects(selector, made)
    assert workload().selector.items() <= made.items()


def test_what_the_scrape_job_reads_is_there_whatever_a_chart_says() -> None:
    bundle = chart({"app.kubernetes.io/name": "rtpm"})
    made = labels_of(bundle, workload())
    assert (made["candlefish.ai/service"], made["candlefish.ai/slot"]) == ("backend-api", "blue")


def test_an_object_that_is_not_ours_and_takes_the_pods_is_named() -> None:
    labels = pods_labels(render(workload()))
    theirs = Selecting(
        "Service", "live", {"matchLabels": {"app.kubernetes.io/name": "backend-api"}}, {"a": "b"}
    )
    why = captured(labels, "backend-api", [theirs])
    assert "Service live selects the slot's Pods by app.kubernetes.io/name=backend-api" in why
    assert "candlefish bundle" in why


def test_our_own_objects_and_those_of_others_pods_take_nothing() -> None:
    objects = render(workload())
    labels = pods_labels(objects)
    own = Selecting(
        "Service", "backend-api-blue", {"matchLabels": workload().selector}, workload().shared_labels
    )
    others = Selecting("Deployment", "web", {"matchLabels": {"app": "web"}})
    assert captured(labels, "backend-api", [own, others, Selecting("Service", "external", None)]) == ""
    assert "web" in captured({**labels, "app": "web"}, "backend-api", [others])


@pytest.mark.parametrize(
    ("modes", "refused"),
    [(("ReadWriteOnce",), True), (("ReadWriteOncePod",), True), (("ReadWriteMany",), False), (None, False)],
)
def test_a_volume_that_one_node_mounts_is_not_for_two_slots(
    modes: tuple[str, ...] | None, refused: bool
) -> None:
    assert bool(cannot_share("data", modes)) is refused
