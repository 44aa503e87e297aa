"""A small world for failovers: two regions whose databases and caches take time, and can be killed in.

It is no mock: acts have effects after a while, replicas lag, closed security groups leave open
connections open, and everything that must never happen is checked at the moment it would.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import msgspec

from candlefish.catalog.model import (
    Cache,
    Catalog,
    Cost,
    Database,
    Endpoint,
    Environment,
    Person,
    Recovery,
    Replica,
    Replicas,
    Resources,
    Service,
    Strategy,
)
from candlefish.errors import InvalidInput, Misconfigured, RecordContested, Unavailable
from candlefish.failover.facts import CacheFacts, Copy, Lag, SecretFacts
from candlefish.failover.model import FailoverEntry, Pace, Run
from candlefish.failover.ports import FailoverPorts, RegionPorts
from candlefish.failover.propose import FailoverRequest
from candlefish.failover.start import abandon_failover, approve_failover, start_failover
from candlefish.failover.step_failover import FailoverProgress, FailoverStepInput, step_failover
from candlefish.failover.steps.cache import member
from tests.support.events import FakeEvents

HOME, AWAY = "us-west-2", "us-east-1"
OPEN, FENCE, AWAY_OPEN, AWAY_FENCE = "sg-0a0a0a0a", "sg-0f0f0f0f", "sg-0b0b0b0b", "sg-0e0e0e0e"
PACE = Pace(poll=15, settle=60, within=3600)

DATABASE = Database(
    name="main",
    identifier="orders",
    secret="app/database",
    replica=Replica(identifier="orders-away", region=AWAY, groups=(AWAY_OPEN,), fence_group=AWAY_FENCE),
    groups=(OPEN,),
    fence_group=FENCE,
    endpoint=Endpoint(zone="Z123", name="db.internal.example"),
)
CACHE = Cache(
    name="sessions",
    replication_group="sessions",
    global_datastore="global-sessions",
    endpoint=Endpoint(zone="Z123", name="cache.internal.example"),
)
ENVIRONMENT = Environment(
    name="production",
    account="333333333333",
    region=HOME,
    recovery_region=AWAY,
    cluster="c",
    namespace="n",
    strategy="rolling",
    cost=Cost(low=1, high=2),
    production=True,
    databases=(DATABASE,),
    caches=(CACHE,),
    recovery=Recovery(standby=True, nodes={"general": 3}),
)
PEOPLE = {
    "lead": Person(name="lead", aws="lead", approver=True),
    "second": Person(name="second", aws="second", approver=True),
    "developer": Person(name="developer", aws="developer"),
}


def service(name: str, *depends_on: str) -> Service:
    return Service(
        name=name,
        image=f"ghcr.io/x/{name}",
        port=8080,
        health_path="/health",
        host=f"{name}.example.com",
        replicas=Replicas(min=2, max=4),
        resources=Resources(cpu="1", memory="1Gi", cpu_limit="1", memory_limit="1Gi"),
        owner="x",
        depends_on=depends_on,
    )


CATALOG = Catalog(
    services={s.name: s for s in (service("web", "api"), service("api"))},
    environments={"production": ENVIRONMENT},
    strategies={"rolling": Strategy(name="rolling", kind="rolling")},
    policies={},
    people=PEOPLE,
)


class Killed(BaseException):
    """The executor's process died here."""


