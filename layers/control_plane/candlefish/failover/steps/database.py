"""A database's steps: fail over inside a region, fence, promote, rebuild.

Sources: the RDS user guide on Multi-AZ failover, PromoteReadReplica, Aurora global databases, and
security groups ("connection tracking": a removed rule does not end connections that are open, so a
fence is a closed group and a restart after it).
"""

from __future__ import annotations

from candlefish.catalog.model import Database
from candlefish.failover.facts import Copy, DatabaseFacts
from candlefish.failover.model import Baseline, FailoverStep, Run
from candlefish.failover.ports import FailoverPorts
from candlefish.failover.steps.step import (
    Evidence,
    Scene,
    StepKind,
    StepProgress,
    blocked,
    done,
    todo,
    wait_only,
    waiting,
)
from candlefish.names import INSTANCE, bounded_name
from candlefish.statuses import FINAL, LEAVING

# RDS applies a change of security groups within this time, seconds.
TAKES_EFFECT = 120.0


def _declared(scene: Scene) -> Database:
    """The catalog's entry of the step's database."""
    return next(d for d in scene.environment.databases if d.name == scene.step.subject)


def fence_group(database: Database, region: str, home: str) -> str:
    """The security group that closes the copy in `region`."""
    if region == home or database.replica is None:
        return database.fence_group
    return database.replica.fence_group


def access_groups(database: Database, region: str, home: str) -> tuple[str, ...]:
    """The security groups through which clients reach the copy in `region`."""
    if region == home or database.replica is None:
        return database.groups
    return database.replica.groups


def wanted_address(database: Database, target: Copy) -> str:
    """What the secret should name: the stable record where there is one, else the copy itself."""
    return database.endpoint.name if database.endpoint else target.address


def _facts(scene: Scene) -> tuple[DatabaseFacts, Baseline]:
    name = scene.step.subject
    return scene.world.databases[name], scene.run.before.get(f"database/{name}", Baseline())


def _retention_days(scene: Scene) -> int:
    return round(scene.environment.recovery.retention / 86400)


def _source(scene: Scene) -> tuple[Copy | None, str]:
    """The copy that loses the role, and why it cannot be seen."""
    facts, before = _facts(scene)
    return facts.copies.get(before.source_region), facts.unreadable.get(before.source_region, "")


def _target(scene: Scene) -> tuple[Copy | None, str]:
    facts, before = _facts(scene)
    return facts.copies.get(before.target_region), facts.unreadable.get(before.target_region, "")


def _judge_zone_failover(scene: Scene) -> StepProgress:
    """Another zone of the same region has the role, and the database is available."""
    copy, unreadable = _source(scene)
    _, before = _facts(scene)
    if copy is None:
        return waiting(f"{before.source} cannot be seen: {unreadable or 'it is gone'}")
    moved = (copy.zone, copy.writer) != (before.zone, before.primary)
    moved = moved or copy.failed_over_at >= scene.run.requested_at
    if not copy.available:
        return waiting(f"{copy.identifier} is {copy.status}")
    if moved:
        return done(
            f"{copy.identifier} is available in {copy.zone}",
            zone_before=before.zone,
            zone=copy.zone,
            writer=copy.writer,
            failed_over_at=copy.failed_over_at,
        )
    if not copy.standby:
        return blocked(f"{copy.identifier} has no standby in another zone to fail over to")
    return todo(f"{copy.identifier} still runs in {copy.zone}")


def _zone_failover(scene: Scene, ports: FailoverPorts) -> None:
    _, before = _facts(scene)
    ports.of(before.source_region).databases.fail_over(_declared(scene), before.source)


ZONE_FAILOVER = StepKind(
    kind="zone-failover",
    words="let the standby in another zone take over",
    part="databases",
    judge=_judge_zone_failover,
    act=_zone_failover,
    cuts_off=True,
    serves=frozenset({"database-in-region"}),
)


