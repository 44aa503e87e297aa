"""What seeing needs of the world beside the ports of what is seen. All of it reads; nothing scans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from candlefish.capacity.ports import CapacityStore
from candlefish.catalog.model import Catalog
from candlefish.failover.ports import Runs
from candlefish.ports import Now, Switchboard
from candlefish.release.model import Approval, Release, ReleaseEntry, SeenEvidence, SeenWindow
from candlefish.release.pods import Pod
from candlefish.release.ports import Freezes
from candlefish.service.ports import ServiceRecords
from candlefish.signals.model import LoggedSignal


class Glance(msgspec.Struct, frozen=True):
    """A release as one read of several finds it; None what there is not or cannot be read, `unreadable` why it cannot."""

    release: Release | None = None
    question: Approval | None = None
    seen: SeenEvidence | None = None
    unreadable: str = ""


class Portion(msgspec.Struct, frozen=True):
    """Ids of releases, newest first, and where the list goes on; empty at its end."""

    ids: tuple[str, ...]
    older: str = ""


class EntriesPortion(msgspec.Struct, frozen=True):
    """Entries of a timeline, newest first, and where they go on; empty at their end."""

    entries: tuple[ReleaseEntry, ...]
    older: str = ""


class SignalsPortion(msgspec.Struct, frozen=True):
    """Lines of the log of signals, newest first, and where they go on; empty at their end."""

    lines: tuple[LoggedSignal, ...]
    older: str = ""


class SlotWorkload(msgspec.Struct, frozen=True):
    """What runs in a slot: how many Pods are asked for, and those that there are."""

    desired: int
    pods: tuple[Pod, ...] = ()


class ReleaseHistory(Protocol):
    """Releases as they were written down. `before` is an `older` of the same list; anything else is refused.

    Raises
    ------
    InvalidInput
        `before` is none of ours.
    """

    def glances(self, releases: Sequence[str]) -> dict[str, Glance]:
        """What is known of releases, by id: one read of many. One that nobody knows has nothing in it."""

    def entries_of(self, release: str, limit: int, before: str = "") -> EntriesPortion:
        """Part of a release's timeline, newest first."""

    def windows(self, release: str) -> list[SeenWindow]:
        """The windows that a release's judge consumed, oldest first; the newest of very many."""

    def of_service(self, service: str, limit: int, before: str = "") -> Portion:
        """The releases of a service, newest first."""

    def of_environment(self, limit: int, before: str = "") -> Portion:
        """All releases, newest first."""


class SignalHistory(Protocol):
    """The log of signals."""

    def lines(self, limit: int, now: float, before: str = "") -> SignalsPortion:
        """Part of the log, newest first. `before` as in `ReleaseHistory`."""

    def lately(self, limit: int, now: float, since: float) -> SignalsPortion:
        """The newest lines of the log since a moment, of a few days at most; `older` is empty where these are all.

        Days that are over are read once: it is asked whenever somebody looks at the fleet.
        """


class ListedRules(Protocol):
    """What moves traffic now, as it says itself."""

    def listed(self, listener: str) -> list[dict[str, Any]]:
        """Every rule of a listener (`traffic.ports.Rules.listed`)."""


class SlotWorkloads(Protocol):
    """What runs in the cluster, for people to see."""

    def of_slot(self, namespace: str, name: str) -> SlotWorkload | None:
        """What runs in a slot by its name in the `Cluster` port; None where nothing was ever deployed.

        Raises
        ------
        Unavailable, Throttled, ClusterRefused
            The cluster does not tell, or not in time; the message says why.
        """


class Looking(NamedTuple):
    """What views are made from. What is None is not asked: it says so where it would stand."""

    environment: str
    catalog: Catalog
    records: ServiceRecords
    history: ReleaseHistory
    now: Now
    rules: ListedRules | None = None
    workloads: SlotWorkloads | None = None
    switchboard: Switchboard | None = None
    capacity: CapacityStore | None = None
    freezes: Freezes | None = None
    runs: Runs | None = None
    signals: SignalHistory | None = None
