"""Recovery, shown: two regions with real databases behind them, and clients that count what they lost.

`python -m lab.scenes.recovery [PLAN ...] [--report FILE]` brings up the control plane in both regions of
production, lets an application write through the database's endpoint, and drives each plan through
the deployed functions and machines as people do: asked for by one, approved by another. It prints what
the product measured beside what the clients saw.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from candlefish.adapters.aws.elasticache import ElastiCacheCaches
from candlefish.adapters.aws.route53 import AliasRoutes, Cnames
from candlefish.adapters.postgres import Connection, Login
from candlefish.adapters.table.failovers import DynamoRuns
from candlefish.catalog.compile import compile as compile_catalog
from candlefish.catalog.model import Cache, Database, Endpoint, Environment, Replica, Routing, Scratch
from candlefish.failover.evidence import measured
from candlefish.failover.model import Run
from lab.databases.postgres import DATABASE, PASSWORD, USER, missing
from lab.databases.rds_servers import Client, Plane
from lab.faults import Fault
from lab.moto import ACCOUNT
from lab.moto import secrets as moto_secrets
from lab.moto.elasticache import ElastiCache
from lab.moto.rds import Rds
from lab.moto.timeline import Timeline
from lab.scenes import helm_chart
from lab.scenes.driver import call_url
from lab.world import FIRST_VERSION, Site, World

ENV = "production"
SERVICES = ("backend-api", "api-gateway")
# Comes as a bundle from Helm; the recovery region has to have that too.
BUNDLED = "api-gateway"
# A minute of AWS takes two seconds.
TIME_SCALE = 30.0
BUCKET = "candlefish-lab-uploads"
REQUESTER, APPROVER = "platform-lead", "product-lead"
NAMES = (
    "database-in-region",
    "cache-in-region",
    "drill",
    "database-cross-region",
    "cache-cross-region",
    "application",
    "database-failback",
)


class RecoveryWorld(World):
    """The lab with a second region, databases, caches and DNS."""

    def __init__(self, directory: Path, say: Callable[[str], None] = lambda text: None) -> None:
        super().__init__(directory, time_scale=TIME_SCALE, say=say)
        self.timeline = Timeline(TIME_SCALE)
        self.plane = Plane(self.timeline, self._report_lag)
        self.elasticache = ElastiCache(self.timeline)
        Rds(self.timeline, self.plane).install()
        self.elasticache.install()
        moto_secrets.install()
        self.plane.install()
        services = {name: self.catalog.services[name] for name in SERVICES}
        self.catalog = msgspec.structs.replace(self.catalog, services=services)
        # The same stack in the recovery region; made together with the one at home.
        self.standby: Site

    @property
    def environment(self) -> Environment:
        return self.catalog.environments[ENV]

    @property
    def home(self) -> str:
        return self.environment.region

    @property
    def away(self) -> str:
        return self.environment.recovery_region

    # --- up and down ------------------------------------------------------------------------

    def _asked_for(self, values: dict[str, str]) -> dict[str, str]:
        return super()._asked_for({**values, "RecoverySpeed": str(TIME_SCALE), "DatabaseCaPath": ""})

    def _make_site(self, name: str, number: int) -> Site:
        self._make_data()
        standby = msgspec.structs.replace(
            self.environment, region=self.away, cluster=f"{self.environment.cluster}-recovery"
        )
        catalog = self.catalog
        self.catalog = msgspec.structs.replace(catalog, environments={**catalog.environments, ENV: standby})
        try:
            self.standby = super()._make_site(name, number + 50)
        finally:
            self.catalog = catalog
        site = super()._make_site(name, number)
        self._point_everything_home()
        return site

    def _more_of(self, environment: str, service: str) -> dict[str, str]:
        if service != BUNDLED:
            return {}
        site = self.sites[environment]
        s3, bucket = self.clients(site.region)("s3"), site.stack.outputs["BundlesBucket"]
        return helm_chart.upload(s3, bucket, helm_chart.rendered(service, self.image(service, FIRST_VERSION)))

    def down(self) -> None:
        self.plane.close()
        super().down()

    # --- what the account holds --------------------------------------------------------------

    def _make_data(self) -> None:
        """Security groups, databases, caches, secrets and zones; the catalog learns their ids."""
        groups = {
            (region, name): self.clients(region)("ec2").create_security_group(
                GroupName=f"database-{name}", Description=name
            )["GroupId"]
            for region in (self.home, self.away)
            for name in ("clients", "fence", "drill")
        }
        self.plane.open_groups = {gid for (_, name), gid in groups.items() if name != "fence"}
        dns = self.clients("us-east-1")("route53")
        zones = {
            name: dns.create_hosted_zone(Name=name, CallerReference=name)["HostedZone"]["Id"].split("/")[-1]
            for name in ("candlefish.internal", "candlefish.ai")
        }
        database = Database(
            name="main",
            identifier="candlefish-production",
            secret="candlefish/production/database",
            replica=Replica(
                identifier="candlefish-production-replica",
                region=self.away,
                groups=(groups[self.away, "clients"],),
                fence_group=groups[self.away, "fence"],
            ),
            groups=(groups[self.home, "clients"],),
            fence_group=groups[self.home, "fence"],
            endpoint=Endpoint(zone=zones["candlefish.internal"], name="db.candlefish.internal"),
            scratch=Scratch(subnet_group="drills", security_group=groups[self.home, "drill"]),
        )
        cache = Cache(
            name="sessions",
            replication_group="candlefish-production",
            global_datastore="ldgnf-candlefish-sessions",
            endpoint=Endpoint(zone=zones["candlefish.internal"], name="cache.candlefish.internal"),
        )
        recovery = msgspec.structs.replace(
            self.environment.recovery,
            standby=True,
            nodes={"default": 4},
            buckets=(BUCKET,),
            routing=Routing(zone=zones["candlefish.ai"]),
        )
        changed = msgspec.structs.replace(
            self.environment, databases=(database,), caches=(cache,), recovery=recovery
        )
        self.catalog = msgspec.structs.replace(
            self.catalog, environments={**self.catalog.environments, ENV: changed}
        )
        self.catalog_path.write_bytes(compile_catalog(self.catalog))
        self._make_database(database, groups)
        self._make_cache(cache)
        self._make_bucket()

    def _make_database(self, database: Database, groups: dict[tuple[str, str], str]) -> None:
        from moto.rds.models import rds_backends

        home, away = self.clients(self.home)("rds"), self.clients(self.away)("rds")
        ec2 = self.clients(self.home)("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.99.{n}.0/24", AvailabilityZone=f"{self.home}{zone}")[
                "Subnet"
            ]["SubnetId"]
            for n, zone in enumerate("ab")
        ]
        home.create_db_subnet_group(
            DBSubnetGroupName="drills", DBSubnetGroupDescription="isolated", SubnetIds=subnets
        )
        arn = home.create_db_instance(
            DBInstanceIdentifier=database.identifier,
            DBInstanceClass="db.r6g.large",
            Engine="postgres",
            MasterUsername=USER,
            MasterUserPassword=PASSWORD,
            AllocatedStorage=20,
            MultiAZ=True,
            BackupRetentionPeriod=30,
            StorageEncrypted=True,
            VpcSecurityGroupIds=list(database.groups),
        )["DBInstance"]["DBInstanceArn"]
        server = self.plane.primary(rds_backends[ACCOUNT][self.home].databases[database.identifier])
        with server.connect() as sql:
            sql.execute("create table orders (n bigint primary key, at timestamptz not null)")
        assert database.replica
        away.create_db_instance_read_replica(
            DBInstanceIdentifier=database.replica.identifier,
            SourceDBInstanceIdentifier=arn,
            VpcSecurityGroupIds=[groups[self.away, "clients"]],
        )
        secret = {
            "host": "db.candlefish.internal",
            "username": USER,
            "password": PASSWORD,
            "dbname": DATABASE,
        }
        # The heartbeat connects by the secret; the lab has no resolver, so it names the address.
        secret["host"] = self._address(self.home, database.identifier)
        self.clients(self.home)("secretsmanager").create_secret(
            Name=database.secret,
            SecretString=json.dumps(secret),
            AddReplicaRegions=[{"Region": self.away}],
        )

    def _make_cache(self, cache: Cache) -> None:
        for region in (self.home, self.away):
            name = cache.replication_group if region == self.home else f"{cache.replication_group}-away"
            self.clients(region)("elasticache").create_replication_group(
                ReplicationGroupId=name,
                ReplicationGroupDescription="sessions",
                ReplicasPerNodeGroup=1,
                PreferredCacheClusterAZs=[f"{region}a", f"{region}b"],
                AutomaticFailoverEnabled=True,
                MultiAZEnabled=True,
                SnapshotRetentionLimit=7,
            )
        self.clients(self.home)("elasticache").create_global_replication_group(
            GlobalReplicationGroupIdSuffix="candlefish-sessions",
            PrimaryReplicationGroupId=cache.replication_group,
        )
        self.elasticache.join(cache.global_datastore, self.away, f"{cache.replication_group}-away", ACCOUNT)

    def _make_bucket(self) -> None:
        copy = f"{BUCKET}-copy"
        home, away = self.clients(self.home)("s3"), self.clients(self.away)("s3")
        home.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": self.home})
        away.create_bucket(Bucket=copy)
        for client, name in ((home, BUCKET), (away, copy)):
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        rule = {
            "ID": "all",
            "Priority": 1,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{copy}"},
        }
        role = f"arn:aws:iam::{ACCOUNT}:role/replication"
        home.put_bucket_replication(Bucket=BUCKET, ReplicationConfiguration={"Role": role, "Rules": [rule]})

    def _point_everything_home(self) -> None:
        dns = self.clients("us-east-1")("route53")
        database, cache = self.environment.databases[0], self.environment.caches[0]
        assert database.endpoint and cache.endpoint and self.environment.recovery.routing
        records = Cnames(dns)
        records.point(
            database.endpoint.zone, database.endpoint.name, self._address(self.home, database.identifier)
        )
        facts = ElastiCacheCaches(self.home, self.clients(self.home)("elasticache")).read(
            cache.replication_group, cache.global_datastore
        )
        records.point(cache.endpoint.zone, cache.endpoint.name, facts.address)
        self.routes(self.home).lead(self.hosts())

    def _address(self, region: str, identifier: str) -> str:
        found = self.clients(region)("rds").describe_db_instances(DBInstanceIdentifier=identifier)
        return str(found["DBInstances"][0]["Endpoint"]["Address"])

    def _report_lag(self, region: str, identifier: str, seconds: float) -> None:
        self.clients(region)("cloudwatch").put_metric_data(
            Namespace="AWS/RDS",
            MetricData=[
                {
                    "MetricName": "ReplicaLag",
                    "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": identifier}],
                    "Value": seconds,
                    "Timestamp": time.time() - 0.5,
                }
            ],
        )

    # --- people and clients --------------------------------------------------------------------

    def hosts(self) -> list[str]:
        return [self.host(ENV, name) for name in SERVICES]

    def routes(self, region: str) -> AliasRoutes:
        from candlefish.adapters.aws.elbv2 import load_balancer_of

        routing = self.environment.recovery.routing
        assert routing and routing.zone
        site = self.standby if region == self.away else None
        listener = site.network.listener if site else self._listener(region)
        balancer = load_balancer_of(self.clients(region)("elbv2"), listener)
        return AliasRoutes(
            self.clients("us-east-1")("route53"), routing.zone, balancer.dns_name, balancer.zone
        )

    def _listener(self, region: str) -> str:
        elbv2 = self.clients(region)("elbv2")
        (balancer,) = elbv2.describe_load_balancers(Names=[f"candlefish-{ENV}"])["LoadBalancers"]
        (listener,) = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        return str(listener["ListenerArn"])

    def call(self, region: str, function: str, event: Any) -> Any:
        """Call a function of the stack in a region."""
        fn = self.aws.lambdas.find(f"candlefish-{ENV}-{function}", ACCOUNT, region)
        assert fn is not None, f"there is no {function} in {region}"
        outcome = self.aws.lambdas.call(fn, json.dumps(event).encode())
        answer = json.loads(outcome.payload)
        if outcome.error:
            raise RuntimeError(f"{function} failed: {answer.get('errorType')}: {answer.get('errorMessage')}")
        return answer

    def ask(self, region: str, person: str, **body: Any) -> dict[str, Any]:
        """Post to the failover desk of a region as a person."""
        site = self.standby if region == self.away else self.sites[ENV]
        status, answer = call_url(self, site.stack.outputs["FailoverUrl"], body, person=person, region=region)
        if status != 200:
            raise RuntimeError(
                f"{body['do']} of {body['target']} was refused ({status}): {answer['message']}"
            )
        return dict(answer)

    def runs(self, region: str) -> DynamoRuns:
        return DynamoRuns(self.clients(region)("dynamodb"), f"candlefish-{ENV}", ENV)

    def follow(self, region: str, target: str, seconds: float = 120.0) -> Run:
        """Wait until a failover is over, saying what happens."""
        said: set[str] = set()
        deadline = time.monotonic() + seconds
        while True:
            run = self.runs(region).current(target)
            assert run is not None
            for entry in self.runs(region).entries(run):
                line = f"    {entry.at - run.requested_at:6.1f} s  {entry.kind:18} {entry.reason}"
                if line not in said:
                    said.add(line)
                    self._say(line)
            if run.status in ("done", "abandoned", "stopped"):
                return run
            if time.monotonic() > deadline:
                raise TimeoutError(f"failover {run.id} is {run.status} after {seconds:.0f} s: {run.why}")
            time.sleep(0.2)

    def resolve(self) -> str:
        """What the database's record points at."""
        endpoint = self.environment.databases[0].endpoint
        assert endpoint
        return Cnames(self.clients("us-east-1")("route53")).read(endpoint.zone, endpoint.name)

    def client(self) -> Client:
        """An application that writes through the database's endpoint."""
        cached: dict[str, Any] = {"at": 0.0, "value": ""}

        def resolve() -> str:
            # A resolver keeps a record for its TTL.
            if time.monotonic() - cached["at"] > 30 / TIME_SCALE:
                cached.update(at=time.monotonic(), value=self.resolve())
            return str(cached["value"])

        return Client(resolve, lambda host: Connection(Login(host, USER, PASSWORD, DATABASE), 2.0))