def _judge_close(scene: Scene) -> StepProgress:
    """Nobody can open a connection to the source any more."""
    copy, unreadable = _source(scene)
    _, before = _facts(scene)
    if copy is None and not unreadable:
        return done(f"{before.source} is gone", fence="gone")
    if copy is None:
        return _unfenced(scene, f"{before.source} in {before.source_region} cannot be reached: {unreadable}")
    group = fence_group(_declared(scene), before.source_region, scene.environment.region)
    if not group:
        return _unfenced(
            scene, f"the catalog names no fence_group for {before.source} in {before.source_region}"
        )
    if copy.groups == (group,):
        return done(f"{copy.identifier} is closed by {group}", fence=group, opened=before.groups)
    if failed := scene.run.state(scene.step).failed:
        return _unfenced(scene, f"{copy.identifier} is reachable but cannot be fenced: {failed}")
    if copy.busy:
        return waiting(f"{copy.identifier} is {copy.status}; RDS takes no change meanwhile")
    return todo(f"{copy.identifier} accepts connections through {', '.join(copy.groups) or 'no group'}")


def _close(scene: Scene, ports: FailoverPorts) -> None:
    _, before = _facts(scene)
    group = fence_group(_declared(scene), before.source_region, scene.environment.region)
    ports.of(before.source_region).databases.set_groups(_declared(scene), before.source, (group,))


CLOSE = StepKind(
    kind="close",
    words="replace the old primary's security groups by its fence group",
    part="databases",
    judge=_judge_close,
    act=_close,
    holds_until="promote",
    undone_by="unfence",
    cuts_off=True,
)


def _judge_cut(scene: Scene) -> StepProgress:
    """Connections that were open when the source was closed have ended."""
    copy, unreadable = _source(scene)
    _, before = _facts(scene)
    closed_at = scene.done_at(CLOSE.kind)
    if copy is None and not unreadable:
        return done(f"{before.source} is gone", cut_at=closed_at)
    if copy is None:
        return _unfenced(scene, f"{before.source} cannot be restarted: {unreadable}")
    if copy.restarted_at >= closed_at > 0 and copy.status != "rebooting":
        return done(f"{copy.identifier} was restarted after it was closed", cut_at=copy.restarted_at)
    if copy.status == "stopped" or not copy.members:
        return done(f"{copy.identifier} runs nowhere: nobody is connected to it", cut_at=closed_at)
    if failed := scene.run.state(scene.step).failed:
        return _unfenced(scene, f"{copy.identifier} is closed but cannot be restarted: {failed}")
    if copy.available:
        return todo(f"connections to {copy.identifier} from before it was closed may still write")
    if copy.status in FINAL:
        return _unfenced(scene, f"{copy.identifier} is {copy.status} and cannot be restarted")
    return waiting(f"{copy.identifier} is {copy.status}")


def _cut(scene: Scene, ports: FailoverPorts) -> None:
    _, before = _facts(scene)
    ports.of(before.source_region).databases.restart(_declared(scene), before.source)


CUT = StepKind(
    kind="cut",
    words="restart the old primary, so that connections that are still open end",
    part="databases",
    judge=_judge_cut,
    act=_cut,
    holds_until="promote",
)


def _unfenced(scene: Scene, why: str) -> StepProgress:
    """The source cannot be fenced: only a person who says so out loud may go on."""
    if answer := scene.run.answers.get("split-brain"):
        return done(
            f"{why}; {answer.by} accepted the risk of two writers", accepted="split-brain", by=answer.by
        )
    return blocked(f"{why}; promoting now could leave two databases taking writes", "split-brain")


def _judge_caught_up(scene: Scene) -> StepProgress:
    """The replica has replayed something the source wrote after its last client was cut off.

    WAL is replayed in order, so everything clients ever committed is there. An idle RDS source
    writes a transaction of its own at least every five minutes.
    """
    facts, _ = _facts(scene)
    cut_at = scene.done_at(CUT.kind)
    target, unreadable = _target(scene)
    if target is not None and target.role == "primary":
        return done("the target already has the role")
    if target is None:
        return waiting(f"the target cannot be seen: {unreadable or 'it does not exist'}")
    newest = facts.lag[-1] if facts.lag else None
    if newest and newest.replayed_to >= cut_at > 0:
        return done(
            f"{target.identifier} has replayed everything from before the fence",
            replayed_to=newest.replayed_to,
            cut_at=cut_at,
        )
    seen = (
        f"replayed up to {cut_at - newest.replayed_to:.0f} s before the fence" if newest else "no lag metric"
    )
    return waiting(f"{target.identifier}: {seen}")


