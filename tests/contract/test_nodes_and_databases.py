"""Nodegroups and databases against EKS and RDS as moto has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from candlefish.adapters.aws.nodegroups import Nodegroups
from candlefish.adapters.aws.rds_sleep import SleepingDatabases
from candlefish.capacity.assess import CapacityAct
from candlefish.capacity.infra import instance_stays, observed_database, observed_nodegroup
from candlefish.capacity.kinds import KINDS
from candlefish.capacity.model import CapacitySight
from candlefish.capacity.ports import CapacityWorld
from candlefish.capacity.scope import ClusterLists
from candlefish.capacity.world import WholeEnvironment
from candlefish.catalog.model import Database
from candlefish.errors import Misconfigured, Unavailable
from lab.nights.simulated_world import SimulatedWorld
from tests.support.clock import Clock

ROLE = "arn:aws:iam::222222222222:role/node"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    session = botocore.session.Session()
    with mock_aws():
        yield lambda service: session.create_client(service, region_name="us-west-2")


@pytest.fixture
def eks(aws: Any) -> Any:
    eks = aws("eks")
    eks.create_cluster(
        name="staging", roleArn=ROLE, resourcesVpcConfig={"subnetIds": ["subnet-1"]}, version="1.34"
    )
    for name in ("system", "spot"):
        eks.create_nodegroup(
            clusterName="staging",
            nodegroupName=name,
            nodeRole=ROLE,
            subnets=["subnet-1"],
            scalingConfig={"minSize": 1, "desiredSize": 2, "maxSize": 4},
        )
    return eks


@pytest.fixture
def rds(aws: Any) -> Any:
    rds = aws("rds")
    for name in ("main", "source"):
        rds.create_db_instance(
            DBInstanceIdentifier=name, DBInstanceClass="db.t4g.micro", Engine="postgres", AllocatedStorage=20
        )
    rds.create_db_instance_read_replica(DBInstanceIdentifier="copy", SourceDBInstanceIdentifier="source")
    return rds


def databases(rds: Any, *names: str) -> SleepingDatabases:
    return SleepingDatabases(rds, [Database(name=name, identifier=name) for name in names])


def test_all_three_sizes_of_a_nodegroup_are_set_together_and_read_back(eks: Any) -> None:
    groups = Nodegroups(eks, "staging")
    assert sorted(group["nodegroupName"] for group in groups.describe()) == ["spot", "system"]
    groups.scale("spot", {"minSize": 0, "desiredSize": 0, "maxSize": 1})
    seen = {group["nodegroupName"]: observed_nodegroup(group, []).state for group in groups.describe()}
    assert seen == {
        "spot": {"minSize": 0, "desiredSize": 0, "maxSize": 1},
        "system": {"minSize": 1, "desiredSize": 2, "maxSize": 4},
    }


def test_a_nodegroup_that_is_being_updated_is_looked_at_again(
    eks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError(
            {"Error": {"Code": "ResourceInUseException", "Message": "busy"}}, "UpdateNodegroupConfig"
        )

    monkeypatch.setattr(eks, "update_nodegroup_config", refuse)
    with pytest.raises(Unavailable, match="look again"):
        Nodegroups(eks, "staging").scale("spot", {"minSize": 0, "desiredSize": 0, "maxSize": 1})


def test_a_nodegroup_that_is_not_there_is_a_mistake_that_says_so(eks: Any) -> None:
    with pytest.raises(Misconfigured, match="gone"):
        Nodegroups(eks, "staging").scale("gone", {"minSize": 0, "desiredSize": 0, "maxSize": 1})


def test_a_database_is_stopped_and_started(rds: Any) -> None:
    some = databases(rds, "main")
    some.set("Database", "main", "stopped")
    assert [observed_database(each["DBInstanceStatus"]).state for each in some.instances()] == [
        {"status": "stopped"}
    ]
    some.set("Database", "main", "available")
    assert [observed_database(each["DBInstanceStatus"]).ready for each in some.instances()] == [True]


def test_a_database_that_cannot_be_stopped_now_is_looked_at_again(rds: Any) -> None:
    some = databases(rds, "main")
    some.set("Database", "main", "stopped")
    with pytest.raises(Unavailable, match="look again"):
        some.set("Database", "main", "stopped")


def test_replicas_and_their_sources_are_left_alone(rds: Any) -> None:
    some = databases(rds, "main", "source", "copy", "never-made")
    reasons = {each["DBInstanceIdentifier"]: instance_stays(each) for each in some.instances()}
    assert reasons["main"] == ""
    assert "source of read replicas" in reasons["source"]
    assert "a read replica" in reasons["copy"]
    assert len(reasons) == 3


# --- the environment as a whole: the same cases in simulated time ----------------------------


class NoWorkloads:
    """A cluster with nothing in it: workloads stand in test_sleep."""

    def lists(self) -> ClusterLists:
        return ClusterLists({name: [] for name, kind in KINDS.items() if kind.in_cluster}, [], [], [], [])


@pytest.fixture(params=["fake", "aws"])
def whole(request: pytest.FixtureRequest) -> tuple[CapacityWorld, Clock]:
    """Two nodegroups and a database, and the clock that they go by."""
    clock = Clock()
    if request.param == "fake":
        world = SimulatedWorld(clock, "staging")
        for name in ("system", "spot"):
            world.add_nodegroup(name, 1, 2, 4)
        world.add_database("main")
        return world, clock
    eks, rds = request.getfixturevalue("eks"), request.getfixturevalue("rds")
    return WholeEnvironment(
        NoWorkloads(), Nodegroups(eks, "staging"), databases(rds, "main"), "staging", "staging"
    ), clock  # type: ignore[arg-type]


def state(sight: CapacitySight, key: str) -> Any:
    return sight.things[key].state


def test_everything_in_scope_is_observed(whole: tuple[CapacityWorld, Clock]) -> None:
    sight = whole[0].observe()
    assert set(sight.things) == {"Nodegroup/system", "Nodegroup/spot", "Database/main"}
    assert state(sight, "Nodegroup/spot") == {"minSize": 1, "desiredSize": 2, "maxSize": 4}
    assert state(sight, "Database/main") == {"status": "available"}


def test_what_is_set_takes_effect_and_setting_it_again_is_harmless(
    whole: tuple[CapacityWorld, Clock],
) -> None:
    world, clock = whole
    small = {"minSize": 0, "desiredSize": 0, "maxSize": 1}
    for _ in range(2):
        world.apply(CapacityAct("Nodegroup/spot", small))
        clock.forward(900)
        assert state(world.observe(), "Nodegroup/spot") == small
    assert state(world.observe(), "Nodegroup/system")["desiredSize"] == 2


def test_a_database_sleeps_and_wakes_and_is_busy_meanwhile(whole: tuple[CapacityWorld, Clock]) -> None:
    world, clock = whole
    for status in ("stopped", "available"):
        world.apply(CapacityAct("Database/main", {"status": status}))
        clock.forward(900)
        assert state(world.observe(), "Database/main") == {"status": status}
        with pytest.raises(Unavailable):
            world.apply(CapacityAct("Database/main", {"status": status}))
