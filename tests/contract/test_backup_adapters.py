"""Backups, drills, secrets and routing as AWS shows them, through the real adapters."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import botocore.session
import msgspec
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from candlefish.adapters.aws.backups import AwsBackups
from candlefish.adapters.aws.eventbridge import EventBus
from candlefish.adapters.aws.lambda_probe import LambdaProbe
from candlefish.adapters.aws.nodegroups import EksNodeGroups
from candlefish.adapters.aws.rds_restores import RdsRestores
from candlefish.adapters.aws.route53 import AliasRoutes, Cnames
from candlefish.adapters.aws.routing_controls import RoutingControls
from candlefish.adapters.table.drills import DynamoDrills
from candlefish.adapters.table.failovers import DynamoStableVersions
from candlefish.backups.model import BackupSignal, DrillStepInput
from candlefish.backups.news import signal_event
from candlefish.backups.ports import DrillPorts
from candlefish.backups.record import Drill
from candlefish.backups.rules import judge_backups
from candlefish.backups.step_drill import begin_drill, move_drill
from candlefish.catalog.model import ScratchSettings
from candlefish.errors import BackupUnusable, Misconfigured, NotAllowed, Unavailable
from candlefish.service.model import Version
from lab.memory.events import MemoryEvents
from lab.memory.restores import MemoryInspector
from lab.memory.service import MemoryRecords
from lab.moto import restore
from lab.moto import route53 as lab_route53
from lab.moto import secrets as lab_secrets
from lab.moto.rds import Hooks
from tests.support.failover.aws import TABLE, AwsWorld, aws_world
from tests.support.failover.catalog import AWAY, HOME
from tests.support.service import fresh, image
from tests.support.waiting import rounds


class Broken(Hooks):
    """Restores come up in whatever status a test says."""

    status = "available"

    def restored(self, instance: Any, snapshot: Any) -> str:
        return self.status


@pytest.fixture
def hooks() -> Broken:
    return Broken()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, hooks: Broken) -> Iterator[AwsWorld]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with aws_world(hooks) as made:
        lab_secrets.install()
        lab_route53.install()
        yield made
    restore()


# --- the audit ------------------------------------------------------------------------------


def reader(world: AwsWorld, **changes: Any) -> AwsBackups:
    made = world.make_table()
    recovery = msgspec.structs.replace(world.environment.recovery, buckets=("uploads",))
    env = msgspec.structs.replace(world.environment, recovery=recovery, **changes)
    record = msgspec.structs.replace(
        fresh("api"),
        stable="blue",
        slots={
            **fresh("api").slots,
            "blue": msgspec.structs.replace(
                fresh("api").slots["blue"], state="stable", version=Version(image(1), "1.0")
            ),
        },
    )
    there = DynamoStableVersions(made._client, TABLE, "production")
    return AwsBackups(env, world.catalog, world.client, MemoryRecords(record), there, time.time)


def test_reads_no_versions_where_nobody_could_know_them(world: AwsWorld) -> None:
    alone = AwsBackups(world.environment, world.catalog, world.client, MemoryRecords(), None, time.time)
    assert alone.read().versions == {}


def test_reads_what_is_kept_and_what_is_not(world: AwsWorld) -> None:
    began = time.time()
    world.make_database()
    world.make_cache()
    home = world.client("rds", HOME)
    home.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="nightly")
    arn = home.describe_db_snapshots(DBSnapshotIdentifier="nightly")["DBSnapshots"][0]["DBSnapshotArn"]
    world.client("rds", AWAY).copy_db_snapshot(
        SourceDBSnapshotIdentifier=arn, TargetDBSnapshotIdentifier="nightly-copy", SourceRegion=HOME
    )
    replicated_bucket(world)
    backups = reader(world).read()
    kept = backups.databases["main"]
    assert kept is not None
    assert kept.retention_days == 30
    assert began - 1 <= kept.snapshot_at <= time.time()
    assert [copy.identifier for copy in kept.copies] == ["nightly-copy"]
    assert (kept.replica_status, kept.replica_lag) == ("available", 2.0)
    bucket = backups.buckets["uploads"]
    assert bucket == replicated_to(AWAY)
    assert backups.unreadable == {}
    assert backups.versions["api"].here.short == "1.0"  # type: ignore[union-attr]
    verdicts = {
        (f.rule, f.subject): f.verdict for f in judge_backups(backups, world.environment, time.time())
    }
    assert verdicts["retention", "database/main"] == "pass"
    assert verdicts["encryption", "database/main"] == "fail"
    assert verdicts["recovery-copy", "database/main"] == "pass"
    assert verdicts["secret-replica", "secret/app/database"] == "fail"
    assert verdicts["cache-snapshot", "cache/sessions"] == "fail"
    assert verdicts["stable-version", "service/api"] == "fail"


def replicated_to(region: str) -> Any:
    from candlefish.backups.model import BucketReplication

    return BucketReplication(regions=(region,), versioned=True, latency=None, failed=0.0)


def replicated_bucket(world: AwsWorld) -> None:
    home, away = world.client("s3", HOME), world.client("s3", AWAY)
    home.create_bucket(Bucket="uploads", CreateBucketConfiguration={"LocationConstraint": HOME})
    away.create_bucket(Bucket="uploads-copy")
    for client, name in ((home, "uploads"), (away, "uploads-copy")):
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    rule = {
        "ID": "all",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": "arn:aws:s3:::uploads-copy"},
    }
    home.put_bucket_replication(
        Bucket="uploads",
        ReplicationConfiguration={"Role": "arn:aws:iam::123456789012:role/x", "Rules": [rule]},
    )


def test_what_is_missing_is_named_with_the_reason_and_the_rest_is_read(world: AwsWorld) -> None:
    backups = reader(world).read()
    assert backups.databases == {"main": None}
    assert "DBInstanceNotFound" in backups.unreadable["database/main"]
    assert backups.buckets == {"uploads": None}
    assert "NoSuchBucket" in backups.unreadable["bucket/uploads"]
    assert "ResourceNotFoundException" in backups.unreadable["secret/app/database"]
    assert "cache/sessions" in backups.unreadable
    assert backups.versions["api"] is not None


def test_reads_replicas_of_secrets_and_their_rotation(world: AwsWorld) -> None:
    secrets = world.client("secretsmanager", HOME)
    secrets.create_secret(Name="app/database", SecretString="{}", AddReplicaRegions=[{"Region": AWAY}])
    secrets.rotate_secret(
        SecretId="app/database",
        RotationRules={"AutomaticallyAfterDays": 30},
        RotateImmediately=False,
    )
    state = reader(world).read().secrets["app/database"]
    assert state is not None
    assert state.replicas == {AWAY: ("InSync", "Replication succeeded")}
    assert (state.rotates, state.rotation_days) == (True, 30)


def test_a_replicated_secret_is_cut_off_before_it_is_written(world: AwsWorld) -> None:
    from candlefish.adapters.aws.secret_hosts import SecretHosts

    value = json.dumps({"host": "old.example", "username": "app", "password": "p"})
    home = world.client("secretsmanager", HOME)
    home.create_secret(Name="app/database", SecretString=value, AddReplicaRegions=[{"Region": AWAY}])
    away = SecretHosts(AWAY, world.client("secretsmanager", AWAY))
    assert (away.read("app/database").host, away.read("app/database").replica) == ("old.example", True)
    for _ in range(2):
        away.set_host("app/database", "new.example")
    assert (away.read("app/database").host, away.read("app/database").replica) == ("new.example", False)
    assert SecretHosts(HOME, home).read("app/database").host == "old.example"


# --- drills ---------------------------------------------------------------------------------


def answers(*given: Any) -> MemoryInspector:
    """Stands in for the probe function, as moto has no database to read: one answer after the other."""
    left = list(given)

    def find() -> dict[str, Any]:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: dict[str, Any] = answer
        return found

    return MemoryInspector(find)


FOUND = {"beat_at": time.time() - 30, "beats": 3, "tables": 2, "rows": 9}


def drill_once(world: AwsWorld, inspector: MemoryInspector) -> Drill:
    world.make_database()
    rds = world.client("rds", HOME)
    subnet = subnets(world)
    scratch = ScratchSettings(subnet_group=subnet, security_group=world.groups[HOME][1])
    database = msgspec.structs.replace(world.database, scratch=scratch)
    env = msgspec.structs.replace(world.environment, databases=(database,))
    rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="nightly")
    drills = DynamoDrills(world.make_table()._client, TABLE, "production")
    ports = DrillPorts(env, RdsRestores(rds), inspector, drills, MemoryEvents(), time.time)
    begin_drill(DrillStepInput("begin", "q4", "main", "lead"), ports=ports)
    for _ in rounds(lambda: drills.read("q4"), every=0.02):
        moved = move_drill("q4", ports=ports, poll=0.02)
        if moved.done:
            break
    left = [i["DBInstanceIdentifier"] for i in rds.describe_db_instances()["DBInstances"]]
    assert left == ["orders"]
    found = drills.read("q4")
    assert found is not None
    return found


def subnets(world: AwsWorld) -> str:
    ec2 = world.client("ec2", HOME)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ids = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{n}.0/24", AvailabilityZone=f"{HOME}{z}")["Subnet"][
            "SubnetId"
        ]
        for n, z in enumerate("ab")
    ]
    world.client("rds", HOME).create_db_subnet_group(
        DBSubnetGroupName="isolated", DBSubnetGroupDescription="drills", SubnetIds=ids
    )
    return "isolated"


def test_a_drill_restores_reads_and_deletes(world: AwsWorld) -> None:
    inspector = answers(Unavailable("it is starting up"), FOUND)
    drill = drill_once(world, inspector)
    assert drill.outcome == "passed", drill.why
    assert drill.snapshot.identifier == "nightly"
    assert all("secret:rds" in arn for arn in inspector.secrets)


def test_a_drill_of_a_backup_that_does_not_come_up_fails_and_deletes(world: AwsWorld, hooks: Broken) -> None:
    hooks.status = "incompatible-restore"
    drill = drill_once(world, answers())
    assert (drill.outcome, drill.why) == ("failed", "the restored instance is incompatible-restore")


def test_nothing_without_the_drills_tag_is_deleted(world: AwsWorld) -> None:
    world.make_database()
    restores = RdsRestores(world.client("rds", HOME))
    live = restores.scratch("orders")
    assert live is not None and live.drill == ""
    with pytest.raises(NotAllowed, match="is not the scratch instance of a drill"):
        restores.delete(msgspec.structs.replace(live, drill="q4"))
    assert world.copy(HOME, "orders").status == "available"


# --- the other edges --------------------------------------------------------------------------


def test_hosts_are_led_in_one_change(world: AwsWorld) -> None:
    client = world.client("route53", "us-east-1")
    here = AliasRoutes(client, world.zone, "lb-east.elb.example", "Z35SXDOTRQ7X7K")
    hosts = ["web.internal.example", "api.internal.example"]
    assert here.read(hosts) == dict.fromkeys(hosts, "")
    here.lead(hosts)
    here.lead(hosts)
    assert here.read(hosts) == dict.fromkeys(hosts, "lb-east.elb.example")


HOST = "web.internal.example"
OLD, NEW = "dualstack.lb-west.elb.example.", "lb-east.elb.example"
POLICIES: list[dict[str, Any]] = [
    {},
    {"SetIdentifier": "one", "Weight": 100},
    {"SetIdentifier": "one", "Failover": "PRIMARY"},
    {"SetIdentifier": "one", "Region": "us-west-2"},
    {"SetIdentifier": "one", "GeoLocation": {"CountryCode": "*"}},
    {"SetIdentifier": "one", "MultiValueAnswer": True},
]


class Zone:
    """A hosted zone, and hosts in it as people have written them."""

    def __init__(self, world: AwsWorld) -> None:
        self.client, self.id = world.client("route53", "us-east-1"), world.zone
        self.here = AliasRoutes(self.client, self.id, NEW, "Z35SXDOTRQ7X7K")

    def write(self, kind: str, **fields: Any) -> None:
        record = {"Name": HOST, "Type": kind, **fields}
        self.client.change_resource_record_sets(
            HostedZoneId=self.id, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        )

    def alias(self, kind: str, to: str = OLD, zone: str = "Z1H1FL5HABSF5", **more: Any) -> None:
        target = {"HostedZoneId": zone, "DNSName": to, "EvaluateTargetHealth": True}
        self.write(kind, AliasTarget=target, **more)

    def stored(self) -> list[dict[str, Any]]:
        sets = self.client.list_resource_record_sets(HostedZoneId=self.id)["ResourceRecordSets"]
        return [each for each in sets if each["Name"].rstrip(".") == HOST]


@pytest.fixture
def zone(world: AwsWorld) -> Zone:
    return Zone(world)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda each: next(reversed(each), "simple"))
def test_every_address_record_of_a_host_is_led_as_it_is(zone: Zone, policy: dict[str, Any]) -> None:
    """A load balancer with IPv6 has two aliases: who comes by the second one must not stay with the dead region."""
    for kind in ("A", "AAAA"):
        zone.alias(kind, **policy)
    assert zone.here.read([HOST]) == {HOST: "lb-west.elb.example"}
    before = zone.stored()
    zone.here.lead([HOST])
    assert zone.here.read([HOST]) == {HOST: NEW}
    after = zone.stored()
    assert [each["AliasTarget"]["DNSName"].rstrip(".") for each in after] == [NEW, NEW]
    for each in (*before, *after):
        del each["AliasTarget"]["DNSName"], each["AliasTarget"]["HostedZoneId"]
    assert after == before, "policy, health checks and all else"


def test_a_host_whose_records_lead_to_both_sites_is_not_taken_for_led(zone: Zone) -> None:
    zone.alias("A", NEW)
    zone.alias("AAAA")
    assert zone.here.read([HOST]) == {HOST: f"{NEW} and lb-west.elb.example"}


@pytest.mark.parametrize("policy", POLICIES, ids=lambda each: next(reversed(each), "simple"))
def test_a_cname_keeps_its_policy_and_its_ttl(zone: Zone, policy: dict[str, Any]) -> None:
    zone.write("CNAME", TTL=45, ResourceRecords=[{"Value": "lb-west.elb.example"}], **policy)
    zone.here.lead([HOST])
    assert zone.here.read([HOST]) == {HOST: NEW}
    Cnames(zone.client).point(zone.id, HOST, "db.example")
    assert Cnames(zone.client).read(zone.id, HOST) == "db.example"
    (stored,) = zone.stored()
    assert (stored["TTL"], stored["Type"]) == (45, "CNAME")
    assert {key: stored[key] for key in policy} == policy


def test_an_alias_of_type_cname_is_read(zone: Zone) -> None:
    zone.alias("CNAME", "other.internal.example.")
    assert Cnames(zone.client).read(zone.id, HOST) == "other.internal.example"


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([("A", {"TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]})], "A record .* holds addresses"),
        (
            [
                (kind, {"TTL": 60, "ResourceRecords": [{"Value": value}]})
                for kind, value in (("HTTPS", "1 . ipv4hint=192.0.2.1"), ("AAAA", "2001:db8::1"))
            ],
            "AAAA record .* holds addresses|HTTPS record .* hints",
        ),
        (
            [("A", {"SetIdentifier": name, "Weight": 1}) for name in "ab"],
            "2 A records .* by a routing policy",
        ),
        ([("A", {"zone": "Z2FDTNDATAQYW2"})], "leads to CloudFront"),
    ],
    ids=["addresses", "hints", "two weights", "CloudFront"],
)
def test_what_could_not_be_led_is_refused_when_it_is_read(
    zone: Zone, records: list[tuple[str, dict[str, Any]]], said: str
) -> None:
    """Not in the middle of the failover, when users have been cut off."""
    for kind, fields in records:
        (zone.write if "ResourceRecords" in fields else zone.alias)(kind, **fields)
    with pytest.raises(Misconfigured, match=said):
        zone.here.read([HOST])


def test_an_endpoint_that_is_no_cname_is_refused_when_it_is_read(zone: Zone) -> None:
    zone.alias("A")
    with pytest.raises(Misconfigured, match="a failover points a CNAME"):
        Cnames(zone.client).read(zone.id, HOST)


def test_the_lab_refuses_what_route_53_refuses(zone: Zone) -> None:
    zone.alias("A", SetIdentifier="one", Weight=100)
    with pytest.raises(ClientError, match="InvalidChangeBatch"):
        zone.alias("A")
    with pytest.raises(ClientError, match="conflicts with other records"):
        zone.write("CNAME", TTL=1, ResourceRecords=[{"Value": "x.example"}])


def test_findings_reach_the_bus_or_say_that_they_did_not() -> None:
    class Events:
        def __init__(self, failed: int) -> None:
            self.failed = failed
            self.calls: list[Any] = []

        def put_events(self, **asked: Any) -> Any:
            self.calls.append(asked["Entries"])
            refused = [{"ErrorCode": "InternalFailure"}] * self.failed
            return {"FailedEntryCount": self.failed, "Entries": refused}

    bus = Events(0)
    signal = BackupSignal("backup-retention", "firing", 1.0, 0.0, {"environment": "production"}, "x")
    EventBus(bus, "bus").publish_all([signal_event(signal)] * 12)
    assert [len(call) for call in bus.calls] == [10, 2]
    assert json.loads(bus.calls[0][0]["Detail"])["name"] == "backup-retention"
    with pytest.raises(Unavailable, match="did not take 1 events"):
        EventBus(Events(1), "bus").publish_all([signal_event(signal)])


def test_nodes_are_raised_with_their_bounds(world: AwsWorld) -> None:
    eks = world.client("eks", AWAY)
    eks.create_cluster(
        name="c", roleArn="arn:aws:iam::123456789012:role/x", resourcesVpcConfig={"subnetIds": ["s"]}
    )
    eks.create_nodegroup(
        clusterName="c",
        nodegroupName="general",
        subnets=["s"],
        nodeRole="arn:aws:iam::123456789012:role/y",
        scalingConfig={"minSize": 0, "maxSize": 2, "desiredSize": 1},
    )
    nodes = EksNodeGroups(eks, "c")
    assert nodes.read({"missing": 1}) == {}
    assert (nodes.read({"general": 4})["general"].desired, nodes.read({"general": 4})["general"].needed) == (
        1,
        4,
    )


class Functions:
    def __init__(self, payload: Any, failed: bool = False) -> None:
        self.payload, self.failed = payload, failed

    def invoke(self, **asked: Any) -> Any:
        self.asked = json.loads(asked["Payload"])
        answer: dict[str, Any] = {"Payload": io.BytesIO(json.dumps(self.payload).encode())}
        return {**answer, "FunctionError": "Unhandled"} if self.failed else answer


def test_the_probes_errors_are_ours_again(world: AwsWorld) -> None:
    probe = LambdaProbe(Functions({"epoch": 3}), "probe")
    assert probe.begin_epoch(world.database, "db.example", 3) == {"epoch": 3}
    broken = Functions({"errorType": "BackupUnusable", "errorMessage": "invalid page"}, failed=True)
    with pytest.raises(BackupUnusable, match="invalid page"):
        LambdaProbe(broken, "probe").begin_epoch(world.database, "db.example", 3)
    late = Functions({"errorType": "Sandbox.Timedout", "errorMessage": "timed out"}, failed=True)
    with pytest.raises(Unavailable, match="timed out"):
        LambdaProbe(late, "probe").begin_epoch(world.database, "db.example", 3)


# --- ARC routing controls (moto has none: the calls are checked against botocore's model) --------

CONTROLS = {
    HOME: "arn:aws:route53-recovery-control::1:controlpanel/a/routingcontrol/1",
    AWAY: "arn:aws:route53-recovery-control::1:controlpanel/a/routingcontrol/2",
}


def arc() -> tuple[Any, Stubber]:
    client = botocore.session.Session().create_client(
        "route53-recovery-cluster",
        region_name=HOME,
        endpoint_url="https://x.route53-recovery-cluster.us-west-2.amazonaws.com",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    return client, Stubber(client)


def test_routing_controls_are_switched_together_through_whichever_endpoint_answers() -> None:
    (dead, dead_stub), (alive, alive_stub) = arc(), arc()
    for _ in range(3):
        dead_stub.add_client_error(
            "get_routing_control_state", "InternalServerException", http_status_code=500
        )
    dead_stub.add_client_error(
        "update_routing_control_states", "EndpointTemporarilyUnavailableException", http_status_code=503
    )
    for region, state in ((HOME, "On"), (AWAY, "Off")):
        alive_stub.add_response(
            "get_routing_control_state",
            {"RoutingControlArn": CONTROLS[region], "RoutingControlState": state},
            {"RoutingControlArn": CONTROLS[region]},
        )
    entries = [
        {"RoutingControlArn": CONTROLS[HOME], "RoutingControlState": "Off"},
        {"RoutingControlArn": CONTROLS[AWAY], "RoutingControlState": "On"},
    ]
    alive_stub.add_response(
        "update_routing_control_states", {}, {"UpdateRoutingControlStateEntries": entries}
    )
    with dead_stub, alive_stub:
        routes = RoutingControls({"a": dead, "b": alive}, CONTROLS, AWAY, "lb-east")
        assert routes.read(["web.example"]) == {"web.example": HOME}
        dead_stub._queue.popleft()
        routes.lead(["web.example"])
        alive_stub.assert_no_pending_responses()


def test_no_endpoint_of_the_arc_cluster_answering_says_so() -> None:
    client, stub = arc()
    stub.add_client_error("update_routing_control_states", "InternalServerException", http_status_code=500)
    with stub, pytest.raises(Unavailable, match="no endpoint of the ARC cluster answers"):
        RoutingControls({"a": client}, CONTROLS, AWAY, "lb-east").lead(["web.example"])