# --- the plans --------------------------------------------------------------------------------


def fail_over(
    world: RecoveryWorld, target: str, plan: str, region: str, kills: int = 0, **more: Any
) -> dict[str, Any]:
    """Show the plan, ask, approve where that is asked for, follow, and compare with what clients saw.

    The executor's process is killed `kills` times on the way, each time right after a call to AWS took effect.
    """
    fault = ""
    if kills:
        caller = f"candlefish-{ENV}-step-failover"
        fault = world.faults.add(
            Fault(
                boundary="aws",
                kind="kill_caller_after",
                service="rds",
                operation="[MPR]*",
                caller=caller,
                count=kills,
            )
        )
    client = world.client() if target.startswith("database") else None
    if client:
        client.start()
        time.sleep(1.0)
    shown = world.ask(region, REQUESTER, do="plan", target=target, plan=plan, **more)
    for check in shown["checks"]:
        world._say(f"    {'ok' if check['passed'] else '--'}  {check['name']}: {check['reason']}")
    began = time.time()
    started = world.ask(
        region, REQUESTER, do="start", target=target, plan=plan, reason="shown in the lab", **more
    )
    if started["asks"]:
        try:
            world.ask(
                region, REQUESTER, do="approve", target=target, reason="I am sure", accept=started["asks"]
            )
        except RuntimeError as refusal:
            world._say(f"    {refusal}")
        else:
            raise AssertionError("the requester approved their own failover")
        world.ask(region, APPROVER, do="approve", target=target, reason="agreed", accept=started["asks"])
    run = world.follow(region, target)
    if client:
        time.sleep(2.0)
        client.stop()
    numbers = measured(run)
    report: dict[str, Any] = {
        "target": target,
        "plan": plan,
        "status": run.status,
        "why": run.why,
        "executor_killed": sum(f.hits for f in world.faults.list() if f.id == fault),
        "lab_seconds": {
            "rto": numbers.rto,
            "rpo_at_most": numbers.rpo,
            "rpo_source": numbers.rpo_source,
            "decide": numbers.decide,
            "steps": numbers.steps,
        },
        "rto_at_aws_speed": round(numbers.rto * TIME_SCALE) if numbers.rto else None,
    }
    if client:
        report["client"] = seen_by(world, client, began)
    return report