class Clock:
    """Time, and what happens at which time."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def __call__(self) -> float:
        return self.now

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        self._count += 1
        self._later.append((self.now + seconds, self._count, what))

    def pass_(self, seconds: float) -> None:
        until = self.now + seconds
        while due := sorted(entry for entry in self._later if entry[0] <= until):
            at, number, what = due[0]
            self._later = [entry for entry in self._later if entry[1] != number]
            self.now = max(self.now, at)
            what()
        self.now = until


class Instance(msgspec.Struct):
    """One copy of a database and who is connected to it."""

    identifier: str
    region: str
    role: str
    zone: str
    groups: tuple[str, ...]
    follows: str = ""
    status: str = "available"
    standby: bool = True
    retention: int = 30
    restarted_at: float = 0.0
    failed_over_at: float = 0.0
    connected: bool = True
    replayed_to: float = 0.0
    beat: float = 0.0
    epochs: dict[int, dict[str, Any]] = {}

    @property
    def address(self) -> str:
        return f"{self.identifier}.{self.region}.rds.example"

    def takes_writes(self, fences: set[str]) -> bool:
        reachable = self.connected or not set(self.groups) <= fences
        return self.role == "primary" and self.status == "available" and reachable


class World:
    """Both regions, what points at them, the stored runs; and a trap that kills the executor."""

    def __init__(self, *, settle: float = 20.0, work: float = 60.0) -> None:
        self.clock = Clock()
        self.settle, self.work = settle, work
        now = self.clock.now
        self.instances: dict[tuple[str, str], Instance] = {
            (HOME, "orders"): Instance("orders", HOME, "primary", f"{HOME}a", (OPEN,), beat=now),
            (AWAY, "orders-away"): Instance(
                "orders-away",
                AWAY,
                "replica",
                f"{AWAY}a",
                (AWAY_OPEN,),
                follows="orders",
                standby=False,
                retention=0,
            ),
        }
        self.down: set[str] = set()
        self.denied: set[str] = set()
        self.lag = 4.0
        self.no_metrics = False
        self.dns = {
            "db.internal.example": self.instances[HOME, "orders"].address,
            "cache.internal.example": "sessions.us-west-2.cache.example",
        }
        self.secret = SecretFacts("db.old.example", replica=True)
        self.promotions: list[str] = []
        self.failovers: list[str] = []
        self.cache_failovers: list[str] = []
        self.split_brain_accepted = False
        self.violations: list[str] = []
        self.primaries = {"0001": ("sessions-001", f"{HOME}a"), "0002": ("sessions-101", f"{HOME}b")}
        self.cache_status = "available"
        self.global_primary = HOME
        self.datastore_status = "available"
        # The trap: at the given number of calls the executor dies, before or after the call.
        self.calls = 0
        self.kill_at: set[int] = set()
        self.site: Any = None
        self.events = FakeEvents()
        self.outcome: dict[str, Any] = {}

    # --- the executor ---------------------------------------------------------------------

    def call(self, region: str, act: Callable[[], Any]) -> Any:
        """One call to the outside: may kill the caller before or after, or find the region down."""
        self.trap()
        if region in self.down:
            raise Unavailable(f"{region} does not answer")
        result = act()
        self.trap()
        return result

    def trap(self) -> None:
        self.calls += 1
        if self.calls in self.kill_at:
            raise Killed(self.calls)

    def ports(self, store: Store, catalog: Catalog = CATALOG) -> FailoverPorts:
        return FailoverPorts(
            environment=catalog.environment("production"),
            catalog=catalog,
            runs=store,
            events=self.events,
            regions={
                region: RegionPorts(
                    SimDatabases(self, region),
                    SimCaches(self, region),
                    SimSecrets(self, region),
                    SimProbe(self, region),
                )
                for region in (HOME, AWAY)
            },
            dns=SimDns(self),
            site=lambda: self.site,
            now=self.clock,
        )

    def fences(self) -> set[str]:
        return {FENCE, AWAY_FENCE}

    def check(self) -> None:
        """What must hold at every moment of every run."""
        writers = [i for i in self.instances.values() if i.takes_writes(self.fences())]
        if len(writers) > 1 and not self.split_brain_accepted:
            self.violations.append(f"two writers at {self.clock.now}: {[w.identifier for w in writers]}")

    def beats(self) -> None:
        """Clients write through whatever takes writes; replicas replay what they follow."""
        for instance in self.instances.values():
            if instance.takes_writes(self.fences()) and instance.region not in self.down:
                instance.beat = self.clock.now
        for instance in self.instances.values():
            if instance.role == "replica":
                source = next((i for i in self.instances.values() if i.identifier == instance.follows), None)
                if source is not None and source.region not in self.down:
                    instance.replayed_to = max(instance.replayed_to, self.clock.now - self.lag)
                    instance.beat = min(source.beat, instance.replayed_to)
        self.check()


class Store:
    """`ports.Runs` in memory; the executor can die at each of its calls."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.runs: dict[tuple[str, int], Run] = {}
        self.lines: dict[str, list[FailoverEntry]] = {}

    def current(self, target: str) -> Run | None:
        mine = [run for (name, _), run in self.runs.items() if name == target]
        return max(mine, key=lambda run: run.epoch) if mine else None

    def create(self, run: Run) -> Run:
        self.world.trap()
        stored = self.runs.setdefault((run.target, run.epoch), run)
        self.world.trap()
        return stored

    def update(self, target: str, change: Callable[[Run], Run]) -> Run:
        self.world.trap()
        before = self.current(target)
        if before is None:
            raise InvalidInput(f"there is no failover of {target}")
        after = change(before)
        if after != before:
            after = msgspec.structs.replace(after, revision=before.revision + 1)
            self.runs[target, after.epoch] = after
        self.world.trap()
        return after

    def append(self, run: Run, entry: FailoverEntry) -> None:
        self.world.trap()
        self.lines.setdefault(run.id, []).append(entry)

    def entries(self, run: Run) -> list[FailoverEntry]:
        return self.lines.get(run.id, [])

    def recent(self, target: str = "", limit: int = 20) -> list[Run]:
        found = [run for (name, _), run in self.runs.items() if target in ("", name)]
        return sorted(found, key=lambda run: -run.requested_at)[:limit]