CAUGHT_UP = StepKind(
    kind="caught-up",
    words="wait until the replica has replayed everything from before the fence",
    part="databases",
    judge=_judge_caught_up,
    act=wait_only,
)


def _judge_promote(scene: Scene) -> StepProgress:
    """The target takes writes."""
    target, unreadable = _target(scene)
    _, before = _facts(scene)
    if target is None:
        why = unreadable or "there is no such database"
        return waiting(f"{before.target} in {before.target_region} cannot be seen: {why}")
    if target.role == "primary" and target.available:
        return done(f"{target.identifier} has the role and is available", address=target.address)
    if target.role == "primary":
        return waiting(f"{target.identifier} has the role and is {target.status}")
    if target.available:
        return todo(f"{target.identifier} is a replica of {target.follows}")
    if target.status in FINAL | LEAVING:
        return blocked(f"{target.identifier} is {target.status} and cannot be promoted")
    return waiting(f"{target.identifier} is {target.status}; RDS refuses to promote it meanwhile")


def _promote(scene: Scene, ports: FailoverPorts) -> None:
    _, before = _facts(scene)
    ports.of(before.target_region).databases.promote(
        _declared(scene), before.target, planned=scene.run.planned, retention_days=_retention_days(scene)
    )


PROMOTE = StepKind(
    kind="promote",
    words="promote the copy in the target region (cannot be undone)",
    part="databases",
    judge=_judge_promote,
    act=_promote,
    final=True,
)


def _judge_secret(scene: Scene) -> StepProgress:
    """The secret in the serving region names the database that serves."""
    facts, _ = _facts(scene)
    database = _declared(scene)
    if not database.secret:
        return done("the catalog names no secret of this database")
    target, _ = _target(scene)
    if target is None or facts.secret is None:
        return waiting(f"secret {database.secret} cannot be read: {facts.unreadable.get('secret', '')}")
    wanted = wanted_address(database, target)
    if facts.secret.host == wanted:
        return done(f"secret {database.secret} names {wanted}", host=wanted)
    return todo(f"secret {database.secret} names {facts.secret.host}, not {wanted}")


def _secret(scene: Scene, ports: FailoverPorts) -> None:
    facts, before = _facts(scene)
    host = wanted_address(_declared(scene), facts.copies[before.target_region])
    ports.of(before.target_region).secrets.set_host(_declared(scene).secret, host)


SECRET = StepKind(
    kind="secret",
    words="write the new host into the secret of the target region",
    part="databases",
    judge=_judge_secret,
    act=_secret,
)


def _judge_endpoint(scene: Scene) -> StepProgress:
    """The record that clients resolve points at the database that serves."""
    facts, _ = _facts(scene)
    database = _declared(scene)
    if database.endpoint is None:
        return done("the catalog names no endpoint of this database")
    target, _ = _target(scene)
    name = database.endpoint.name
    if target is None or facts.endpoint is None:
        return waiting(f"record {name} cannot be read: {facts.unreadable.get('endpoint', '')}")
    if facts.endpoint == target.address:
        return done(f"{name} points at {target.address}", name=name, value=target.address)
    return todo(f"{name} points at {facts.endpoint or 'nothing'}, not {target.address}")


def _endpoint(scene: Scene, ports: FailoverPorts) -> None:
    facts, before = _facts(scene)
    endpoint = _declared(scene).endpoint
    assert endpoint is not None
    ports.dns.point(endpoint.zone, endpoint.name, facts.copies[before.target_region].address)


ENDPOINT = StepKind(
    kind="endpoint",
    words="point the database's DNS record at the promoted copy",
    part="databases",
    judge=_judge_endpoint,
    act=_endpoint,
)


def _judge_verify(scene: Scene) -> StepProgress:
    """A row of this run's epoch was written to and read back from the database through its address."""
    evidence = scene.run.state(scene.step).evidence
    if evidence.get("epoch") == scene.run.epoch:
        return done("a write with this run's epoch was read back", **evidence)
    target, unreadable = _target(scene)
    if target is None:
        return waiting(f"the target cannot be seen: {unreadable}")
    return todo("nothing has been written to the database since it got the role")


