"""What drills and failovers ask of a region's databases from inside and outside: fakes beside RDS (moto) and the probe."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from candlefish.adapters.aws.lambda_probe import LambdaProbe
from candlefish.adapters.aws.rds_restores import RdsRestores
from candlefish.backups.model import ProbeRequest, ScratchInstance
from candlefish.backups.ports import Inspector, Restores
from candlefish.backups.probe_database import probe_database
from candlefish.backups.record import Drill
from candlefish.catalog.model import Database, ScratchSettings
from candlefish.errors import BackupUnusable, ControlPlaneError, NotAllowed, Unavailable
from candlefish.failover.ports import Probe
from lab.memory.failover.edges import MemoryProbe
from lab.memory.restores import MemoryInspector, MemoryRestores
from tests.support.backups import FakeSql
from tests.support.clock import Clock
from tests.support.drills import DATABASE, FOUND
from tests.support.failover.aws import AwsWorld, aws_world
from tests.support.failover.catalog import DATABASE as SERVED
from tests.support.failover.catalog import ENVIRONMENT, HOME

SCRATCH = "candlefish-drill-production-main-q4"


class Place(msgspec.Struct, frozen=True):
    """Where a database is restored, and how one waits there."""

    restores: Restores
    database: Database
    wait: Callable[[Callable[[], object]], None]

    def drill(self) -> Drill:
        newest = self.restores.newest_snapshot(self.database, self.database.identifier)
        assert newest is not None
        return Drill("q4", "production", "main", "lead", 1.0, SCRATCH, newest)

    def made(self) -> ScratchInstance:
        """The scratch instance of a drill, up."""
        self.restores.restore(self.drill(), self.database)
        self.wait(lambda: self.status() == "available")
        found = self.restores.scratch(SCRATCH)
        assert found is not None
        return found

    def status(self) -> str:
        found = self.restores.scratch(SCRATCH)
        return found.status if found else ""


def in_memory() -> Place:
    clock = Clock()
    restores = MemoryRestores(clock, clock.later, "orders")
    restores.take("orders")

    def wait(done: Callable[[], object]) -> None:
        for _ in range(1000):
            if done():
                return
            clock.forward(5)
        raise AssertionError("it never came")

    return Place(restores, DATABASE, wait)


def on_aws(world: AwsWorld) -> Place:
    world.make_database()
    rds, ec2 = world.client("rds", HOME), world.client("ec2", HOME)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{n}.0/24", AvailabilityZone=f"{HOME}{zone}")["Subnet"]
        for n, zone in enumerate("ab")
    ]
    rds.create_db_subnet_group(
        DBSubnetGroupName="isolated",
        DBSubnetGroupDescription="drills",
        SubnetIds=[subnet["SubnetId"] for subnet in subnets],
    )
    rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="nightly")
    scratch = ScratchSettings(subnet_group="isolated", security_group=world.groups[HOME][1])
    return Place(RdsRestores(rds), msgspec.structs.replace(world.database, scratch=scratch), world.wait)


@pytest.fixture(params=["fake", "rds"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "fake":
        yield in_memory()
        return
    with aws_world() as world:
        yield on_aws(world)


def test_a_snapshot_is_restored_once_as_the_drills_own(place: Place) -> None:
    assert place.restores.scratch(SCRATCH) is None
    assert place.restores.scratches() == []
    made = place.made()
    assert (made.identifier, made.drill) == (SCRATCH, "q4")
    assert made.address
    place.restores.restore(place.drill(), place.database)
    assert [each.identifier for each in place.restores.scratches()] == [SCRATCH]


def test_the_scratchs_password_is_a_secret_of_its_own(place: Place) -> None:
    assert not place.made().secret
    place.restores.manage_password(SCRATCH)
    place.wait(lambda: place.status() == "available" and place.restores.scratch(SCRATCH).secret)  # type: ignore[union-attr]


def test_a_scratch_is_deleted_and_what_is_live_is_not(place: Place) -> None:
    made = place.made()
    live = place.restores.scratch("orders")
    assert live is not None and live.drill == ""
    with pytest.raises(NotAllowed):
        place.restores.delete(msgspec.structs.replace(live, drill="q4"))
    place.restores.delete(made)
    place.wait(lambda: place.restores.scratch(SCRATCH) is None)
    # Deleting it again is harmless.
    place.restores.delete(made)
    still = place.restores.scratch("orders")
    assert still is not None and still.status == "available"


# --- the probe ------------------------------------------------------------------------------


class Functions:
    """Lambda's API whose one function is the probe, over a database in memory."""

    def __init__(self, sql: FakeSql) -> None:
        self.sql = sql

    def invoke(self, **call: Any) -> dict[str, Any]:
        request = msgspec.json.decode(call["Payload"], type=ProbeRequest)
        try:
            found = probe_database(request, environment=ENVIRONMENT, connect=self.sql.connect)
        except ControlPlaneError as error:
            raised = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(raised).encode())}
        return {"Payload": io.BytesIO(json.dumps(found).encode())}


def unavailable(host: str) -> Any:
    raise Unavailable(f"{host} takes no writes")


@pytest.fixture(params=["fake", "lambda"])
def probes(request: pytest.FixtureRequest) -> tuple[Probe, Probe]:
    """One of a database that answers, and one of a database that does not."""
    if request.param == "fake":
        rows: dict[int, dict[str, Any]] = {}
        return MemoryProbe(lambda host: (rows, 999.0), lambda: 1001.5), MemoryProbe(unavailable, lambda: 0.0)
    return (
        LambdaProbe(Functions(FakeSql()), "probe"),
        LambdaProbe(Functions(FakeSql(fails=True)), "probe"),
    )


def test_an_epoch_is_written_once_and_read_back(probes: tuple[Probe, Probe]) -> None:
    first = probes[0].begin_epoch(SERVED, "primary.example", 5)
    assert set(first) == {"epoch", "written_at", "last_beat"}
    assert (first["epoch"], first["written_at"]) == (5, 1001.5)
    assert probes[0].begin_epoch(SERVED, "primary.example", 5) == first


def test_a_database_that_does_not_answer_has_no_epoch(probes: tuple[Probe, Probe]) -> None:
    with pytest.raises(Unavailable):
        probes[1].begin_epoch(SERVED, "primary.example", 5)


@pytest.fixture(params=["fake", "lambda"])
def inspectors(request: pytest.FixtureRequest) -> tuple[Inspector, Inspector]:
    if request.param == "fake":

        def unusable() -> dict[str, Any]:
            raise BackupUnusable("invalid page in block 3")

        return MemoryInspector(lambda: FOUND), MemoryInspector(unusable)
    sql = FakeSql()

    def corrupt(statement: str) -> Any:
        raise BackupUnusable("invalid page in block 3")

    sql.execute = corrupt  # type: ignore[method-assign]
    return LambdaProbe(Functions(FakeSql()), "probe"), LambdaProbe(Functions(sql), "probe")


def test_an_inspection_counts_what_came_back(inspectors: tuple[Inspector, Inspector]) -> None:
    scratch = ScratchInstance(SCRATCH, "available", "q4", address="x", secret="arn:secret")
    found = inspectors[0].inspect(SERVED, scratch)
    assert set(found) == {"beat_at", "beats", "tables", "rows"}
    assert all(isinstance(value, (int, float)) for value in found.values())
    with pytest.raises(BackupUnusable, match="invalid page in block 3"):
        inspectors[1].inspect(SERVED, scratch)