class SimDatabases:
    def __init__(self, world: World, region: str) -> None:
        self.world, self.region = world, region

    def _get(self, identifier: str) -> Instance:
        try:
            return self.world.instances[self.region, identifier]
        except KeyError:
            raise Misconfigured(f"there is no {identifier} in {self.region}") from None

    def _act(self, identifier: str, act: Callable[[Instance], None]) -> None:
        def checked() -> None:
            instance = self._get(identifier)
            if identifier in self.world.denied:
                raise Misconfigured(f"changing {identifier}: the role may not do this")
            act(instance)

        self.world.call(self.region, checked)

    def _busy(self, instance: Instance, status: str, after: Callable[[], None]) -> None:
        """The status shows after a moment, and the effect when the work is done."""
        clock = self.world.clock
        if instance.status != "available":
            raise Misconfigured(f"{instance.identifier} is {instance.status}")

        def begin() -> None:
            instance.status = status
            clock.later(self.world.work, end)

        def end() -> None:
            instance.status = "available"
            after()
            self.world.check()

        clock.later(self.world.settle, begin)

    def read(self, database: Database, identifier: str) -> Copy | None:
        def look() -> Copy | None:
            found = self.world.instances.get((self.region, identifier))
            if found is None:
                return None
            return Copy(
                identifier=identifier,
                region=self.region,
                status=found.status,
                role=found.role,  # type: ignore[arg-type]
                follows=found.follows,
                zone=found.zone,
                standby=found.standby,
                address=found.address,
                groups=found.groups,
                restarted_at=found.restarted_at,
                failed_over_at=found.failed_over_at,
                retention_days=found.retention,
            )

        result: Copy | None = self.world.call(self.region, look)
        return result

    def lag(self, database: Database, identifier: str, since: float) -> tuple[Lag, ...]:
        def look() -> tuple[Lag, ...]:
            if self.world.no_metrics:
                return ()
            at = self.world.clock.now // 60 * 60
            replayed = self.world.instances[self.region, identifier].replayed_to or at - self.world.lag
            return tuple(
                Lag(at - 60 * n, max(0.0, at - 60 * n - min(replayed, at - 60 * n - self.world.lag)))
                for n in (2, 1, 0)
            )

        result: tuple[Lag, ...] = self.world.call(self.region, look)
        return result

    def fail_over(self, database: Database, identifier: str) -> None:
        def act(instance: Instance) -> None:
            def moved() -> None:
                instance.zone = f"{self.region}b" if instance.zone.endswith("a") else f"{self.region}a"
                instance.failed_over_at = instance.restarted_at = self.world.clock.now
                self.world.failovers.append(identifier)

            self._busy(instance, "rebooting", moved)

        self._act(identifier, act)

    def set_groups(self, database: Database, identifier: str, groups: tuple[str, ...]) -> None:
        def act(instance: Instance) -> None:
            def applied() -> None:
                instance.groups = groups
                if not set(groups) <= self.world.fences():
                    instance.connected = True

            self.world.clock.later(self.world.settle, applied)

        self._act(identifier, act)

    def restart(self, database: Database, identifier: str) -> None:
        def act(instance: Instance) -> None:
            def restarted() -> None:
                instance.restarted_at = self.world.clock.now
                instance.connected = not set(instance.groups) <= self.world.fences()

            self._busy(instance, "rebooting", restarted)

        self._act(identifier, act)

    def promote(self, database: Database, identifier: str, *, planned: bool, retention_days: int) -> None:
        def act(instance: Instance) -> None:
            if instance.role == "primary":
                return

            def promoted() -> None:
                if instance.role == "primary":
                    return
                instance.role, instance.follows, instance.retention = "primary", "", retention_days
                self.world.promotions.append(identifier)

            self._busy(instance, "modifying", promoted)

        self._act(identifier, act)

    def protect(self, database: Database, identifier: str, *, retention_days: int) -> None:
        def act(instance: Instance) -> None:
            def protected() -> None:
                instance.standby, instance.retention = True, retention_days

            self._busy(instance, "modifying", protected)

        self._act(identifier, act)

    def rename(self, database: Database, identifier: str, to: str) -> None:
        def act(instance: Instance) -> None:
            def renamed() -> None:
                if (found := self.world.instances.pop((self.region, identifier), None)) is not None:
                    found.identifier = to
                    self.world.instances[self.region, to] = found

            self._busy(instance, "renaming", renamed)

        self._act(identifier, act)

    def replicate(
        self, database: Database, identifier: str, *, source: Copy, like: Copy | None, groups: tuple[str, ...]
    ) -> None:
        def act() -> None:
            if (self.region, identifier) in self.world.instances:
                raise Misconfigured(f"{identifier} exists already")
            made = Instance(
                identifier,
                self.region,
                "replica",
                f"{self.region}a",
                groups,
                follows=source.identifier,
                status="creating",
                standby=False,
            )
            self.world.instances[self.region, identifier] = made
            self.world.clock.later(self.world.work, lambda: setattr(made, "status", "available"))

        self.world.call(self.region, act)


