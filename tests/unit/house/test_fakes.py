"""A port has one double, and a contract test holds it to the adapter: the same cases for both.

What keeps state in memory as the adapter would stands in lab/memory (`MemoryX`), what answers as told in
tests/support (`FakeX`).
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lab.memory.stack import Stores, stores

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "layers/control_plane/candlefish"


class Held(NamedTuple):
    """A port (`capability.Port`), its double (below tests.support or in the lab), an adapter, and what compares them."""

    port: str
    fake: str
    adapter: str
    contract: str


HELD = [
    Held(*line.split())
    for line in """
    EventPublisher             lab.memory.events.MemoryEvents                aws.eventbridge.EventBus                   test_events
    EventPublisher             lab.memory.events.MemoryEvents                aws.eventbridge.BestEffort                 test_events
    Executions                 executions.FakeExecutions                     aws.stepfunctions.StepFunctionsExecutions  test_executions
    Switchboard                lab.memory.signals.MemorySwitchboard          aws.tag_switch.TagSwitch                   test_signal_ports
    Meter                      lab.memory.meter.MemoryMeter                  emf.EmfMeter                               test_meter
    Requesters                 lab.memory.requesters.MemoryRequesters        table.requesters.DynamoRequesters          test_small_stores
    analysis.WindowSource      analysis.FakeWindows                          aws.cloudwatch_metrics.CloudWatchWindows   test_metrics_windows
    analysis.WindowSource      analysis.FakeWindows                          aws.custom_metrics.CustomMetricWindows     test_metrics_windows
    analysis.WindowSource      analysis.FakeWindows                          http.prometheus.PrometheusWindows          test_metrics_windows
    release.Judgements         lab.memory.release.MemoryJudgements           table.judgements.DynamoJudgements          test_small_stores
    release.Looks              lab.memory.release.MemoryLooks                table.looks.DynamoLooks                    test_views_history
    views.ListedRules          traffic.FakeRules                             aws.elbv2.LoadBalancer                     test_elbv2
    views.ReleaseHistory       lab.memory.views.MemoryHistory                table.history.DynamoHistory                test_views_history
    views.SignalHistory        lab.memory.views.MemorySignalHistory          table.history.DynamoSignalHistory          test_views_history
    analysis.Calibrations      lab.memory.analysis.MemoryCalibrations        table.calibrations.DynamoCalibrations      test_small_stores
    backups.AuditReports       lab.memory.backups.MemoryDrills               table.drills.DynamoDrills                  test_small_stores
    backups.Drills             lab.memory.backups.MemoryDrills               table.drills.DynamoDrills                  test_small_stores
    backups.Restores           lab.memory.restores.MemoryRestores            aws.rds_restores.RdsRestores               test_drill_edges
    backups.Inspector          lab.memory.restores.MemoryInspector           aws.lambda_probe.LambdaProbe               test_drill_edges
    capacity.CapacityStore     lab.memory.capacity.MemoryCapacityStore       table.capacity.DynamoCapacity              test_capacity_store
    capacity.CapacityWorld     lab.nights.simulated_world.SimulatedWorld     candlefish.capacity.world.WholeEnvironment test_nodes_and_databases
    cost.BillSource            lab.memory.cost.MemoryBillSource              aws.cost_explorer.CostExplorer             test_bills
    cost.BillStore             lab.memory.cost.MemoryBillStore               table.bills.DynamoBills                    test_small_stores
    failover.Caches            lab.memory.failover.caches.MemoryCaches       aws.elasticache.ElastiCacheCaches          test_regions
    failover.Databases         lab.memory.failover.databases.MemoryDatabases aws.rds_failover.RdsDatabases              test_regions
    failover.DnsRecords        lab.memory.failover.edges.MemoryDnsRecords    aws.route53.Cnames                         test_regions
    failover.NodeGroups        lab.memory.failover.site.MemoryNodeGroups     aws.nodegroups.EksNodeGroups               test_regions
    failover.Probe             lab.memory.failover.edges.MemoryProbe         aws.lambda_probe.LambdaProbe               test_drill_edges
    failover.Routes            lab.memory.failover.site.MemoryRoutes         aws.route53.AliasRoutes                    test_regions
    failover.Runs              lab.memory.failover.runs.MemoryRuns           table.failovers.DynamoRuns                 test_failover_adapters
    failover.Secrets           lab.memory.failover.edges.MemorySecrets       aws.secret_hosts.SecretHosts               test_regions
    messages.ChannelPace       lab.memory.messages.MemoryChannelPace        table.shown.DynamoChannelPace              test_small_stores
    messages.ShownMessages     lab.memory.messages.MemoryShownMessages       table.shown.DynamoShownMessages            test_small_stores
    release.Approvals          lab.memory.release.MemoryApprovals            table.approvals.DynamoApprovals            test_records
    release.Bundles            lab.memory.release.MemoryBundles              aws.s3_bundles.S3Bundles                   test_release_edges
    release.CodeHost           lab.memory.release.MemoryCodeHost             http.github.GitHubStatuses                 test_github_statuses
    release.Cluster            cluster.FakeCluster                           kubernetes.cluster.KubernetesCluster       kubernetes/test_cluster
    release.Hooks              lab.memory.release.MemoryHooks                http.hooks.HookCaller                      test_release_edges
    release.Freezes            lab.memory.release.MemoryFreezes              table.freezes.DynamoFreezes                test_freezes
    release.JournalStore       lab.memory.release.MemoryJournalStore         table.journal.DynamoJournalStore           test_records
    release.Nonces             lab.memory.release.MemoryNonces               table.nonces.DynamoNonces                  test_small_stores
    release.Registry           lab.memory.release.MemoryRegistry             http.registry.OciRegistry                  test_registry
    release.WorkflowTokens     lab.memory.release.MemoryWorkflowTokens       http.workflow_tokens.GitHubTokens          test_workflow_tokens
    release.Web                release_edges.FakeWeb                         http.front_door.FrontDoor                  test_release_edges
    service.ChangeableRecords  lab.memory.service.MemoryRecords              table.records.DynamoRecords                test_records
    service.ServiceRecords     lab.memory.service.MemoryRecords              table.records.DynamoRecords                test_records
    service.StableVersions     lab.memory.service.MemoryStableVersions       table.failovers.DynamoStableVersions       test_small_stores
    signals.Alarms             lab.memory.alarms.MemoryAlarms                aws.alarms.CloudWatchAlarms                test_alarms
    signals.Channel            lab.memory.signals.MemoryChannel              aws.sns.SnsChannel                         test_signal_ports
    signals.Guards             lab.memory.signals.MemoryGuards               table.signals.DynamoGuards                 test_signal_store
    signals.Machines           executions.FakeExecutions                     aws.stepfunctions.StepFunctionsExecutions  test_executions
    signals.NotificationLedger lab.memory.signals.MemoryLedger               table.signals.DynamoLedger                 test_small_stores
    signals.Releases           lab.memory.release.MemoryJournalStore         table.journal.DynamoJournalStore           test_records
    signals.SignalLog          lab.memory.signals.MemorySignalLog            table.signals.DynamoSignalLog              test_signal_store
    signals.SignalQueue        lab.memory.signals.MemoryQueue                aws.sqs.SqsQueue                           test_signal_ports
    signals.WebhookTokens      lab.memory.signals.MemoryTokens               aws.secrets.SecretTokens                   test_signal_ports
    traffic.Rules              traffic.FakeRules                             aws.elbv2.LoadBalancer                     test_elbv2
    """.strip().splitlines()
]
# Ports that no two are compared of, and why.
ALONE = {
    "backups.BackupReader": "FakeBackupReader hands out what a test says; what AwsBackups reads is in test_backup_adapters",
    "backups.Sql": "FakeSql knows five statements; the real one needs PostgreSQL (tests/integration/recovery)",
    "capacity.ClusterWorkloads": "no fake: unit tests simulate the whole environment, test_sleep has both API servers",
    "capacity.ManagedNodegroups": "no fake: unit tests simulate the whole environment, test_nodes_and_databases has moto",
    "capacity.StoppableDatabases": "no fake: unit tests simulate the whole environment, test_nodes_and_databases has moto",
    "views.SlotWorkloads": "FakeSlots hands out what a test says; what KubernetesSlots reads is in kubernetes/test_slots",
    "messages.Chat": "no fake: releases are shown to a recorded Slack by the real adapter (test_slack)",
    "traffic.ShareOnboarding": "no fake: shares are made on API servers (kubernetes/test_shares)",
    "traffic.Onboarding": "no fake: onboarding is made in moto (test_elbv2)",
}
# Classes of test modules that could pass for a fake, and why they are none.
NO_FAKES = {
    "RealRegion": "the region of unit tests over a real PostgreSQL (test_drill_postgres)",
    "KubernetesWorld": "an environment that is a cluster alone, over the adapter (test_sleep)",
    "Response": "an answer of the HTTP library",
}


@cache
def protocols() -> dict[str, type]:
    """Every Protocol of the package's ports by `capability.Name`; shared ones have no capability."""
    found = {}
    for path in sorted(PACKAGE.rglob("ports.py")):
        dotted = ".".join(("candlefish", *path.relative_to(PACKAGE).with_suffix("").parts))
        module = importlib.import_module(dotted)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases):
                capability = dotted.split(".")[1:-1]
                found[".".join((*capability, node.name))] = getattr(module, node.name)
    return found


