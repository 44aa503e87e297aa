"""The template publishes what it deploys: a running execution keeps the code that it began with."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.translated import Resources, deployed
from tools.layers import ROOT
from tools.lint_template import published as rule
from tools.lint_template import read


@pytest.fixture(scope="module")
def stack() -> Resources:
    return deployed()


def of(resources: Resources, kind: str) -> dict[str, Any]:
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == kind}


def kinds(resources: Resources, references: list[Any]) -> set[str]:
    """The types of what is referred to."""
    named = [each.get("Ref") or each["Fn::GetAtt"][0] for each in references]
    return {resources[name]["Type"] for name in named if name in resources}


def test_machines_call_published_versions(stack: Resources) -> None:
    for properties in of(stack, "AWS::StepFunctions::StateMachine").values():
        called = kinds(stack, list(properties["DefinitionSubstitutions"].values()))
        assert called <= {"AWS::Lambda::Version", "AWS::StepFunctions::StateMachineVersion"}
        assert "AWS::Lambda::Version" in called


def test_events_queues_and_urls_call_the_alias(stack: Resources) -> None:
    targets = [
        each["Arn"]
        for properties in of(stack, "AWS::Events::Rule").values()
        for each in properties["Targets"]
    ]
    targets += [each["FunctionName"] for each in of(stack, "AWS::Lambda::EventSourceMapping").values()]
    targets += [each["TargetFunctionArn"] for each in of(stack, "AWS::Lambda::Url").values()]
    assert kinds(stack, targets) == {
        "AWS::Lambda::Alias",
        "AWS::StepFunctions::StateMachine",
        "AWS::SQS::Queue",
    }
    assert all(each["Qualifier"] == "live" for each in of(stack, "AWS::Lambda::EventInvokeConfig").values())


def test_versions_stay_when_a_newer_one_comes(stack: Resources) -> None:
    for kind in ("AWS::Lambda::Version", "AWS::StepFunctions::StateMachineVersion"):
        assert {each.get("DeletionPolicy") for each in stack.values() if each["Type"] == kind} == {"Retain"}


def test_another_layer_publishes_every_function_anew(stack: Resources) -> None:
    def another(resources: Resources) -> None:
        resources["ControlPlaneLayer"]["Properties"]["ContentUri"] = "s3://code/another"

    before, after = of(stack, "AWS::Lambda::Version"), of(deployed(another), "AWS::Lambda::Version")
    assert len(before) == len(of(stack, "AWS::Lambda::Function"))
    assert len(after) == len(before)
    assert not before.keys() & after.keys()


def test_nothing_is_published_anew_that_did_not_change(stack: Resources) -> None:
    def another(resources: Resources) -> None:
        resources["NotifyFunction"]["Properties"]["CodeUri"] = "s3://code/another"

    changed = of(deployed(another), "AWS::Lambda::Version").keys() - of(stack, "AWS::Lambda::Version").keys()
    assert len(changed) == 1
    assert changed.pop().startswith("NotifyFunctionVersion")


def test_the_rule_finds_what_was_not_published() -> None:
    template = read(ROOT / "template.yaml")
    assert list(rule(template)) == []
    machine = template.resources["WatchMachine"]["Properties"]["DefinitionSubstitutions"]
    machine |= {
        "RetireSlot": {"Fn::GetAtt": ["RetireSlotFunction", "Arn"]},
        "RollbackMachine": {"Ref": "RollbackMachine"},
    }
    template.resources["SignalsToHandler"]["Properties"]["FunctionName"] = {"Ref": "HandleSignalFunction"}
    assert [found.rpartition(": ")[2] for found in rule(template)] == [
        "!Ref RetireSlotFunction.Version",
        "!Ref RollbackMachineVersion",
        "!Ref HandleSignalFunction.Alias",
    ]
