"""The simulator's stack is what template.yaml says, worked out; what it does not know it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from candlefish.handler import KEEP_WARM
from lab.simulator.template import Stack, Unknown, read

ROOT = Path(__file__).parents[3]
PARAMETERS = {
    "Production": "no",
    "ClusterName": "candlefish",
    "ListenerArns": "arn:aws:elasticloadbalancing:us-west-2:333333333333:listener/app/candlefish/50dc/0467",
    "VpcId": "vpc-1",
}


@pytest.fixture(scope="module")
def production() -> Stack:
    return read(ROOT, "production", "us-west-2", {**PARAMETERS, "Production": "yes"})


@pytest.fixture(scope="module")
def staging() -> Stack:
    return read(ROOT, "staging", "us-west-2", PARAMETERS)


def test_functions_are_named_like_their_folders_with_their_times_and_variables(production: Stack) -> None:
    shift = next(each for each in production.functions.values() if each.name == "shift_weights")
    assert shift.timeout == 20, "WriterTimeoutSeconds"
    assert shift.environment["ENVIRONMENT"] == "production"
    assert shift.environment["AWS_REGION"] == "us-west-2"
    reconciler = next(each for each in production.functions.values() if each.name == "reconcile_traffic")
    assert (reconciler.concurrency, reconciler.retries, reconciler.event_age) == (None, 1, 300)
    assert reconciler.environment["MACHINE_ROLLBACK"] == production.machines["rollback"].arn


def test_a_reconciler_has_an_execution_to_itself_where_the_environment_says_so() -> None:
    stack = read(
        ROOT, "production", "us-west-2", {**PARAMETERS, "Production": "yes", "ReserveConcurrency": "yes"}
    )
    reserved = {each.name: each.concurrency for each in stack.functions.values() if each.concurrency}
    assert reserved == {"reconcile_traffic": 1, "reconcile_cluster": 1}


def test_every_folder_of_functions_is_there_once_github_and_slack_are_told() -> None:
    secrets = dict.fromkeys(("GitHubStatusSecretArn", "SlackSecretArn"), "arn:aws:secretsmanager:x")
    stack = read(ROOT, "staging", "us-west-2", {**PARAMETERS, **secrets})
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert {each.name for each in stack.functions.values()} == folders


ON_THE_WAY = {"receive_alerts", "handle_signal", "request_release"}


def pinged(stack: Stack) -> set[str]:
    said = [each for each in stack.schedules if each.input and json.loads(each.input) == KEEP_WARM]
    assert {each.expression for each in said} <= {"rate(5 minutes)"}
    return {stack.functions[each.to.target].name for each in said}


def test_who_takes_users_back_is_kept_warm_in_production(production: Stack, staging: Stack) -> None:
    assert pinged(production) == ON_THE_WAY
    assert pinged(staging) == set()


def test_what_lambda_keeps_ready_needs_no_ping() -> None:
    told = {**PARAMETERS, "Production": "yes", "ProvisionedConcurrency": "2"}
    assert pinged(read(ROOT, "production", "us-west-2", told)) == set()


def test_production_has_nothing_that_could_put_it_to_sleep(production: Stack, staging: Stack) -> None:
    assert set(staging.machines) - set(production.machines) == {"capacity"}
    assert {f.name for f in staging.functions.values()} - {f.name for f in production.functions.values()} == {
        "advance_capacity",
        "command_capacity",
        "reconcile_capacity",
    }


def test_machines_have_everything_filled_in(production: Stack) -> None:
    assert all("${" not in str(machine.definition) for machine in production.machines.values())
    task = production.machines["rollback"].definition["States"]["RestoreTraffic"]
    assert task["Arguments"]["FunctionName"] in production.functions


def test_rules_lead_from_events_to_targets(production: Stack) -> None:
    (died,) = [rule for rule in production.rules if rule.name.endswith("ExecutionDied")]
    assert died.bus == "default"
    prefixes = [each["prefix"] for each in died.pattern["detail"]["stateMachineArn"]]
    assert production.machines["release"].arn in prefixes
    assert (died.to.retries, died.to.event_age) == (3, 600)
    (alarms,) = [rule for rule in production.rules if rule.name == "AlarmRule"]
    assert alarms.to.target == production.queue.arn
    assert alarms.pattern["detail"]["alarmName"] == [
        {"prefix": "candlefish/production/"},
        {"prefix": "candlefish-control-plane-production-"},
    ]


def test_schedules_that_are_off_are_not_there(production: Stack) -> None:
    by_name = {each.name: each for each in production.schedules}
    assert by_name["ReconcileTrafficFunctionEveryMinute"].expression == "rate(1 minute)"
    assert by_name["SyncAlarmsFunctionRegularly"].input == '{"repeat": true}'
    assert not any(each.to.target == production.machines["drill"].arn for each in production.schedules), (
        "no database network, no drill"
    )


def test_the_queue_and_who_works_it_off(production: Stack) -> None:
    queue = production.queue
    assert production.functions[queue.consumer].name == "handle_signal"
    assert (queue.visibility, queue.receives, queue.batch, queue.concurrency) == (60, 8, 5, 5)


def test_a_parameter_without_a_value_is_refused() -> None:
    with pytest.raises(Unknown, match="ListenerArns"):
        read(ROOT, "production", "us-west-2", {k: v for k, v in PARAMETERS.items() if k != "ListenerArns"})


def test_whoever_writes_to_the_cluster_for_a_release_is_dead_when_others_take_it_for_dead(
    production: Stack,
) -> None:
    by_name = {each.name: each for each in production.functions.values()}
    writers = ("deploy_slot", "scale_slot", "retire_slot", "reconcile_cluster")
    waits = {
        float(by_name[name].environment["CLUSTER_WRITERS_LIVE_SECONDS"])
        for name in ("check_ready", "retire_slot")
    }
    assert {float(by_name[name].timeout) for name in writers} == waits
