"""Each plan's scene: it is asked for, approved, followed, and compared with what the application saw."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from typing import Any

from candlefish.adapters.table.drills import DynamoDrills
from candlefish.backups.evidence import measure_drill
from candlefish.failover.evidence import measure_run
from candlefish.failover.model import Run
from lab.choices import approver, second_approver
from lab.faults import Fault
from lab.scenes.recovery.application import Application
from lab.scenes.recovery.failovers import (
    ask_desk,
    follow,
    start_by_signal,
    start_machine,
    wait_for_machine,
)
from lab.scenes.recovery.two_regions import TIME_SCALE, RecoveryWorld

# A resolver keeps a record for its TTL.
TTL = 30 / TIME_SCALE
Report = dict[str, Any]


def fail_over(
    world: RecoveryWorld, target: str, plan: str, region: str, kills: int = 0, **more: Any
) -> Report:
    """Show the plan, ask, approve where that is asked for, follow, and compare with what the application saw.

    The executor's process is killed `kills` times on the way, each time right after a call to AWS took effect.
    """
    fault = _kill_executor(world, kills)
    application = Application(world.resolve, TTL) if target.startswith("database") else None
    if application:
        application.start()
        application.wait_until_it_writes()
        time.sleep(1.0)
    shown = ask_desk(world, region, approver(world.catalog), do="plan", target=target, plan=plan, **more)
    for check in shown["checks"]:
        world.say(f"    {'ok' if check['passed'] else '--'}  {check['name']}: {check['reason']}")
    began = time.time()
    _ask_and_approve(world, region, target, plan, **more)
    run = follow(world, region, target)
    report = _report(run, target, plan)
    report["executor_killed"] = sum(f.hits for f in world.faults.list() if f.id == fault)
    if application:
        application.wait_until_it_writes()
        application.stop()
        report["client"] = application.report(began)
    return report


def _kill_executor(world: RecoveryWorld, times: int) -> str:
    """Let the executor die right after its next calls that change the database; the fault's id."""
    if not times:
        return ""
    return world.faults.add(
        Fault(
            boundary="aws",
            kind="kill_caller_after",
            service="rds",
            operation="[MPR]*",
            caller=f"candlefish-{world.env}-step-failover",
            count=times,
        )
    )


def _ask_and_approve(world: RecoveryWorld, region: str, target: str, plan: str, **more: Any) -> None:
    """One asks; where that is asked for another one approves, and the first one may not."""
    started = ask_desk(
        world,
        region,
        approver(world.catalog),
        do="start",
        target=target,
        plan=plan,
        reason="shown in the lab",
        **more,
    )
    accept = started["asks"]
    if not accept:
        return
    try:
        ask_desk(
            world,
            region,
            approver(world.catalog),
            do="approve",
            target=target,
            reason="I am sure",
            accept=accept,
        )
    except RuntimeError as refusal:
        world.say(f"    {refusal}")
    else:
        raise AssertionError("the requester approved their own failover")
    ask_desk(
        world,
        region,
        second_approver(world.catalog),
        do="approve",
        target=target,
        reason="agreed",
        accept=accept,
    )


def _report(run: Run, target: str, plan: str) -> Report:
    found = measure_run(run)
    return {
        "target": target,
        "plan": plan,
        "status": run.status,
        "why": run.why,
        "lab_seconds": {
            "rto": found.rto,
            "rpo_at_most": found.rpo,
            "rpo_source": found.rpo_source,
            "decide": found.decide,
            "steps": found.steps,
        },
        "rto_at_aws_speed": round(found.rto * TIME_SCALE) if found.rto else None,
    }


def by_signal(world: RecoveryWorld, target: str) -> Report:
    """Start the machine as the `respond` machine does for a P0 signal; the policy allows it without a person."""
    arn = start_by_signal(world, target)
    run = follow(world, world.home, target)
    found = measure_run(run)
    ended = wait_for_machine(world, arn)
    return {
        "target": target,
        "plan": run.plan,
        "status": run.status if ended["status"] == "SUCCEEDED" else ended["status"],
        "why": run.why,
        "requested_by": run.requested_by,
        "lab_seconds": {"rto": found.rto, "detect": found.detect, "steps": found.steps},
    }


def drill(world: RecoveryWorld) -> Report:
    """Take a snapshot, and drill it through the machine."""
    rds = world.clients(world.home)("rds")
    rds.create_db_snapshot(
        DBInstanceIdentifier=world.environment.databases[0].identifier,
        DBSnapshotIdentifier="nightly",
        Tags=[{"Key": "candlefish:environment", "Value": world.env}],
    )
    name = f"drill-{int(time.time())}"
    arn = start_machine(world, "Drill", name, {"database": "main", "requested_by": approver(world.catalog)})
    ended = wait_for_machine(world, arn)
    drills = DynamoDrills(world.clients(world.home)("dynamodb"), f"candlefish-{world.env}", world.env)
    done = drills.read(f"{name}-main")
    assert done is not None
    left = [i["DBInstanceIdentifier"] for i in rds.describe_db_instances()["DBInstances"]]
    world.say(f"    {done.outcome}: {done.why}")
    return {
        "plan": "drill",
        "status": "done" if ended["status"] == "SUCCEEDED" and done.outcome == "passed" else done.outcome,
        "why": done.why,
        "lab_seconds": measure_drill(done) if done.outcome == "passed" else {},
        "instances_left": left,
    }


def lead_users_away(world: RecoveryWorld) -> Report:
    """Bring the services up in the recovery region, where they have never run, and lead users there."""
    report = fail_over(world, "application", "application", world.away)
    there = world.balancer(world.standby).dns_name
    led = world.routes(world.standby).read(world.hosts())
    report["led"] = {host: to == there for host, to in led.items()}
    report["answers"] = {host: _status(world.standby.port, host) for host in world.hosts()}
    return report


def _status(port: int, host: str) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/health", headers={"Host": host})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return int(answer.status)


# In the order in which they make sense.
PLANS: dict[str, Callable[[RecoveryWorld], Report]] = {
    "database-in-region": lambda w: fail_over(w, "database/main", "database-in-region", w.home),
    "cache-in-region": lambda w: by_signal(w, "cache/sessions"),
    "drill": drill,
    "database-cross-region": lambda w: fail_over(
        w, "database/main", "database-cross-region", w.away, kills=3
    ),
    "cache-cross-region": lambda w: fail_over(w, "cache/sessions", "cache-cross-region", w.away),
    "application": lead_users_away,
    "database-failback": lambda w: fail_over(w, "database/main", "database-failback", w.away),
}
