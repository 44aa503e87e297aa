"""Databases of one region that take time."""

from __future__ import annotations

from collections.abc import Callable

from candlefish.catalog.model import Database
from candlefish.errors import Misconfigured, Unavailable
from candlefish.failover.facts import Copy, Lag
from candlefish.statuses import SETTLED
from lab.memory.failover.regions import Instance, Regions


class MemoryDatabases:
    """`failover.ports.Databases`: acts show after a moment and have their effect when the work is done."""

    def __init__(self, regions: Regions, region: str) -> None:
        self.regions, self.region = regions, region

    def _get(self, identifier: str) -> Instance:
        try:
            return self.regions.instances[self.region, identifier]
        except KeyError:
            raise Misconfigured(f"there is no {identifier} in {self.region}") from None

    def _act(self, identifier: str, act: Callable[[Instance], None]) -> None:
        def checked() -> None:
            instance = self._get(identifier)
            if identifier in self.regions.denied:
                raise Misconfigured(f"changing {identifier}: the role may not do this")
            act(instance)

        self.regions.call(self.region, checked)

    def _busy(self, instance: Instance, status: str, after: Callable[[], None]) -> None:
        """The status shows after a moment, and the effect when the work is done."""
        regions = self.regions
        if instance.status not in SETTLED:
            raise Unavailable(f"{instance.identifier} is {instance.status}: it is busy")

        def begin() -> None:
            instance.status = status
            regions.later(regions.work, end)

        def end() -> None:
            after()
            settle(regions.aftermath)
            regions.check()

        def settle(words: tuple[str, ...]) -> None:
            instance.status = words[0] if words else "available"
            if words:
                regions.later(regions.work, lambda: settle(words[1:]))

        regions.later(regions.settle, begin)

    def read(self, database: Database, identifier: str) -> Copy | None:
        def look() -> Copy | None:
            found = self.regions.instances.get((self.region, identifier))
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
                members=found.members,
                managed_password=found.managed_password,
            )

        return self.regions.call(self.region, look)

    def lag(self, database: Database, identifier: str, since: float) -> tuple[Lag, ...]:
        def look() -> tuple[Lag, ...]:
            if self.regions.no_metrics:
                return ()
            at = self.regions.now() // 60 * 60
            replayed = self.regions.instances[self.region, identifier].replayed_to or at - self.regions.lag
            return tuple(
                Lag(at - 60 * n, max(0.0, at - 60 * n - min(replayed, at - 60 * n - self.regions.lag)))
                for n in (2, 1, 0)
            )

        return self.regions.call(self.region, look)

    def fail_over(self, database: Database, identifier: str) -> None:
        def act(instance: Instance) -> None:
            def moved() -> None:
                instance.zone = f"{self.region}b" if instance.zone.endswith("a") else f"{self.region}a"
                instance.failed_over_at = instance.restarted_at = self.regions.now()
                self.regions.failovers.append(identifier)

            self._busy(instance, "rebooting", moved)

        self._act(identifier, act)

    def set_groups(self, database: Database, identifier: str, groups: tuple[str, ...]) -> None:
        def act(instance: Instance) -> None:
            def applied() -> None:
                instance.groups = groups
                if not set(groups) <= self.regions.fences():
                    instance.connected = True

            self.regions.later(self.regions.settle, applied)

        self._act(identifier, act)

    def restart(self, database: Database, identifier: str) -> None:
        def act(instance: Instance) -> None:
            def restarted() -> None:
                instance.restarted_at = self.regions.now()
                instance.connected = not set(instance.groups) <= self.regions.fences()

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
                self.regions.promotions.append(identifier)

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
                if (found := self.regions.instances.pop((self.region, identifier), None)) is not None:
                    found.identifier = to
                    self.regions.instances[self.region, to] = found

            self._busy(instance, "renaming", renamed)

        self._act(identifier, act)

    def replicate(
        self, database: Database, identifier: str, *, source: Copy, like: Copy | None, groups: tuple[str, ...]
    ) -> None:
        def act() -> None:
            if self.regions.instances[source.region, source.identifier].managed_password:
                raise Misconfigured(
                    f"RDS manages the password of {source.identifier}: it makes no replica of it"
                )
            if (self.region, identifier) in self.regions.instances:
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
            self.regions.instances[self.region, identifier] = made
            self.regions.later(self.regions.work, lambda: setattr(made, "status", "available"))

        self.regions.call(self.region, act)