def by_signal(world: RecoveryWorld, target: str) -> dict[str, Any]:
    """Start the machine as the `respond` machine does for a P0 signal; the policy allows it without a person."""
    arn = start_by_signal(world, target)
    run = world.follow(world.home, target)
    numbers = measured(run)
    ended = wait_for_machine(world, arn)
    return {
        "target": target,
        "plan": run.plan,
        "status": run.status if ended["status"] == "SUCCEEDED" else ended["status"],
        "why": run.why,
        "requested_by": run.requested_by,
        "lab_seconds": {"rto": numbers.rto, "detect": numbers.detect, "steps": numbers.steps},
    }


def start_by_signal(world: RecoveryWorld, target: str) -> str:
    """Start the failover machine with what a signal sends; the execution's ARN."""
    request = {
        "target": target,
        "environment": ENV,
        "requested_by": "signal:4f1c2a7be0d93a55",
        "reason": "unavailable: connections are refused",
        "failing_since": time.time() - 2,
    }
    before = world.runs(world.home).current(target)
    arn: str = world.clients(world.home)("stepfunctions").start_execution(
        stateMachineArn=world.sites[ENV].stack.outputs["FailoverMachineArn"],
        name=f"signal-{int(time.time() * 1000)}",
        input=json.dumps(request),
    )["executionArn"]
    deadline = time.monotonic() + 60
    while world.runs(world.home).current(target) == before and machine(world, arn)["status"] == "RUNNING":
        if time.monotonic() > deadline:
            raise TimeoutError(f"the signal's failover of {target} did not begin")
        time.sleep(0.1)
    return arn


