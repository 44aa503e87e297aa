"""The real stage of a run: reads and acts through one adapter a region.

Which region must answer for what: everything in the run's target region (and Route 53's or ARC's
own endpoints). The source region is asked for its copy of a database and to fence it; when it does
not answer, that is a fact like any other, and the run goes on without it once a person has accepted
what that means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec

from candlefish.catalog.model import Cache, Database, Environment
from candlefish.errors import Misconfigured
from candlefish.failover.database import access_groups, fence_group
from candlefish.failover.facts import CacheFacts, Copy, DatabaseFacts, Lag, SiteFacts, World, attempt
from candlefish.failover.model import Baseline, PlanStep, Run
from candlefish.failover.ports import Caches, Databases, Probe, Records, Secrets, Site
from candlefish.ports import Now

T = TypeVar("T")
# How far back the lag is read, from now or from the failure.
LAG_WINDOW = 3600.0


class RegionalStage(msgspec.Struct, frozen=True):
    """`advance.Stage` over one adapter a region. `site` is the application's site of this stack."""

    environment: Environment
    databases: Mapping[str, Databases]
    caches: Mapping[str, Caches]
    secrets: Mapping[str, Secrets]
    probes: Mapping[str, Probe]
    records: Records
    # Built when a plan needs it: a load balancer that does not answer must not stop a database's failover.
    site: Callable[[], Site | None]
    now: Now

    def look(self, run: Run) -> World:
        at = self.now()
        subjects = {step.subject for step in run.steps}
        kinds = {step.kind for step in run.steps}
        return World(
            at=at,
            databases={
                d.name: self._database(d, run, at)
                for d in self.environment.databases
                if d.name in subjects and kinds & DATABASE_ACTS.keys()
            },
            caches={
                c.name: self._cache(c, run)
                for c in self.environment.caches
                if c.name in subjects and kinds & CACHE_ACTS.keys()
            },
            site=self._look_at_site(run) if kinds & SITE_KINDS else None,
        )

    def act(self, run: Run, step: PlanStep, world: World) -> dict[str, Any]:
        if step.kind in DATABASE_ACTS:
            database = next(d for d in self.environment.databases if d.name == step.subject)
            before = run.before[f"database/{step.subject}"]
            facts = world.databases[step.subject]
            return DATABASE_ACTS[step.kind](self, run, database, before, facts) or {}
        if step.kind in CACHE_ACTS:
            cache = next(c for c in self.environment.caches if c.name == step.subject)
            before = run.before[f"cache/{step.subject}"]
            return CACHE_ACTS[step.kind](self, run, cache, before, world.caches[step.subject]) or {}
        return self.require_site().act(run, step)

    # --- looking ----------------------------------------------------------------------------

    def _database(self, database: Database, run: Run, at: float) -> DatabaseFacts:
        places = {self.environment.region: database.identifier}
        if database.replica:
            places[database.replica.region] = database.replica.identifier
        unreadable: dict[str, str] = {}
        copies: dict[str, Copy] = {}
        for region, identifier in places.items():
            read = self._in(self.databases, region).read
            copy = attempt(partial(read, database, identifier), region, unreadable)
            if copy is not None:
                copies[region] = copy
        target = run.to if run.to in places else ""
        lag: tuple[Lag, ...] = ()
        if target and (replica := copies.get(target)) and replica.role == "replica":
            since = min(at, run.failing_since or at) - LAG_WINDOW
            points = partial(self._in(self.databases, target).lag, database, places[target], since)
            lag = attempt(points, "lag", unreadable) or ()
        secret = endpoint = None
        if database.secret and target:
            secret = attempt(
                lambda: self._in(self.secrets, target).read(database.secret), "secret", unreadable
            )
        if database.endpoint:
            at_name = database.endpoint
            endpoint = attempt(lambda: self.records.read(at_name.zone, at_name.name), "endpoint", unreadable)
        return DatabaseFacts(database.name, copies, lag, secret, endpoint, unreadable)

    def _cache(self, cache: Cache, run: Run) -> CacheFacts:
        # Asked where the role is to go: a Global Datastore answers in each of its regions.
        unreadable: dict[str, str] = {}
        facts = attempt(
            lambda: self._in(self.caches, run.to).read(cache.replication_group, cache.global_datastore),
            "group",
            unreadable,
        )
        if facts is None:
            return CacheFacts(
                cache.name,
                cache.replication_group,
                unreadable={**unreadable, "datastore": unreadable["group"]},
            )
        endpoint = None
        if cache.endpoint:
            at_name = cache.endpoint
            endpoint = attempt(lambda: self.records.read(at_name.zone, at_name.name), "endpoint", unreadable)
        return msgspec.structs.replace(
            facts, name=cache.name, endpoint=endpoint, unreadable={**facts.unreadable, **unreadable}
        )

    def _look_at_site(self, run: Run) -> SiteFacts:
        unreadable: dict[str, str] = {}
        site = attempt(self.site, "site", unreadable)
        if site is not None and site.region == run.to:
            return site.look(run)
        where = site.region if site else "no region that it knows"
        reason = unreadable.get(
            "site", f"this control plane runs in {where}; start the failover from the one in {run.to}"
        )
        return SiteFacts(run.to, "", unreadable={"site": reason})

    def require_site(self) -> Site:
        site = self.site()
        if site is None:
            raise Misconfigured("this control plane has no cluster; start the failover from the one that has")
        return site

    def in_databases(self, region: str) -> Databases:
        return self._in(self.databases, region)

    @staticmethod
    def _in(adapters: Mapping[str, T], region: str) -> T:
        try:
            return adapters[region]
        except KeyError:
            raise Misconfigured(
                f"nothing is wired for region {region or 'without a name'}; see bootstrap"
            ) from None


