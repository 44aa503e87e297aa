"""Several listeners and load balancers in one environment: where a service goes, and where it is found again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.catalog.model import ServiceOverride
from candlefish.errors import Misconfigured
from candlefish.release.onboard import onboard
from candlefish.service.model import balancer_of, listener_of
from candlefish.service.record import ServiceRecord
from candlefish.traffic.fittings import FittingPlace, balancers_needed, has_room, place_of
from lab.memory.service import MemoryRecords
from lab.simulator.kernel import Kernel
from lab.simulator.load_balancer import LoadBalancer
from tests.support.catalogs import catalog
from tests.support.cluster import FakeCluster
from tests.support.traffic import NoShares

CATALOG = catalog()
PRODUCTION = CATALOG.environments["production"]
ARN = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener/app"
LISTENERS = (f"{ARN}/public/11/21", f"{ARN}/public/11/22", f"{ARN}/internal/12/23", f"{ARN}/more/13/24")
PUBLIC, _, INTERNAL, MORE = LISTENERS


class Street:
    """Load balancers, and services called a0, a1, ... that are onboarded behind them."""

    def __init__(self, *listeners: str) -> None:
        self.balancer = LoadBalancer(Kernel(seed=1), listeners=listeners or LISTENERS)
        self.records = MemoryRecords()
        self.place = FittingPlace(self.balancer.listeners, "vpc-1", interval=10, deregistration_delay=30)

    def onboard(self, name: str, behind: str = "") -> ServiceRecord:
        service = msgspec.structs.replace(
            CATALOG.services["backend-api"], name=name, host=f"{name}.example.org"
        )
        overrides = {name: ServiceOverride(load_balancer=behind)} if behind else {}
        return onboard(
            name,
            catalog=msgspec.structs.replace(CATALOG, services={name: service}),
            environment=msgspec.structs.replace(PRODUCTION, overrides=overrides),
            place=self.place,
            shares=NoShares(),
            balancer=self.balancer,
            rules=self.balancer,
            records=self.records,
            cluster=FakeCluster(),
            now=lambda: 1.0,
        )


def test_services_fill_one_load_balancer_after_the_other_and_the_next_is_refused_by_name() -> None:
    street = Street()
    records = [street.onboard(f"a{number}") for number in range(150)]
    behind = [balancer_of(record.rule) for record in records]
    assert behind == ["app/public/11"] * 50 + ["app/internal/12"] * 50 + ["app/more/13"] * 50
    # Both listeners of a load balancer share its rules.
    assert {listener_of(record.rule) for record in records[:50]} == {PUBLIC}
    assert all(listener_of(record.rule) == listener_of(record.smoke_rule) for record in records)
    with pytest.raises(
        Misconfigured, match=r"no load balancer has room .*public, .*internal, more.*ListenerArns"
    ):
        street.onboard("a150")


def test_the_catalog_may_name_the_load_balancer() -> None:
    street = Street()
    assert listener_of(street.onboard("a1", behind="internal").rule) == INTERNAL
    with pytest.raises(Misconfigured, match="no listener of ListenerArns is one of load balancer elsewhere"):
        street.onboard("a2", behind="elsewhere")


def test_a_service_stays_where_it_is_whatever_is_in_front_of_it_later() -> None:
    street = Street(INTERNAL)
    before = street.onboard("a1")
    street.balancer.listeners = LISTENERS
    street.place = msgspec.structs.replace(street.place, listeners=LISTENERS)
    assert street.onboard("a1") == before
    # Also when its record was lost, and when nobody lists its listener any more.
    street.records.stored.clear()
    assert listener_of(street.onboard("a1").rule) == INTERNAL
    street.place = msgspec.structs.replace(street.place, listeners=(PUBLIC,))
    assert street.onboard("a1").rule == before.rule
    with pytest.raises(Misconfigured, match="is behind load balancer internal, and the catalog says public"):
        street.onboard("a1", behind="public")


def rules(count: int, groups: int = 1) -> list[dict[str, Any]]:
    forwarded = [
        [{"TargetGroupArn": f"g{number}-{at}", "Weight": 1} for at in range(groups)]
        for number in range(count)
    ]
    found = [
        {"Priority": str(at), "Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": each}}]}
        for at, each in enumerate(forwarded, 1)
    ]
    return [*found, {"Priority": "default", "Actions": [{"Type": "fixed-response"}]}]


@pytest.mark.parametrize(
    ("count", "groups", "room"), [(98, 1, True), (99, 1, False), (49, 2, True), (50, 2, False)]
)
def test_room_is_two_rules_and_two_target_groups(count: int, groups: int, room: bool) -> None:
    assert has_room(rules(count, groups)) is room


def test_rules_of_others_take_room_too() -> None:
    found = {PUBLIC: rules(60), LISTENERS[1]: rules(60), INTERNAL: rules(1)}
    assert place_of({"mine"}, found) == INTERNAL


@pytest.mark.parametrize(("services", "needed"), [(1, 1), (50, 1), (51, 2), (1000, 20)])
def test_how_many_load_balancers_are_needed(services: int, needed: int) -> None:
    assert balancers_needed(services) == needed