def machine(world: RecoveryWorld, arn: str) -> dict[str, Any]:
    """What Step Functions says of an execution."""
    described: dict[str, Any] = world.clients(world.home)("stepfunctions").describe_execution(
        executionArn=arn
    )
    return described


def wait_for_machine(world: RecoveryWorld, arn: str, seconds: float = 60.0) -> dict[str, Any]:
    """Wait until an execution ended."""
    deadline = time.monotonic() + seconds
    while (ended := machine(world, arn))["status"] == "RUNNING":
        if time.monotonic() > deadline:
            raise TimeoutError(f"{arn} did not end within {seconds:.0f} s")
        time.sleep(0.2)
    return ended


def seen_by(world: RecoveryWorld, client: Client, since: float) -> dict[str, Any]:
    """What the application saw: how long it could not write, and which acknowledged rows are gone."""
    with Connection(Login(world.resolve(), USER, PASSWORD, DATABASE)) as sql:
        kept = {int(str(n)) for (n,) in sql.execute("select n from orders")}
    known = client.acknowledged()
    gone = sorted(at for row, at in known.items() if row not in kept)
    with Connection(Login(world.resolve(), USER, PASSWORD, DATABASE)) as sql:
        sql.execute("truncate orders")
    return {
        "writes": len(client.tries),
        "failed": client.failures(since),
        "downtime": round(client.downtime(since), 2),
        "acknowledged_but_lost": len(gone),
        "loss": round(gone[-1] - gone[0], 3) if gone else 0.0,
    }