class SimCaches:
    def __init__(self, world: World, region: str) -> None:
        self.world, self.region = world, region

    def read(self, group: str, datastore: str) -> CacheFacts:
        world = self.world

        def look() -> CacheFacts:
            return CacheFacts(
                name="",
                group=group if self.region == HOME else f"{group}-away",
                status=world.cache_status,
                automatic_failover=True,
                members=4,
                primaries=dict(world.primaries),
                address=f"sessions.{self.region}.cache.example",
                datastore=datastore,
                datastore_status=world.datastore_status,
                global_primary=world.global_primary,
                regions={HOME: ("sessions", "associated"), AWAY: ("sessions-away", "associated")},
            )

        result: CacheFacts = world.call(self.region, look)
        return result

    def fail_over(self, group: str, node_group: str) -> None:
        world = self.world

        def act() -> None:
            if world.cache_status != "available":
                raise Misconfigured(f"{group} is {world.cache_status}")

            def begin_() -> None:
                world.cache_status = "modifying"
                world.clock.later(world.work, end)

            def end() -> None:
                name, zone = world.primaries[node_group]
                world.primaries[node_group] = (
                    name[:-1] + ("2" if name.endswith("1") else "1"),
                    zone[:-1] + ("c" if zone[-1] != "c" else "a"),
                )
                world.cache_status = "available"
                world.cache_failovers.append(node_group)

            world.clock.later(world.settle, begin_)

        world.call(self.region, act)

    def promote(self, datastore: str, region: str, group: str) -> None:
        world = self.world

        def act() -> None:
            if world.datastore_status != "available" or world.global_primary == region:
                raise Misconfigured(
                    f"{datastore} is {world.datastore_status} with its primary in {world.global_primary}"
                )

            def begin_() -> None:
                world.datastore_status = "modifying"
                world.clock.later(world.work, end)

            def end() -> None:
                world.datastore_status, world.global_primary = "available", region
                world.promotions.append(f"{datastore}:{region}")

            world.clock.later(world.settle, begin_)

        world.call(self.region, act)