# --- acting on databases ----------------------------------------------------------------------

_DatabaseAct = Callable[["RegionalStage", Run, Database, Baseline, DatabaseFacts], "dict[str, Any] | None"]


def _fail_over(s: RegionalStage, run: Run, d: Database, b: Baseline, f: DatabaseFacts) -> None:
    s.in_databases(b.source_region).fail_over(d, b.source)


def _close(s: RegionalStage, run: Run, d: Database, b: Baseline, f: DatabaseFacts) -> None:
    group = fence_group(d, b.source_region, s.environment.region)
    s.in_databases(b.source_region).set_groups(d, b.source, (group,))


def _cut(s: RegionalStage, run: Run, d: Database, b: Baseline, f: DatabaseFacts) -> None:
    s.in_databases(b.source_region).restart(d, b.source)


def _promote(s: RegionalStage, run: Run, d: Database, b: Baseline, f: DatabaseFacts) -> None:
    days = round(s.environment.recovery.retention / 86400)
    s.in_databases(b.target_region).promote(d, b.target, planned=run.planned, retention_days=days)


def _open(s: RegionalStage, run: Run, d: Database, b: Baseline, f: DatabaseFacts) -> None:
    groups = access_groups(d, b.target_region, s.environment.region)
    s.in_databases(b.target_region).set_groups(d, b.target, groups)


def _secret(s: RegionalStage, run: Run, d: Database, b: Baseline, f: DatabaseFacts) -> None:
    host = d.endpoint.name if d.endpoint else f.copies[b.target_region].address
    s.secrets[b.target_region].set_host(d.secret, host)


def _endpoint(s: RegionalStage, run: Run, d: Database, b: Baseline, f: DatabaseFacts) -> None:
    assert d.endpoint is not None
    s.records.point(d.endpoint.zone, d.endpoint.name, f.copies[b.target_region].address)


def _verify(s: RegionalStage, run: Run, d: Database, b: Baseline, f: DatabaseFacts) -> dict[str, Any]:
    # Through the copy's own address: the record's old value may still be cached somewhere.
    return s.probes[b.target_region].begin_epoch(d, f.copies[b.target_region].address, run.epoch)


def _protect(s: RegionalStage, run: Run, d: Database, b: Baseline, f: DatabaseFacts) -> None:
    days = round(s.environment.recovery.retention / 86400)
    s.in_databases(b.target_region).protect(d, b.target, retention_days=days)


def kept_name(run: Run, before: Baseline) -> str:
    """What the fenced old primary is called once its name is needed again."""
    return f"{before.target}-fenced-{run.epoch}"


def _retire_old(s: RegionalStage, run: Run, d: Database, b: Baseline, f: DatabaseFacts) -> dict[str, Any]:
    s.in_databases(b.target_region).rename(d, b.target, kept_name(run, b))
    return {"kept": kept_name(run, b)}


def _replicate(s: RegionalStage, run: Run, d: Database, b: Baseline, f: DatabaseFacts) -> None:
    source = f.copies[b.source_region]
    target = s.in_databases(b.target_region)
    like = target.read(d, kept_name(run, b))
    groups = access_groups(d, b.target_region, s.environment.region)
    target.replicate(d, b.target, source=source, like=like, groups=groups)


def _unfence(s: RegionalStage, run: Run, d: Database, b: Baseline, f: DatabaseFacts) -> None:
    s.in_databases(b.source_region).set_groups(d, b.source, b.groups)


DATABASE_ACTS: dict[str, _DatabaseAct] = {
    "zone-failover": _fail_over,
    "close": _close,
    "cut": _cut,
    "caught-up": lambda *_: None,
    "promote": _promote,
    "open": _open,
    "secret": _secret,
    "endpoint": _endpoint,
    "verify": _verify,
    "protect": _protect,
    "retire-old": _retire_old,
    "replicate": _replicate,
    "unfence": _unfence,
}

# --- acting on caches -------------------------------------------------------------------------

_CacheAct = Callable[["RegionalStage", Run, Cache, Baseline, CacheFacts], "dict[str, Any] | None"]


def _node_failover(s: RegionalStage, run: Run, c: Cache, b: Baseline, f: CacheFacts) -> dict[str, Any]:
    stayed = [g for g, (name, _) in sorted(f.primaries.items()) if f"{g}={name}" in b.primary.split(",")]
    # One node group at a time: TestFailover is refused while another one of the group is under way.
    s.caches[run.to].fail_over(c.replication_group, stayed[0])
    return {"node_group": stayed[0]}


def _cache_promote(s: RegionalStage, run: Run, c: Cache, b: Baseline, f: CacheFacts) -> None:
    s.caches[b.target_region].promote(c.global_datastore, b.target_region, b.target)


def _cache_endpoint(s: RegionalStage, run: Run, c: Cache, b: Baseline, f: CacheFacts) -> None:
    assert c.endpoint is not None
    s.records.point(c.endpoint.zone, c.endpoint.name, f.address)


CACHE_ACTS: dict[str, _CacheAct] = {
    "node-failover": _node_failover,
    "cache-promote": _cache_promote,
    "cache-endpoint": _cache_endpoint,
}
SITE_KINDS = frozenset({"nodes", "deploy", "ready", "shift", "route"})
