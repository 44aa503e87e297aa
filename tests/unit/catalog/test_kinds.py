"""Kinds and protocols of services: what each needs, what each cannot have, and what judges it."""

from __future__ import annotations

from pathlib import Path

import pytest

from candlefish.catalog.load import examine
from candlefish.catalog.problems import LocatedProblem

from .conftest import TODAY

SIZE = """
  image: ghcr.io/example-org/thing
  replicas: {min: 2, max: 10}
  resources: {cpu: 100m, memory: 128Mi, cpu_limit: 200m, memory_limit: 256Mi}
  owner: platform
"""
POLICY = """
counted:
  sources:
    prometheus: {preset: worker}
"""


def found(folder: Path, said: str, policy: str = "") -> list[tuple[str, str, str]]:
    """Path, mistake and fix of what is wrong with a catalog that has one service more."""
    for file, text in (("services.yaml", f"\nthing:{SIZE}  {said}\n"), ("policies.yaml", policy)):
        with (folder / file).open("a", encoding="utf-8") as out:
            out.write(text)
    return [(each.path, each.what, each.fix) for each in examine(folder, TODAY)[1]]


@pytest.mark.parametrize(
    "said",
    [
        "port: 80\n  health_path: /health\n  host: thing.example.org",
        "port: 80\n  health_path: /health\n  host: thing.example.org\n  protocol: http2",
        "port: 80\n  host: thing.example.org\n  protocol: grpc\n  judge: counted",
        "kind: cluster\n  port: 80\n  health_path: /health\n  judge: counted",
        "kind: cluster\n  port: 80\n  health_command: [/bin/well]\n  judge: counted",
        "kind: cluster\n  port: 80\n  protocol: grpc\n  judge: counted",
        "kind: worker\n  judge: counted",
        "kind: worker\n  health_command: [/bin/well, --now]\n  judge: counted",
        "kind: worker\n  port: 80\n  health_path: /health\n  judge: counted",
    ],
)
def test_each_kind_says_only_what_it_needs(folder: Path, said: str) -> None:
    assert found(folder, said, POLICY) == []


@pytest.mark.parametrize(
    ("said", "path", "what", "fix"),
    [
        ("port: 80\n  host: t.example.org", "health_path", "missing", "/health"),
        ("port: 80\n  health_path: /health", "host", "missing: a service behind a load balancer", "kind: cluster"),
        ("health_path: /health\n  host: t.example.org", "port", "missing", "kind: worker"),
        ("port: 80\n  health_command: [/bin/well]\n  host: t.example.org", "health_path", "missing", "/health"),
        ("kind: cluster\n  port: 80\n  judge: counted", "health_path", "only inside the cluster", "/health"),
        ("kind: cluster\n  health_path: /h\n  judge: counted", "port", "missing", "8080"),
        ("kind: cluster\n  port: 80\n  health_path: /h\n  host: t.example.org\n  judge: counted",
         "host", "no load balancer", "take it out"),
        ("kind: worker\n  host: t.example.org\n  judge: counted", "host", "no load balancer", "take it out"),
        ("kind: worker\n  websockets: true\n  judge: counted", "websockets", "no load balancer", "take it out"),
        ("kind: worker\n  smoke_paths: [/h]\n  judge: counted", "smoke_paths", "nobody can ask it", "take it out"),
        ("kind: worker\n  protocol: grpc\n  judge: counted", "protocol", "nobody speaks", "take it out"),
        ("kind: worker\n  health_path: /h\n  judge: counted", "health_path", "no port", "health_command"),
        ("port: 80\n  host: t.example.org\n  protocol: grpc\n  health_path: /h\n  judge: counted",
         "health_path", "no method of gRPC", "/package.Service/Method"),
        ("port: 80\n  host: t.example.org\n  protocol: grpc\n  smoke_paths: [/h]\n  judge: counted",
         "smoke_paths[0]", "methods", "health is asked"),
        ("port: 80\n  host: t.example.org\n  protocol: grpc\n  websockets: true\n  judge: counted",
         "websockets", "gRPC", "http1"),
        ("kind: walker\n  judge: counted", "kind", "walker", "worker"),
    ],
)  # fmt: skip
def test_what_a_kind_lacks_or_cannot_have_is_said(
    folder: Path, said: str, path: str, what: str, fix: str
) -> None:
    (only,) = found(folder, said, POLICY)
    assert only[0] == f"services.thing.{path}"
    assert what in only[1]
    assert fix in only[2]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("kind: worker", "what counts its jobs: there is no load balancer"),
        (
            "kind: cluster\n  port: 80\n  health_path: /h",
            "what counts its requests: there is no load balancer",
        ),
        ("port: 80\n  host: t.example.org\n  protocol: grpc", "grpc-status comes after the body"),
    ],
)
def test_what_no_load_balancer_counts_needs_counters_of_its_own(folder: Path, said: str, why: str) -> None:
    (only,) = found(folder, said)
    assert only[0] == "services.thing.judge"
    assert why in only[1]
    assert "sources.prometheus" in only[2]


def test_counters_of_its_own_may_be_named_one_by_one(folder: Path) -> None:
    policy = (
        "\ncounted:\n  sources:\n    prometheus: {requests: mails_sent_total, errors: mails_failed_total}\n"
    )
    assert found(folder, "kind: worker\n  judge: counted", policy) == []


def test_or_metrics_in_cloudwatch(folder: Path) -> None:
    policy = (
        "\ncounted:\n  sources:\n    custom_metrics: {namespace: Mails, requests: Taken, errors: Failed, "
        "dimensions: {Slot: '{slot}'}}\n"
    )
    assert found(folder, "kind: worker\n  judge: counted", policy) == []


def override(folder: Path, said: str) -> list[LocatedProblem]:
    """What is wrong once staging changes something about the service."""
    path = folder / "environments/staging.yaml"
    text = path.read_text(encoding="utf-8")
    if "overrides:\n" in text:
        text = text.replace("overrides:\n", f"overrides:\n  thing: {said}\n", 1)
    else:
        text += f"\noverrides:\n  thing: {said}\n"
    path.write_text(text, encoding="utf-8")
    return examine(folder, TODAY)[1]


def test_an_environment_may_not_choose_a_policy_that_counts_nothing(folder: Path) -> None:
    assert found(folder, "kind: worker\n  judge: counted", POLICY) == []
    (only,) = override(folder, "{judge: default}")
    assert only.path == "environments.staging.overrides.thing.judge"


def test_a_service_without_load_balancer_is_given_none_by_an_environment(folder: Path) -> None:
    assert found(folder, "kind: worker\n  judge: counted", POLICY) == []
    wrong = override(folder, "{load_balancer: internal, host: t.example.com}")
    assert sorted(each.path for each in wrong) == [
        "environments.staging.overrides.thing.host",
        "environments.staging.overrides.thing.load_balancer",
    ]


def test_rules_of_a_load_balancer_are_counted_for_those_behind_one(folder: Path) -> None:
    more = "".join(f"\nworker-{n}:{SIZE}  kind: worker\n  judge: counted\n" for n in range(60))
    with (folder / "services.yaml").open("a", encoding="utf-8") as out:
        out.write(more)
    with (folder / "policies.yaml").open("a", encoding="utf-8") as out:
        out.write(POLICY)
    assert examine(folder, TODAY)[1] == []
