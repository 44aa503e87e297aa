"""Which StatefulSets `candlefish init` proposes, and what it says of the others."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cli.adopt.facts import Facts
from cli.adopt.propose import propose
from cli.adopt.stateful import why_not
from cli.adopt.write import files
from tests.support.adopted import deployment, labels, service

CLAIM = {
    "metadata": {"name": "data"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "gp3",
        "resources": {"requests": {"storage": "20Gi"}},
    },
}
MOUNTED = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}


def stateful(container: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    made = deployment("ledger", {**MOUNTED, **(container or {})})
    spec = {
        **made["spec"],
        "replicas": 3,
        "serviceName": "ledger",
        "volumeClaimTemplates": [CLAIM],
        **changes,
    }
    return {**made, "kind": "StatefulSet", "spec": spec}


def with_it(facts: Facts, *objects: dict[str, Any]) -> Facts:
    return msgspec.structs.replace(facts, objects=(*facts.objects, *objects))


def test_one_that_the_catalog_can_say_is_proposed_with_its_volumes(facts: Facts) -> None:
    budget = {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "ledger-pdb", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": labels("ledger")}},
    }
    found = propose("prod", with_it(facts, stateful(), service("ledger"), budget))
    ledger = next(each for each in found.services if each.name == "ledger")
    said = {name: guess.value for name, guess in ledger.fields.items()}
    assert (said["kind"], said["port"], said["replicas"]) == ("stateful", 8080, {"min": 3, "max": 3})
    assert said["stateful"] == {
        "volumes": [{"name": "data", "path": "/data", "size": "20Gi", "storage_class": "gp3"}],
        "headless_service": "ledger",
    }
    assert not ledger.fields["run_as"].sure, "whose the files are is not guessed silently"
    owned = stateful({"securityContext": {"runAsUser": 999}})
    again = propose("prod", with_it(facts, owned, service("ledger")))
    fields = next(each for each in again.services if each.name == "ledger").fields
    assert fields["run_as"].value == {"user": 999, "group": 999, "fs_group": 999}
    steps = "\n".join(each.commands for each in found.steps if each.title.startswith("ledger"))
    assert "label statefulset ledger candlefish.ai/service=ledger" in steps
    assert "label --overwrite service ledger candlefish.ai/share=stateful" in steps
    told = [each.what for each in found.obstacles if each.about == "ledger"]
    assert any("PodDisruptionBudget shop/ledger-pdb" in each for each in told), told
    assert any("where they stand" in each for each in told)
    assert "headless_service: ledger" in "\n".join(files(found, {}).values())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (stateful({"args": ["--port=1"]}), "args"),
        (stateful({"lifecycle": {"preStop": {"exec": {"command": ["nodetool", "drain"]}}}}), "lifecycle"),
        (
            stateful({"env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "s", "key": "p"}}}]}),
            "Secrets",
        ),
        (
            stateful(volumeClaimTemplates=[{**CLAIM, "spec": {**CLAIM["spec"], "accessModes": []}}]),
            "volume data",
        ),
        (stateful({"volumeMounts": []}), "volume data"),
        (
            {**stateful(), "metadata": {**stateful()["metadata"], "ownerReferences": [{"kind": "Postgres"}]}},
            "an operator",
        ),
    ],
)
def test_what_the_catalog_cannot_say_is_left_out_and_said(
    facts: Facts, changed: dict[str, Any], words: str
) -> None:
    here = with_it(facts, changed, service("ledger"))
    assert words in why_not(changed, here)
    found = propose("prod", here)
    assert "ledger" not in [each.name for each in found.services]
    assert any(words in each.what and "left out" in each.what for each in found.obstacles)


def test_the_service_of_its_names_is_theirs_whatever_it_is_called(facts: Facts) -> None:
    found = propose("prod", with_it(facts, stateful(serviceName="ledger-headless"), service("ledger")))
    ledger = next(each for each in found.services if each.name == "ledger")
    assert ledger.fields["stateful"].value["headless_service"] == "ledger-headless"


def test_one_that_nobody_finds_by_a_service_is_left_out(facts: Facts) -> None:
    assert why_not(stateful(), facts) == "no Service selects its Pods"
