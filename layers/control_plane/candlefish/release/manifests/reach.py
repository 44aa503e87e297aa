"""What a bundle may name: what belongs to its service, by the names of the catalog."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from candlefish.release.manifests.model import Workload


class Reach(msgspec.Struct, frozen=True):
    """How far one bundle reaches.

    Attributes
    ----------
    workload:
        Whose bundle it is.
    configs:
        The ConfigMaps in the bundle, by the chart's names.
    accounts:
        The ServiceAccounts in it.
    classes:
        The SecretProviderClasses in it.
    """

    workload: Workload
    configs: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()

    @property
    def service(self) -> str:
        return self.workload.service.name

    def owner(self, name: str) -> str:
        """The service of the catalog that a name belongs to, or nothing.

        A service owns its name and what begins with its name and a hyphen. Of several the longest
        wins: `api-gateway-tls` is api-gateway's, also where a service is called `api`.
        """
        return owner(name, (*self.workload.services, self.service))

    def owns(self, name: str) -> bool:
        return self.owner(name) == self.service

    def foreign(self, name: str) -> bool:
        """Whether a name belongs to another service."""
        return self.owner(name) not in ("", self.service)


def owner(name: str, services: Iterable[str]) -> str:
    """The longest of the services that is the name, or that it begins with before a hyphen."""
    return max((s for s in services if name == s or name.startswith(f"{s}-")), key=len, default="")
