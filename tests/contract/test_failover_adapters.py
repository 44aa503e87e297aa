"""Failovers through the real adapters, against RDS, ElastiCache, Route 53, Secrets Manager and
DynamoDB of moto, whose databases and caches take time and change zone as the real ones do.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import pytest

from candlefish.adapters.aws.elasticache import ElastiCacheCaches
from candlefish.adapters.aws.rds_failover import RdsDatabases
from candlefish.adapters.aws.secret_hosts import SecretHosts
from candlefish.adapters.table.failovers import DynamoRuns
from candlefish.catalog.model import Database
from candlefish.errors import FailoverRefused, InvalidInput, Misconfigured, RecordContested, Unavailable
from candlefish.failover.evidence import measure_run
from candlefish.failover.model import FailoverEntry, FailoverStep, Pace, Run, StepState
from candlefish.failover.ports import Runs
from candlefish.failover.preconditions import expected_loss
from candlefish.failover.start import FailoverRequest, approve_failover, start_failover
from candlefish.failover.step_failover import FailoverStepInput, step_failover
from lab.memory.failover.runs import MemoryRuns
from tests.support.dying import Died, dying_after_one_write
from tests.support.executions import FakeExecutions
from tests.support.failover.aws import AwsWorld, aws_world
from tests.support.failover.catalog import AWAY, HOME
from tests.support.waiting import rounds

PACE = Pace(poll=0.05, settle=0.4, within=20)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsWorld]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with aws_world() as made:
        yield made


def run_to_its_end(world: AwsWorld, runs: DynamoRuns, target: str, plan: Any, **more: Any) -> Run:
    """Ask, approve and drive a failover through the adapters."""
    machine = FakeExecutions()
    ports = world.ports(runs)
    proposal = start_failover(
        FailoverRequest(target=target, plan=plan, reason="a test", **more),
        requested_by="lead",
        ports=ports,
        executions=machine,
    )
    if proposal.run.open_questions:
        approve_failover(target, ("go",), "agreed", principal="second", ports=ports, executions=machine)
    for _ in rounds(lambda: run, every=0):
        if not (run := runs.current(target)) or run.status != "running":
            break
        for identifier in ("orders-away", "orders"):
            world.report_lag(0.0, AWAY if identifier == "orders-away" else HOME, identifier)
        moved = step_failover(FailoverStepInput(target, run.epoch), ports=ports, pace=PACE)
        time.sleep(moved.wait)
    assert run is not None
    return run


def test_a_database_changes_its_zone(world: AwsWorld) -> None:
    world.make_database()
    run = run_to_its_end(world, world.make_table(), "database/main", "database-in-region")
    assert run.status == "done", run.why
    assert world.copy(HOME, "orders").zone == "us-west-2b"
    evidence = run.progress["zone-failover/main"].evidence
    assert (evidence["zone_before"], evidence["zone"]) == ("us-west-2a", "us-west-2b")
    assert evidence["failed_over_at"] >= int(run.requested_at)
    numbers = measure_run(run)
    # 90 s of AWS at this test's speed, and not sooner.
    assert numbers.rto is not None and numbers.rto >= 0.1


def test_a_database_leaves_its_region_and_comes_home(world: AwsWorld) -> None:
    world.make_database()
    runs = world.make_table()
    run = run_to_its_end(world, runs, "database/main", "database-cross-region")
    assert run.status == "done", run.why
    away, home = world.copy(AWAY, "orders-away"), world.copy(HOME, "orders")
    assert (away.role, away.standby, away.retention_days) == ("primary", True, 30)
    assert home.groups == (world.groups[HOME][1],)
    ports = world.ports(runs)
    assert ports.dns.read(world.zone, "db.internal.example") == away.address
    assert ports.of(AWAY).secrets.read("app/database").host == "db.internal.example"
    times = [run.progress[key].done_at for key in ("close/main", "cut/main", "promote/main", "verify/main")]
    assert times == sorted(times)
    assert home.restarted_at >= run.progress["close/main"].done_at - 1

    back = run_to_its_end(world, runs, "database/main", "database-failback")
    assert back.status == "done", back.why
    assert world.copy(HOME, "orders").role == "primary"
    assert world.copy(HOME, f"orders-fenced-{back.epoch}").groups == (world.groups[HOME][1],)
    assert ports.dns.read(world.zone, "db.internal.example") == world.copy(HOME, "orders").address
    # What RDS does not say of a replica, moto has copied from its source; the names are what counts.
    assert world.copy(AWAY, "orders-away").groups == (world.groups[AWAY][1],)


def test_a_cache_changes_its_zone_and_its_region(world: AwsWorld) -> None:
    world.make_cache()
    runs = world.make_table()
    run = run_to_its_end(world, runs, "cache/sessions", "cache-in-region")
    assert run.status == "done", run.why
    facts = world.caches()[HOME].read("sessions", "ldgnf-sessions")
    assert facts.failed_over_at >= int(run.requested_at)
    assert facts.primaries == {"0001": ("sessions-002", "us-west-2b")}
    run = run_to_its_end(world, runs, "cache/sessions", "cache-cross-region")
    assert run.status == "done", run.why
    facts = world.caches()[AWAY].read("sessions", "ldgnf-sessions")
    assert (facts.global_primary, facts.group) == (AWAY, "sessions-away")
    assert world.ports(runs).dns.read(world.zone, "cache.internal.example") == facts.address


def test_a_busy_database_is_an_answer_that_passes_and_a_missing_one_is_none(world: AwsWorld) -> None:
    world.make_database()
    rds = world.databases()[HOME]
    # Busy for as long as a busy machine takes to look.
    world.timeline.time_scale = 1.0
    rds.restart(world.database, "orders")
    with pytest.raises(Unavailable, match="it is busy"):
        rds.fail_over(world.database, "orders")
    assert rds.read(world.database, "nothing") is None


def test_forcing_a_failover_without_a_standby_is_refused(world: AwsWorld) -> None:
    world.make_database()
    world.client("rds", HOME).create_db_instance(
        DBInstanceIdentifier="alone",
        DBInstanceClass="db.t4g.medium",
        Engine="postgres",
        MasterUsername="app",
        MasterUserPassword="password",
        AllocatedStorage=20,
    )
    with pytest.raises(Misconfigured, match="not configured to be Multi-AZ"):
        world.databases()[HOME].fail_over(world.database, "alone")


def test_promoting_twice_is_promoting_once(world: AwsWorld) -> None:
    world.make_database()
    rds = world.databases()[AWAY]
    rds.promote(world.database, "orders-away", planned=False, retention_days=30)
    world.wait(lambda: world.copy(AWAY, "orders-away").role == "primary")
    rds.promote(world.database, "orders-away", planned=False, retention_days=30)


def test_a_region_that_does_not_answer_is_unavailable_soon(world: AwsWorld) -> None:
    from botocore.config import Config

    config = Config(connect_timeout=0.2, read_timeout=0.2, retries={"max_attempts": 1})
    dead = world.session.create_client(
        "rds", region_name=HOME, endpoint_url="http://127.0.0.1:9", config=config
    )
    world.make_database()
    ports = world.ports(world.make_table())
    silent = msgspec.structs.replace(ports.of(HOME), databases=RdsDatabases(HOME, dead, None))
    ports = msgspec.structs.replace(ports, regions={**ports.regions, HOME: silent})
    machine = FakeExecutions()
    proposal = start_failover(
        FailoverRequest(
            target="database/main", plan="database-cross-region", reason="x", failing_since=time.time() - 1
        ),
        requested_by="lead",
        ports=ports,
        executions=machine,
    )
    assert proposal.run.needs == ("go", "split-brain")
    unreadable = next(c for c in proposal.checks if c.name == "fence")
    assert "AWS did not answer" in unreadable.reason


def test_a_secret_without_a_host_is_refused(world: AwsWorld) -> None:
    world.make_database()
    secrets = SecretHosts(AWAY, world.client("secretsmanager", AWAY))
    world.client("secretsmanager", AWAY).put_secret_value(
        SecretId="app/database", SecretString="postgres://x"
    )
    with pytest.raises(InvalidInput, match="is not JSON with a host"):
        secrets.read("app/database")


def test_an_aurora_cluster_changes_its_zone_and_its_region(world: AwsWorld) -> None:
    database = _aurora(world)
    rds = world.databases()
    before = rds[HOME].read(database, "orders")
    assert before is not None and (before.role, before.standby, before.writer) == (
        "primary",
        True,
        "orders-1",
    )
    rds[HOME].fail_over(database, "orders")
    world.wait(lambda: rds[HOME].read(database, "orders").status == "available")  # type: ignore[union-attr]
    after = rds[HOME].read(database, "orders")
    assert after is not None and after.writer == "orders-2" and after.failed_over_at > 0
    secondary = rds[AWAY].read(database, "orders-away")
    assert secondary is not None and (secondary.role, secondary.follows) == ("replica", "orders")
    rds[AWAY].promote(database, "orders-away", planned=False, retention_days=30)
    world.wait(lambda: rds[AWAY].read(database, "orders-away").role == "primary")  # type: ignore[union-attr]
    assert rds[HOME].read(database, "orders").role == "replica"  # type: ignore[union-attr]


def test_replication_that_has_stopped_is_as_far_behind_as_it_is_silent() -> None:
    """RDS reports -1 then: the replica has replayed nothing since its last good point."""
    now = 1_800_000_000.0

    class CloudWatch:
        values = (-1.0, 2.0, 1.0, -1.0, -1.0)

        def get_metric_data(self, **_: Any) -> dict[str, Any]:
            times = [datetime.fromtimestamp(now + 60 * n, UTC) for n in range(len(self.values))]
            return {"MetricDataResults": [{"Timestamps": times, "Values": list(self.values)}]}

    metrics = CloudWatch()
    rds = RdsDatabases(AWAY, None, metrics)
    lag = rds.lag(Database(name="main", identifier="orders"), "orders-away", now)
    assert [(point.at - now, point.seconds) for point in lag] == [(60, 2), (120, 1), (180, 61), (240, 121)]
    loss = partial(expected_loss, lag, now=now + 250)
    assert loss(failing_since=0.0, source_up=True) == 131
    assert loss(failing_since=now + 240, source_up=False) == 121
    metrics.values = (-1.0, -1.0)
    assert rds.lag(Database(name="main", identifier="orders"), "orders-away", now) == ()


def test_a_secondary_without_an_instance_is_seen_as_such_and_nobody_asks_for_one_without_a_name(
    world: AwsWorld,
) -> None:
    database = _aurora(world)
    rds = world.databases()[AWAY]
    headless = rds.read(database, "orders-away")
    assert headless is not None and (headless.members, headless.writer, headless.standby) == (0, "", False)
    rds.restart(database, "orders-away")
    with pytest.raises(Misconfigured, match="has no instance"):
        rds.protect(database, "orders-away", retention_days=7)
    world.client("rds", AWAY).create_db_instance(
        DBInstanceIdentifier="orders-away-1",
        DBClusterIdentifier="orders-away",
        DBInstanceClass="db.r6g.large",
        Engine="aurora-postgresql",
    )
    one = rds.read(database, "orders-away")
    assert one is not None and (one.members, one.writer) == (1, "orders-away-1")
    rds.protect(database, "orders-away", retention_days=7)
    two = rds.read(database, "orders-away")
    assert two is not None and (two.members, two.standby) == (2, True)


def test_a_replica_of_a_password_that_rds_manages_is_refused_by_rds_and_seen_before(world: AwsWorld) -> None:
    world.make_database()
    rds = world.databases()
    before = world.copy(HOME, "orders")
    assert not before.managed_password
    world.client("rds", HOME).modify_db_instance(
        DBInstanceIdentifier="orders", ManageMasterUserPassword=True, ApplyImmediately=True
    )
    world.wait(lambda: world.copy(HOME, "orders").managed_password)
    with pytest.raises(Misconfigured, match="Secrets Manager manages"):
        rds[AWAY].replicate(
            world.database, "another", source=world.copy(HOME, "orders"), like=None, groups=()
        )


@pytest.mark.parametrize(
    "message",
    [
        "Failover from primary node sessions-001 to replica node sessions-002 completed",
        "Failover to replica node sessions-002 completed",
    ],
)
def test_a_node_failover_is_known_by_its_event(message: str) -> None:
    at = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
    events = [
        {"Message": "Test Failover API called for node group 0001", "Date": at + timedelta(minutes=5)},
        {"Message": message, "Date": at},
    ]

    class Client:
        def describe_replication_groups(self, **_: Any) -> dict[str, Any]:
            return {"ReplicationGroups": [{"Status": "available", "NodeGroups": []}]}

        def describe_events(self, **_: Any) -> dict[str, Any]:
            return {"Events": events}

    assert ElastiCacheCaches(HOME, Client()).read("sessions", "").failed_over_at == at.timestamp()


def _aurora(world: AwsWorld) -> Any:
    home, away = world.client("rds", HOME), world.client("rds", AWAY)
    for client in (home, away):
        client.create_global_cluster(GlobalClusterIdentifier="orders-world", Engine="aurora-postgresql")
    credentials = {"MasterUsername": "app", "MasterUserPassword": "password"}
    home.create_db_cluster(
        DBClusterIdentifier="orders",
        Engine="aurora-postgresql",
        GlobalClusterIdentifier="orders-world",
        **credentials,
    )
    for number, zone in ((1, "a"), (2, "b")):
        home.create_db_instance(
            DBInstanceIdentifier=f"orders-{number}",
            DBClusterIdentifier="orders",
            DBInstanceClass="db.r6g.large",
            Engine="aurora-postgresql",
            AvailabilityZone=f"{HOME}{zone}",
        )
    away.create_db_cluster(
        DBClusterIdentifier="orders-away", Engine="aurora-postgresql", GlobalClusterIdentifier="orders-world"
    )
    return msgspec.structs.replace(world.database, kind="aurora", global_cluster="orders-world")


# --- where runs are kept ---------------------------------------------------------------------


@pytest.fixture(params=["fake", "dynamodb"])
def runs(request: pytest.FixtureRequest, world: AwsWorld) -> Runs:
    return MemoryRuns() if request.param == "fake" else world.make_table()


def a_run(epoch: int = 1, target: str = "database/main", at: float = 1_000.0) -> Run:
    return Run(
        environment="production",
        target=target,
        plan="database-in-region",
        epoch=epoch,
        steps=(FailoverStep("zone-failover", "main"),),
        requested_by="lead",
        reason="a test",
        requested_at=at,
        to=HOME,
    )


def test_the_first_run_of_an_epoch_stays(runs: Runs) -> None:
    first = runs.create(a_run())
    assert runs.create(msgspec.structs.replace(a_run(), reason="another")) == first
    assert runs.current("database/main") == first
    assert runs.current("database/other") is None


def test_the_newest_epoch_is_current(runs: Runs) -> None:
    for epoch in (1, 2, 10):
        runs.create(a_run(epoch, at=1_000.0 + epoch))
    current = runs.current("database/main")
    assert current is not None and current.epoch == 10
    runs.create(a_run(target="cache/sessions", at=2_000.0))
    assert [(r.target, r.epoch) for r in runs.recent(limit=3)] == [
        ("cache/sessions", 1),
        ("database/main", 10),
        ("database/main", 2),
    ]
    assert [r.epoch for r in runs.recent("database/main", limit=2)] == [10, 2]
    # Creating an old one again gives what is current.
    assert runs.create(a_run(1)) == current


def test_recent_runs_of_one_target_go_by_epoch_and_of_all_by_time(runs: Runs) -> None:
    """A region whose clock is behind may begin the later epoch."""
    for epoch, at in ((1, 5_000.0), (2, 4_000.0), (3, 5_000.0)):
        runs.create(a_run(epoch, at=at))
    assert [r.epoch for r in runs.recent("database/main")] == [3, 2, 1]
    assert [r.epoch for r in runs.recent()] == [3, 1, 2]


def test_a_run_that_was_stored_and_not_listed_is_listed_when_it_is_created_again(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its function died between the two; other failovers must still see this one."""
    with pytest.raises(Died), dying_after_one_write(runs, monkeypatch):
        runs.create(a_run())
    assert runs.recent() == []
    for _ in range(2):
        assert runs.create(a_run(at=1_001.0)) == a_run()
        assert runs.recent() == [a_run()]