def _verify(scene: Scene, ports: FailoverPorts) -> Evidence:
    facts, before = _facts(scene)
    # Through the copy's own address: the record's old value may still be cached somewhere.
    host = facts.copies[before.target_region].address
    return ports.of(before.target_region).probe.begin_epoch(_declared(scene), host, scene.run.epoch)


VERIFY = StepKind(
    kind="verify",
    words="write a row with this run's epoch and read it back; measure the data loss",
    part="databases",
    judge=_judge_verify,
    act=_verify,
    serves=frozenset({"database-in-region", "database-cross-region", "database-failback"}),
)


def _judge_protect(scene: Scene) -> StepProgress:
    """The database that serves has backups, and a standby where its predecessor had one."""
    target, unreadable = _target(scene)
    if target is None:
        return waiting(f"the target cannot be seen: {unreadable}")
    if target.busy:
        return waiting(f"{target.identifier} is {target.status}")
    wanted = _retention_days(scene)
    if target.retention_days >= wanted and target.standby:
        return done(f"{target.identifier} keeps backups for {target.retention_days} days and has a standby")
    return todo(
        f"{target.identifier} keeps backups for {target.retention_days} days ({wanted} wanted), "
        f"standby: {'yes' if target.standby else 'no'}"
    )


def _protect(scene: Scene, ports: FailoverPorts) -> None:
    _, before = _facts(scene)
    databases = ports.of(before.target_region).databases
    databases.protect(_declared(scene), before.target, retention_days=_retention_days(scene))


PROTECT = StepKind(
    kind="protect",
    words="give the promoted copy backups and a standby",
    part="databases",
    judge=_judge_protect,
    act=_protect,
)


def _judge_retire_old(scene: Scene) -> StepProgress:
    """The fenced predecessor's name is free; the instance itself is kept, closed, under another one."""
    facts, before = _facts(scene)
    copy, unreadable = facts.copies.get(before.target_region), facts.unreadable.get(before.target_region, "")
    if unreadable:
        return waiting(f"{before.target} in {before.target_region} cannot be seen: {unreadable}")
    if copy is None or copy.follows:
        return done(f"the name {before.target} is free or already taken by the new replica")
    group = fence_group(_declared(scene), before.target_region, scene.environment.region)
    if not group or copy.groups != (group,):
        return blocked(
            f"{copy.identifier} in {copy.region} is not fenced (its groups are {', '.join(copy.groups)}); "
            "it may hold writes that exist nowhere else: close it to its fence_group and compare first"
        )
    if not copy.available:
        return waiting(f"{copy.identifier} is {copy.status}")
    return todo(f"the fenced {copy.identifier} still has the name that the new replica needs")


def kept_name(run: Run, before: Baseline) -> str:
    """What the fenced old primary is called once its name is needed again."""
    return bounded_name(before.target, "fenced", str(run.epoch), longest=INSTANCE)


def _retire_old(scene: Scene, ports: FailoverPorts) -> Evidence:
    _, before = _facts(scene)
    kept = kept_name(scene.run, before)
    ports.of(before.target_region).databases.rename(_declared(scene), before.target, kept)
    return {"kept": kept}


RETIRE_OLD = StepKind(
    kind="retire-old",
    words="rename the fenced old primary, so that its name is free (it is kept)",
    part="databases",
    judge=_judge_retire_old,
    act=_retire_old,
)


def _judge_replicate(scene: Scene) -> StepProgress:
    """A replica of the serving database runs where the role is to go back to."""
    facts, before = _facts(scene)
    copy, unreadable = facts.copies.get(before.target_region), facts.unreadable.get(before.target_region, "")
    if unreadable:
        return waiting(f"{before.target_region} cannot be read: {unreadable}")
    if copy is None:
        source, unseen = _source(scene)
        if source is None:
            return waiting(f"{before.source}, which it shall follow, cannot be seen: {unseen}")
        return todo(f"there is no {before.target} in {before.target_region}")
    if copy.role != "replica":
        return waiting(f"{copy.identifier} is {copy.role}, {copy.status}")
    if not copy.available:
        return waiting(f"{copy.identifier} is {copy.status}")
    newest = facts.lag[-1] if facts.lag else None
    if newest is None:
        return waiting(f"{copy.identifier} reports no lag yet")
    limit = _declared(scene).max_lag
    if newest.seconds > limit:
        return waiting(f"{copy.identifier} is {newest.seconds:.0f} s behind, {limit:.0f} s are allowed")
    return done(
        f"{copy.identifier} follows {copy.follows}, {newest.seconds:.0f} s behind", lag=newest.seconds
    )


