"""Composition root of what people see."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from candlefish.adapters.aws.api import client, session
from candlefish.bootstrap.core import (
    catalog,
    declared,
    environment,
    known,
    now,
    records,
    region,
    switchboard,
    table,
)
from candlefish.invocation import seconds_left
from candlefish.settings import Setting, Settings

if TYPE_CHECKING:
    from candlefish.adapters.aws.peers import Others
    from candlefish.adapters.http.callers import Callers
    from candlefish.adapters.kubernetes.api import Api
    from candlefish.adapters.kubernetes.shares import ShareOfPods
    from candlefish.adapters.kubernetes.slots import KubernetesSlots
    from candlefish.adapters.table.bills import DynamoBills
    from candlefish.adapters.table.capacity import DynamoCapacity
    from candlefish.adapters.table.drills import DynamoDrills
    from candlefish.adapters.table.failovers import DynamoRuns
    from candlefish.adapters.table.history import DynamoHistory, DynamoSignalHistory
    from candlefish.adapters.table.signals import DynamoGuards
    from candlefish.catalog.roles import Caller
    from candlefish.release.model import Release
    from candlefish.traffic.movers import Movers
    from candlefish.views.model import (
        AuditPage,
        CalendarView,
        CostView,
        FleetView,
        MeView,
        Reader,
        RecoveryView,
        ReleasesPage,
        ReleaseView,
        ServiceView,
        SignalsPage,
        TimelinePage,
    )
    from candlefish.views.ports import Looking
    from candlefish.views.weights import RecentRules
    from candlefish.web import HttpRequest

__all__ = ["catalog", "declared", "environment", "now", "region"]

# So long a person waits for the cluster, in seconds; then its Pods are unknown.
PATIENCE = 3.0


class ViewSettings(Settings):
    """What functions of views are told."""

    # Empty where no cluster is asked.
    cluster_name = Setting(str, optional="")


settings = ViewSettings()


class Patience:
    """How long the cluster is waited for: so many seconds from the newest beginning."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._until = seconds, 0.0

    def begin(self) -> None:
        self._until = now() + self._seconds

    def left(self) -> float:
        return min(self._until - now(), seconds_left())


class Views:
    """Everything that is to be seen, as the API's addresses name it; each is made when it is asked for."""

    def fleet(self, reader: Reader) -> FleetView:
        from candlefish.views.see_fleet import see_fleet

        return see_fleet(reader, looking=looking())

    def service(self, name: str, reader: Reader) -> ServiceView:
        from candlefish.views.see_service import see_service

        return see_service(name, reader, looking=looking())

    def releases(self, service: str, before: str = "") -> ReleasesPage:
        from candlefish.views.see_releases import see_releases

        return see_releases(service, before, looking=looking())

    def release(self, id: str, reader: Reader, *, live: bool = True) -> ReleaseView:
        """One release; without `live` nothing but the table is asked, for who tells people of it."""
        from candlefish.views.see_release import see_release

        return see_release(id, reader, looking=looking() if live else looking_at_the_table(), live=live)

    def timeline(self, release: str, before: str = "") -> TimelinePage:
        from candlefish.views.see_timeline import see_timeline

        return see_timeline(release, before, looking=looking())

    def signals(self, before: str = "", limit: str = "") -> SignalsPage:
        from candlefish.views.see_signals import see_signals

        return see_signals(
            before, limit, looking=looking(), signals=signal_history(), guard=signal_guard().get
        )

    def recovery(self) -> RecoveryView:
        from candlefish.views.see_recovery import see_recovery

        return see_recovery(
            looking=looking(), runs=failovers(), drills=drills_and_audits(), audits=drills_and_audits()
        )

    def calendar(self) -> CalendarView:
        from candlefish.views.see_calendar import see_calendar

        return see_calendar(looking=looking())

    def cost(self) -> CostView:
        from candlefish.views.see_cost import see_cost

        return see_cost(looking=looking(), bills=kept_bills())

    def audit(self, before: str = "") -> AuditPage:
        from candlefish.views.see_audit import see_audit

        return see_audit(before, looking=looking(), signals=signal_history(), runs=failovers())

    def me(self, reader: Reader) -> MeView:
        from candlefish.views.see_me import see_me

        return see_me(reader, looking=looking())


@cache
def views() -> Views:
    return Views()


