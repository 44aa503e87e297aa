"""What an alert is about, and the clue that is missing."""

from __future__ import annotations

import re

import msgspec
import pytest

from candlefish.catalog.checks.patterns import why_slow
from candlefish.signals.clues import clue_yaml, missing_clue
from candlefish.signals.pieces import MOST_LABELS, TELLING, kept_labels
from candlefish.signals.record import Mute, mute_of
from candlefish.signals.things import LONGEST, thing_of
from tests.support.catalogs import catalog

SERVICES = ("api", "backend-api", "website")


@pytest.mark.parametrize(
    ("labels", "thing"),
    [
        ({}, ""),
        (
            {"namespace": "shop", "pod": "checkout-7d4b9c8f6d-x2x4k", "instance": "10.0.0.9:8080"},
            "shop/checkout",
        ),
        ({"namespace": "shop", "pod": "cart-0", "job": "kube-state-metrics"}, "shop/cart"),
        ({"namespace": "shop", "deployment": "checkout", "pod": "ksm-1"}, "shop/checkout"),
        ({"namespace": "shop", "job_name": "report-29384756"}, "shop/report"),
        ({"namespace": "data", "persistentvolumeclaim": "pgdata-0"}, "data/pgdata-0"),
        (
            {"node": "ip-10-0-0-1", "device": "nvme1n1", "instance": "10.0.0.1:9100"},
            "ip-10-0-0-1 device=nvme1n1",
        ),
        ({"job": "shop-cart", "instance": "10.0.0.1:80"}, "job=shop-cart instance=10.0.0.1:80"),
        (
            {
                "namespace": "ingress",
                "pod": "nginx-7d4b9c8f6d-x2x4k",
                "ingress": "shop",
                "exported_namespace": "web",
            },
            "web/shop",
        ),
        (
            {"namespace": "argocd", "pod": "argocd-controller-0", "project": "shop", "name": "checkout"},
            "shop/checkout",
        ),
        ({"resource": "i-1", "account": "123456789012", "region": "us-west-2"}, "resource=i-1"),
    ],
)
def test_a_thing_is_known_by_the_labels_that_identify_it(labels: dict[str, str], thing: str) -> None:
    assert thing_of({"alertname": "X", "severity": "warning", **labels}) == f"X {thing}".strip()


class Asked(dict[str, str]):
    """Labels that remember what was asked of them."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        self.names.add(name)
        return default


def test_labels_that_lead_somewhere_are_kept_and_told_first() -> None:
    """Of an alert with more labels than are kept: whatever a clue, a rule or a thing reads."""
    responses = catalog().responses
    asked = Asked()
    thing_of(asked)
    missing_clue(asked, SERVICES)
    clues = msgspec.structs.asdict(responses.clues).values()
    read = {clue.label for kind in clues for clue in kind}
    read |= {label for rule in responses.rules.values() for label in rule.match}
    # These two are the signal's own, beside its labels.
    assert (asked.names | read) - {"source", "subject"} <= TELLING
    many = {f"a{n:03}": "x" for n in range(2 * MOST_LABELS)}
    assert set(kept_labels({**many, **dict.fromkeys(TELLING, "x")})) >= TELLING


def test_a_restarted_pod_or_exporter_is_the_same_thing() -> None:
    pods = ("checkout-7d4b9c8f6d-x2x4k", "checkout-5f6d7c8b9-q8w7e")
    things = {
        thing_of({"alertname": "X", "namespace": "shop", "pod": pod, "instance": f"10.0.0.{n}:8080"})
        for n, pod in enumerate(pods)
    }
    assert things == {"X shop/checkout"}


def test_an_exporter_of_each_node_tells_of_as_many_things() -> None:
    """As kube-prometheus-stack labels what it scrapes: the Pod is node-exporter's own."""
    things = [
        thing_of(
            {
                "alertname": "NodeRAIDDegraded",
                "job": "node-exporter",
                "namespace": "monitoring",
                "pod": f"kps-prometheus-node-exporter-{pod}",
                "instance": f"10.0.1.{n}:9100",
                "device": "md0",
            }
        )
        for n, pod in enumerate(("4x7kq", "x9w2z"))
    ]
    assert things == [
        f"NodeRAIDDegraded namespace=monitoring job=node-exporter instance=10.0.1.{n}:9100 device=md0"
        for n in range(2)
    ]


def test_the_name_of_a_thing_is_bounded_and_on_one_line() -> None:
    found = thing_of({"alertname": "X", "job": "a\nb" * 400})
    assert len(found) <= LONGEST and "\n" not in found


@pytest.mark.parametrize(
    ("labels", "label", "pattern", "service"),
    [
        ({"job": "candlefish-backend-api"}, "job", "candlefish\\-(.+)", "backend-api"),
        ({"job": "shop/website-metrics"}, "job", "shop/(.+?)\\-metrics", "website"),
        ({"name": "k8s_website-blue"}, "name", None, "website"),
        ({"pod": "prod-website-7d4b9c8f6d-x2x4k"}, "pod", None, "website"),
        ({"name": "website-green.shop"}, "name", None, "website"),
    ],
)
def test_the_missing_clue_leads_to_the_service(
    labels: dict[str, str], label: str, pattern: str | None, service: str
) -> None:
    found = missing_clue(labels, SERVICES)
    assert found is not None and found[0] == label
    if pattern is not None:
        assert found[1] == pattern
    match = re.fullmatch(found[1], labels[label])
    assert match is not None and match[1] == service
    assert not why_slow(found[1])


@pytest.mark.parametrize("labels", [{}, {"job": "node-exporter"}, {"job": "mywebsites"}, {"note": "website"}])
def test_no_clue_is_missing_where_no_label_speaks_of_a_service(labels: dict[str, str]) -> None:
    assert missing_clue(labels, SERVICES) is None


def test_a_clue_is_yaml_that_says_the_same() -> None:
    import yaml

    pattern = 'a\\.b"(.+)'
    assert yaml.safe_load(clue_yaml("job", pattern)) == {"label": "job", "pattern": pattern}


def test_an_alert_that_is_muted_by_its_name_is_so_for_all_that_it_is_about() -> None:
    mutes = [Mute("other/X", "noise", "me", 100.0)]
    assert mute_of(mutes, "other/X shop/checkout", 0.0)
    assert mute_of(mutes, "other/X", 0.0)
    assert not mute_of(mutes, "other/Xy shop/checkout", 0.0)
    assert not mute_of(mutes, "service/X", 0.0)