def test_what_is_read_of_a_run_is_ones_own(runs: Runs) -> None:
    runs.create(a_run())
    entry = FailoverEntry(1.0, "acted", "because", evidence={"zone": "a"})
    runs.append(a_run(), entry)
    entry.evidence["zone"] = "b"
    runs.entries(a_run())[0].evidence["zone"] = "c"
    for mine in (runs.current("database/main"), *runs.recent(), *runs.recent("database/main")):
        assert mine is not None
        mine.progress["zone-failover/main"] = StepState(done_at=1.0)
    assert runs.entries(a_run())[0].evidence == {"zone": "a"}
    assert runs.update("database/main", lambda r: r).progress == {}


def test_an_update_counts_and_a_change_of_nothing_writes_nothing(runs: Runs) -> None:
    runs.create(a_run())
    assert runs.update("database/main", lambda r: r).revision == 0
    changed = runs.update("database/main", lambda r: msgspec.structs.replace(r, why="x"))
    assert (changed.revision, changed.why) == (1, "x")
    with pytest.raises(InvalidInput, match="there is no failover of cache/none"):
        runs.update("cache/none", lambda r: r)


def test_a_timeline_is_kept_in_order_for_each_epoch(runs: Runs) -> None:
    first, second = runs.create(a_run(1)), runs.create(a_run(2))
    for at, kind in ((1.0, "requested"), (2.5, "acted"), (11.0, "done")):
        runs.append(first, FailoverEntry(at, kind, "because"))
    runs.append(second, FailoverEntry(3.0, "requested", "again"))
    assert [e.kind for e in runs.entries(first)] == ["requested", "acted", "done"]
    assert [e.reason for e in runs.entries(second)] == ["again"]