def thing(dotted: str, *, below: str = "") -> Any:
    """A class by its dotted name."""
    whole = dotted if dotted.startswith(("candlefish.", "lab.")) else f"{below}.{dotted}"
    module, _, name = whole.rpartition(".")
    return getattr(importlib.import_module(module), name)


def parameters(function: Any) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


def methods(port: type) -> dict[str, list[str]]:
    """The parameters of each method of a port, by its name."""
    return {
        name: parameters(value)
        for name, value in vars(port).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }


def row(held: Held) -> str:
    return f"{held.port}-{held.adapter.rpartition('.')[2]}"


def test_every_port_has_a_fake_and_a_contract_or_a_reason_why_not() -> None:
    known = {held.port for held in HELD} | set(ALONE)
    assert set(protocols()) == known, "write a fake and a contract test, and a row here"
    assert not {held.port for held in HELD} & set(ALONE)


def test_a_port_has_one_fake() -> None:
    fakes: dict[str, set[str]] = {}
    for held in HELD:
        fakes.setdefault(held.port, set()).add(held.fake)
    assert {port: found for port, found in fakes.items() if len(found) > 1} == {}


@pytest.mark.parametrize("held", HELD, ids=row)
def test_fake_and_adapter_are_called_as_the_port_says(held: Held) -> None:
    fake = thing(held.fake, below="tests.support")
    adapter = thing(held.adapter, below="candlefish.adapters")
    for name, expected in methods(protocols()[held.port]).items():
        for each in (fake, adapter):
            called = parameters(getattr(each, name))
            assert called[: len(expected)] == expected, f"{each.__name__}.{name}"