def words_of(release: Release) -> str:
    """A release in the read model's sentence, for who tells of it elsewhere; empty where that is not known, or is of another
    status by now. Neither the load balancer nor the cluster is asked.
    """
    from candlefish.errors import ControlPlaneError
    from candlefish.telemetry import logger
    from candlefish.views.model import Reader

    try:
        view = views().release(release.id, Reader("", "", ("reader",)), live=False)
    except ControlPlaneError as error:
        logger.warning("the release's own words stand: %s: %s", type(error).__name__, error)
        return ""
    return view.says if view.status == release.status else ""


def served() -> Views:
    """All views, for who serves them: what they are made from is built at the start, and not while somebody waits."""
    looking(), failovers(), drills_and_audits(), kept_bills(), signal_history(), signal_guard()
    return views()


def others() -> Callable[[str], Callable[[], Others]]:
    """Asks the catalog's other environments for their fleets."""
    from candlefish.adapters.aws.peers import PATIENCE, PeerFleets
    from candlefish.catalog.stack_parameters import peers_of

    lambdas = partial(client, "lambda", read_timeout=PATIENCE)
    here = declared()
    return PeerFleets(peers_of(here, catalog()), here.console, catalog(), lambdas).begin


def readers() -> Callable[[HttpRequest], Caller]:
    """Says who looks, and refuses who may not."""
    return partial(_reader, known())


def _reader(known: Callers, request: HttpRequest) -> Caller:
    return known(request, "reader")


def api_document() -> dict[str, Any]:
    """The API's document; its types are imported when somebody asks for it."""
    from candlefish.views.openapi import document

    return document()


@cache
def looking() -> Looking:
    """All that views are made from."""
    found = looking_at_the_table()
    return found._replace(
        rules=recent_rules(),
        runs=failovers(),
        signals=signal_history(),
        workloads=workloads() if settings.cluster_name else None,
        switchboard=switchboard(),
    )


@cache
def looking_at_the_table() -> Looking:
    """What views are made from, for who tells people of a release: nothing but the table is asked."""
    from candlefish.adapters.table.freezes import DynamoFreezes
    from candlefish.views.ports import Looking

    sleeps = None if declared().production else sleep_record()
    frozen = DynamoFreezes(client("dynamodb"), table(), environment())
    return Looking(
        environment(), catalog(), records(), release_history(), now, capacity=sleeps, freezes=frozen
    )


@cache
def release_history() -> DynamoHistory:
    from candlefish.adapters.table.history import DynamoHistory

    return DynamoHistory(client("dynamodb"), table(), environment())


@cache
def signal_history() -> DynamoSignalHistory:
    from candlefish.adapters.table.history import DynamoSignalHistory

    return DynamoSignalHistory(client("dynamodb"), table(), environment())


@cache
def signal_guard() -> DynamoGuards:
    from candlefish.adapters.table.signals import DynamoGuards

    return DynamoGuards(client("dynamodb"), table(), environment())


@cache
def failovers() -> DynamoRuns:
    from candlefish.adapters.table.failovers import DynamoRuns

    return DynamoRuns(client("dynamodb"), table(), environment())


@cache
def drills_and_audits() -> DynamoDrills:
    from candlefish.adapters.table.drills import DynamoDrills

    return DynamoDrills(client("dynamodb"), table(), environment())


@cache
def kept_bills() -> DynamoBills:
    from candlefish.adapters.table.bills import DynamoBills

    return DynamoBills(client("dynamodb"), table(), environment())


@cache
def sleep_record() -> DynamoCapacity:
    from candlefish.adapters.table.capacity import DynamoCapacity

    return DynamoCapacity(client("dynamodb"), table(), environment())


@cache
def recent_rules() -> RecentRules:
    from candlefish.views.weights import RecentRules

    return RecentRules(_movers(), now, begin=_patience().begin)


@cache
def _movers() -> Movers:
    from candlefish.adapters.aws.elbv2 import LoadBalancer
    from candlefish.traffic.movers import Movers

    return Movers(LoadBalancer(client("elbv2")), _shares)


def _shares() -> ShareOfPods:
    from candlefish.adapters.kubernetes.cluster import KubernetesCluster
    from candlefish.adapters.kubernetes.shares import ShareOfPods

    return ShareOfPods(KubernetesCluster(_kubernetes()), _kubernetes())


@cache
def workloads() -> KubernetesSlots:
    from candlefish.adapters.kubernetes.slots import KubernetesSlots

    return KubernetesSlots(_kubernetes, _patience().begin)


@cache
def _patience() -> Patience:
    return Patience(PATIENCE)


@cache
def _kubernetes() -> Api:
    from candlefish.adapters.kubernetes.eks import eks_api

    credentials = session().get_credentials()
    return eks_api(client("eks"), settings.cluster_name, credentials, now, _patience().left)
