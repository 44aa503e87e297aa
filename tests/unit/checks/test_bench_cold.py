"""The budgets of cold starts: modules, sizes and what must not be imported are judged, times are not."""

from __future__ import annotations

import msgspec
import pytest

from tools.bench_cold import CARRIED, LEAN, PLAIN, WITH_KUBERNETES, Row, budget, exceeded


def row(logical: str = "RunAnalysisFunction", **changes: object) -> Row:
    plain = Row(logical, kubernetes=False, modules=frozenset({"json", "botocore"}), size=14.0, ratio=1.2)
    return msgspec.structs.replace(plain, **changes)


def many(number: int) -> frozenset[str]:
    return frozenset(f"module{n}" for n in range(number))


def test_a_slow_machine_is_no_reason() -> None:
    assert list(exceeded(row(ratio=100.0))) == []


def test_what_stands_before_the_traffic_gets_less_and_kubernetes_more() -> None:
    assert budget(row("RestoreTrafficFunction")) == budget(row("ReceiveAlertsFunction")) == LEAN
    assert budget(row(kubernetes=True)) == WITH_KUBERNETES
    assert LEAN.modules < budget(row()).modules < WITH_KUBERNETES.modules


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"modules": many(PLAIN.modules + 1)}, f"loads {PLAIN.modules + 1} modules"),
        ({"size": PLAIN.size + 1}, "MB of code and layers"),
        ({"modules": frozenset({"asyncio", "boto3"})}, "loads asyncio, boto3"),
        ({"modules": frozenset({"kubernetes"})}, "loads kubernetes"),
        ({"modules": frozenset({"boto3"}), "kubernetes": True}, "loads boto3"),
        ({"modules": frozenset({"sigstore"}), "logical": "CheckImageFunction"}, "loads sigstore"),
        (
            {"size": CARRIED["CheckImageFunction"] + 1, "logical": "CheckImageFunction"},
            "MB of code and layers",
        ),
        ({"modules": frozenset({"zoneinfo"}), "logical": "RestoreTrafficFunction"}, "loads zoneinfo"),
    ],
)
def test_what_is_over_budget_is_said(changes: dict[str, object], words: str) -> None:
    (problem,) = exceeded(row(**changes))
    assert words in problem


def test_what_is_at_its_budget_passes() -> None:
    assert list(exceeded(row(modules=many(PLAIN.modules), size=PLAIN.size))) == []
    client = {"kubernetes", "pydantic", "multiprocessing"}
    assert list(exceeded(row(kubernetes=True, modules=frozenset(client)))) == []
    assert list(exceeded(row(modules=frozenset({"zoneinfo"})))) == []