class SimSecrets:
    def __init__(self, world: World, region: str) -> None:
        self.world, self.region = world, region

    def read(self, name: str) -> SecretFacts:
        result: SecretFacts = self.world.call(self.region, lambda: self.world.secret)
        return result

    def set_host(self, name: str, host: str) -> None:
        def detach() -> None:
            self.world.secret = SecretFacts(self.world.secret.host, replica=False)

        def write() -> None:
            self.world.secret = SecretFacts(host, replica=False)

        self.world.call(self.region, detach)
        self.world.call(self.region, write)


class SimDns:
    def __init__(self, world: World) -> None:
        self.world = world

    def read(self, zone: str, name: str) -> str:
        result: str = self.world.call("route53", lambda: self.world.dns[name])
        return result

    def point(self, zone: str, name: str, value: str) -> None:
        self.world.call("route53", lambda: self.world.dns.update({name: value}))


class SimProbe:
    def __init__(self, world: World, region: str) -> None:
        self.world, self.region = world, region

    def begin_epoch(self, database: Database, host: str, epoch: int) -> dict[str, Any]:
        def act() -> dict[str, Any]:
            instance = next(i for i in self.world.instances.values() if i.address == host)
            if not instance.takes_writes(self.world.fences()):
                raise Unavailable(f"{host} takes no writes")
            row = {"epoch": epoch, "written_at": self.world.clock.now, "last_beat": instance.beat}
            return dict(instance.epochs.setdefault(epoch, row))

        result: dict[str, Any] = self.world.call(self.region, act)
        return result


class Machine:
    """`ports.Executions` that only counts: the tests drive the run themselves."""

    def __init__(self) -> None:
        self.started: list[str] = []

    def start(self, machine: str, name: str, payload: Any) -> str:
        self.started.append(name)
        return name


class Play:
    """One failover from request to end, with an executor that is started again whenever it dies."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = Store(world)
        self.machine: Any = Machine()
        self.elsewhere: Callable[[], list[Run]] = list
        self.catalog = CATALOG

    def ports(self) -> FailoverPorts:
        return self.world.ports(self.store, self.catalog)

    def request(self, target: str, plan: Any = "", by: str = "lead", **more: Any) -> Any:
        request = FailoverRequest(target=target, plan=plan, reason="a test", **more)
        return start_failover(
            request,
            requested_by=by,
            ports=self.ports(),
            executions=self.machine,
            elsewhere=self.elsewhere,
        )

    def approve(self, target: str, *accepts: Any, by: str = "second") -> Run:
        if "split-brain" in accepts:
            self.world.split_brain_accepted = True
        return approve_failover(
            target,
            accepts or ("go",),
            "agreed",
            principal=by,
            ports=self.world.ports(self.store),
            executions=self.machine,
        )

    def abandon(self, target: str, reason: str, by: str = "lead") -> Run:
        ports = self.world.ports(self.store)
        return abandon_failover(target, reason, principal=by, ports=ports, executions=self.machine)

    def move(self, run: Run) -> FailoverProgress:
        """One move of the executor."""
        which = FailoverStepInput(run.target, run.epoch)
        return step_failover(which, ports=self.world.ports(self.store), pace=PACE)

    def drive(self, target: str, moves: int = 2000) -> Run:
        """Move the run until it waits for a person or is over; a killed executor is started anew."""
        for _ in range(moves):
            run = self.store.current(target)
            assert run is not None
            if run.status != "running":
                return run
            with contextlib.suppress(Killed, RecordContested):
                self.move(run)
            for _ in range(3):
                self.world.clock.pass_(PACE.poll / 3)
                self.world.beats()
        raise AssertionError(f"no end after {moves} moves: {self.store.current(target)}")


__all__ = ["AWAY", "HOME", "Killed", "Play", "World", "member"]