def _replicate(scene: Scene, ports: FailoverPorts) -> None:
    facts, before = _facts(scene)
    database = _declared(scene)
    databases = ports.of(before.target_region).databases
    like = databases.read(database, kept_name(scene.run, before))
    groups = access_groups(database, before.target_region, scene.environment.region)
    source = facts.copies[before.source_region]
    databases.replicate(database, before.target, source=source, like=like, groups=groups)


REPLICATE = StepKind(
    kind="replicate",
    words="create a replica of the serving database and wait until it is in step",
    part="databases",
    judge=_judge_replicate,
    act=_replicate,
)


def _judge_open(scene: Scene) -> StepProgress:
    """Clients can reach the database that serves: an earlier run may have fenced it."""
    target, unreadable = _target(scene)
    if target is None:
        return waiting(f"the target cannot be seen: {unreadable}")
    database = _declared(scene)
    fence = fence_group(database, target.region, scene.environment.region)
    if not fence or fence not in target.groups:
        return done(f"{target.identifier} accepts connections through {', '.join(target.groups)}")
    if not access_groups(database, target.region, scene.environment.region):
        return blocked(
            f"{target.identifier} is closed by {fence}, and the catalog names no groups to open it with"
        )
    return todo(f"{target.identifier} is still closed by {fence}")


def _open(scene: Scene, ports: FailoverPorts) -> None:
    facts, before = _facts(scene)
    groups = access_groups(_declared(scene), before.target_region, scene.environment.region)
    opened = _opened(facts.copies[before.target_region], groups, scene)
    ports.of(before.target_region).databases.set_groups(_declared(scene), before.target, opened)


def _opened(copy: Copy, groups: tuple[str, ...], scene: Scene) -> tuple[str, ...]:
    """These groups in the place of the fence; what somebody put beside the fence meanwhile stays."""
    fence = fence_group(_declared(scene), copy.region, scene.environment.region)
    beside = [group for group in copy.groups if group != fence]
    return tuple(sorted({*groups, *beside}))


OPEN = StepKind(
    kind="open",
    words="let clients reach the promoted copy",
    part="databases",
    judge=_judge_open,
    act=_open,
)


def _judge_unfence(scene: Scene) -> StepProgress:
    """The source has the security groups back that it had before the run closed it."""
    copy, unreadable = _source(scene)
    _, before = _facts(scene)
    if copy is None:
        return waiting(f"{before.source} cannot be seen: {unreadable or 'it is gone'}")
    closing = scene.run.state(FailoverStep(CLOSE.kind, scene.step.subject))
    fence = fence_group(_declared(scene), before.source_region, scene.environment.region)
    unfenced = copy.groups == before.groups or fence not in copy.groups
    if unfenced and closing.done_at < closing.intended_at:
        # It was asked for and never seen: it may still come.
        left = closing.intended_at + TAKES_EFFECT - scene.world.at
        if left > 0:
            return waiting(
                f"closing {copy.identifier} was asked for and may still take effect ({left:.0f} s)"
            )
    if unfenced:
        # Whoever changed them after the run closed it knew why: nothing is put back over that.
        return done(f"{copy.identifier} is open again through {', '.join(copy.groups) or 'no group'}")
    if copy.busy:
        return waiting(f"{copy.identifier} is {copy.status}")
    return todo(f"{copy.identifier} is closed by {', '.join(copy.groups)}")


def _unfence(scene: Scene, ports: FailoverPorts) -> None:
    facts, before = _facts(scene)
    opened = _opened(facts.copies[before.source_region], before.groups, scene)
    ports.of(before.source_region).databases.set_groups(_declared(scene), before.source, opened)


UNFENCE = StepKind(
    kind="unfence",
    words="give the old primary its security groups back",
    part="databases",
    judge=_judge_unfence,
    act=_unfence,
)