def drill(world: RecoveryWorld) -> dict[str, Any]:
    """Take a snapshot, drill it through the machine; then one of a database whose sentinel is gone."""
    rds = world.clients(world.home)("rds")
    rds.create_db_snapshot(
        DBInstanceIdentifier=world.environment.databases[0].identifier, DBSnapshotIdentifier="nightly"
    )
    site = world.sites[ENV]
    machines = world.clients(world.home)("stepfunctions")
    name = f"drill-{int(time.time())}"
    arn = machines.start_execution(
        stateMachineArn=site.stack.outputs["DrillMachineArn"],
        name=name,
        input=json.dumps({"database": "main", "requested_by": REQUESTER}),
    )["executionArn"]
    deadline = time.monotonic() + 120
    while (ended := machines.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline, "the drill did not end"
        time.sleep(0.2)
    from candlefish.adapters.table.drills import DynamoDrills
    from candlefish.backups.drilling import numbers

    drills = DynamoDrills(world.clients(world.home)("dynamodb"), f"candlefish-{ENV}", ENV)
    done = drills.read(f"{name}-main")
    assert done is not None
    left = [i["DBInstanceIdentifier"] for i in rds.describe_db_instances()["DBInstances"]]
    world._say(f"    {done.outcome}: {done.why}")
    return {
        "plan": "drill",
        "status": "done" if ended["status"] == "SUCCEEDED" and done.outcome == "passed" else done.outcome,
        "why": done.why,
        "lab_seconds": numbers(done) if done.outcome == "passed" else {},
        "instances_left": left,
    }


def application(world: RecoveryWorld) -> dict[str, Any]:
    """Bring the services up in the recovery region, where they have never run, and lead users there."""
    report = fail_over(world, "application", "application", world.away)
    led = world.routes(world.away).read(world.hosts())
    here = world.routes(world.away)._balancer
    standby = world.standby
    answers = {}
    import urllib.request

    for host in world.hosts():
        request = urllib.request.Request(f"http://127.0.0.1:{standby.port}/health", headers={"Host": host})
        with urllib.request.urlopen(request, timeout=5) as answer:
            answers[host] = answer.status
    report |= {"led": {host: to == here for host, to in led.items()}, "answers": answers}
    return report


PLANS: dict[str, Callable[[RecoveryWorld], dict[str, Any]]] = {
    "database-in-region": lambda w: fail_over(w, "database/main", "database-in-region", w.home),
    "cache-in-region": lambda w: by_signal(w, "cache/sessions"),
    "drill": drill,
    "database-cross-region": lambda w: fail_over(
        w, "database/main", "database-cross-region", w.away, kills=3
    ),
    "cache-cross-region": lambda w: fail_over(w, "cache/sessions", "cache-cross-region", w.away),
    "application": application,
    "database-failback": lambda w: fail_over(w, "database/main", "database-failback", w.away),
}


def bring_up(directory: Path, say: Callable[[str], None]) -> RecoveryWorld:
    """A running world, with the replica in step.

    Raises
    ------
    lab.databases.postgres.PostgresMissing
        There is no PostgreSQL here.
    """
    world = RecoveryWorld(directory, say)
    try:
        world.up((ENV,), SERVICES)
        for service in SERVICES:
            world.call(world.away, "onboard", {"service": service})
        rds = world.clients(world.away)("rds")
        deadline = time.monotonic() + 60
        while rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] != "available":
            assert time.monotonic() < deadline, "the replica did not come up"
            time.sleep(0.2)
        world.call(world.home, "probe-database", {"do": "beat"})
        time.sleep(2.0)
    except BaseException:
        world.down()
        raise
    return world


def main(arguments: list[str]) -> int:
    """Run plans in order and print what was measured; 1 when one did not come to its end."""
    report_to = None
    if "--report" in arguments:
        at = arguments.index("--report")
        report_to = Path(arguments[at + 1])
        del arguments[at : at + 2]
    if why := missing():
        print(f"recovery cannot be shown: {why}", file=sys.stderr)
        return 2
    chosen = arguments or list(NAMES)
    reports = []
    with tempfile.TemporaryDirectory(prefix="candlefish-recovery-") as directory:
        world = bring_up(Path(directory), lambda text: print(text, flush=True))
        try:
            for name in chosen:
                print(f"\n{name}", flush=True)
                report = PLANS[name](world)
                reports.append(report)
                print(json.dumps({k: v for k, v in report.items() if k not in ("plan", "target")}, indent=2))
        finally:
            world.down()
    if report_to:
        report_to.parent.mkdir(parents=True, exist_ok=True)
        report_to.write_text(json.dumps(reports, indent=2) + "\n")
    return 0 if all(report["status"] == "done" for report in reports) else 1


if __name__ == "__main__":
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-west-2")
    sys.exit(main(sys.argv[1:]))