def test_a_write_that_lost_the_race_is_tried_again_with_the_newer_run(world: AwsWorld) -> None:
    runs = world.make_table()
    runs.create(a_run())
    rivals = iter(range(3))

    def change(run: Run) -> Run:
        if next(rivals, None) is not None:
            rival = msgspec.structs.replace(run, why="rival", revision=run.revision + 1)
            assert runs._put(rival, run.revision)
        return msgspec.structs.replace(run, reason="mine")

    after = runs.update("database/main", change)
    assert (after.reason, after.why, after.revision) == ("mine", "rival", 4)


def test_a_write_that_always_loses_says_so(world: AwsWorld) -> None:
    runs = world.make_table()
    runs.create(a_run())

    def change(run: Run) -> Run:
        assert runs._put(msgspec.structs.replace(run, revision=run.revision + 1), run.revision)
        return msgspec.structs.replace(run, reason="mine")

    with pytest.raises(RecordContested):
        runs.update("database/main", change)


def test_refusals_come_from_the_real_world(world: AwsWorld) -> None:
    world.make_database()
    machine = FakeExecutions()
    world.timeline.time_scale = 1.0
    world.databases()[HOME].restart(world.database, "orders")
    with pytest.raises(FailoverRefused, match="orders is rebooting already"):
        start_failover(
            FailoverRequest(target="database/main", reason="x"),
            requested_by="lead",
            ports=world.ports(world.make_table()),
            executions=machine,
        )
