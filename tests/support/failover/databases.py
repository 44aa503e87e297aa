"""Databases of one region that take time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from candlefish.catalog.model import Database
from candlefish.errors import Misconfigured, Unavailable
from candlefish.failover.facts import Copy, Lag

if TYPE_CHECKING:
    from tests.support.failover.world import World


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


class FakeDatabases:
    """`failover.ports.Databases`: acts show after a moment and have their effect when the work is done."""

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
            raise Unavailable(f"{instance.identifier} is {instance.status}: it is busy")

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
            at = self.world.clock.at // 60 * 60
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
                instance.failed_over_at = instance.restarted_at = self.world.clock.at
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
                instance.restarted_at = self.world.clock.at
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
                return
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