def module_of(name: str) -> Path | None:
    path = ROOT / f"{name.replace('.', '/')}.py"
    return path if path.is_file() else None


def imported(path: Path) -> Iterator[Path]:
    """Modules of tests/support that a test module takes something from."""
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").startswith("tests.support.")
            and (found := module_of(str(node.module)))
        ):
            yield found


@pytest.mark.parametrize("held", HELD, ids=row)
def test_a_contract_test_has_the_fake_and_the_adapter(held: Held) -> None:
    path = ROOT / f"tests/contract/{held.contract}.py"
    conftest = path.parent / "conftest.py"
    own = [path, *([conftest] if conftest.exists() else [])]
    # What makes the two ready may stand in tests/support.
    read = {*own, *(each for one in own for each in imported(one))}
    read.discard(ROOT / f"tests/support/{held.fake.rpartition('.')[0].replace('.', '/')}.py")
    text = "\n".join(each.read_text() for each in read)
    for dotted in (held.fake, held.adapter):
        name = dotted.rpartition(".")[2]
        assert re.search(rf"\b{name}\b", text), f"{held.contract} says nothing of {name}"
    assert "params=" in path.read_text() or "params=" in "".join(each.read_text() for each in own)


def classes(path: Path) -> Iterator[tuple[str, dict[str, list[str]], list[str]]]:
    """Name, methods with their parameters, and bases of each class of a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            found = {
                item.name: [each.arg for each in (*item.args.args[1:], *item.args.kwonlyargs)]
                for item in node.body
                if isinstance(item, ast.FunctionDef)
            }
            yield node.name, found, [ast.unparse(base) for base in node.bases]


def test_no_test_module_has_a_fake_of_its_own() -> None:
    """One that begins with another (`class Down(FakeRules)`) says what is different in its test, and is none."""
    fakes = {held.fake.rpartition(".")[2] for held in HELD}
    found = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        # What the exploration's ports answer is another thing each time: they ask (docs/exploration.md).
        if path.name == Path(__file__).name or {"support", "exploration"} & set(path.relative_to(ROOT).parts):
            continue
        for name, has, bases in classes(path):
            for port, protocol in protocols().items():
                like = methods(protocol)
                if all(has.get(each) == given for each, given in like.items()) and not set(bases) & fakes:
                    found.append(f"{path.relative_to(ROOT)}: {name} is {port}")
    assert [each for each in found if each.split(": ")[1].split()[0] not in NO_FAKES] == []


def test_no_test_module_imports_another() -> None:
    """What several read stands in tests/support."""
    rooms = re.compile(r"^\s*(?:from|import) tests\.(?!support|benchmarks|exploration)", re.M)
    found = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if rooms.search(path.read_text())
    ]
    assert found == []


@cache
def accessors() -> dict[str, str]:
    """What each accessor of bootstrap says that it gives."""
    found = {}
    for path in sorted((PACKAGE / "bootstrap").glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.returns:
                found[node.name] = ast.unparse(node.returns)
    return found


@pytest.mark.parametrize("name", sorted({field.name for field in fields(Stores)} - {"journal_store"}))
def test_a_store_in_memory_stands_for_the_adapter_of_the_accessor_of_its_name(name: str) -> None:
    made = getattr(stores("production", lambda: 0.0), name)
    double = type(made["sns"] if isinstance(made, dict) else made).__name__
    rows = [held for held in HELD if held.fake.rpartition(".")[2] == double]
    held_to = {each.rpartition(".")[2] for held in rows for each in (held.port, held.adapter)}
    assert held_to & set(re.findall(r"\w+", accessors()[name])), f"{name} gives {accessors()[name]}"
