"""Days are drawn from whatever catalog there is: its environments, services, people and databases."""

from __future__ import annotations

import msgspec
import pytest

from candlefish.catalog.load import load
from lab.simulator.cast import casts
from lab.simulator.plan import AlertFired, DrillAsked, FailoverAsked, HoursAsked, draw
from tests.support.catalogs import ACME, catalog

SEEDS = range(120)


def test_another_companys_days_have_its_own_names() -> None:
    theirs = load(ACME)
    days = [draw(seed, casts(theirs)) for seed in SEEDS]

    assert {day.environment for day in days} == {"prod", "prod-eu"}
    assert {name for day in days for name in day.services} == {"storefront", "checkout", "prices", "mailer"}
    happenings = [(day, each) for day in days for each in day.happenings]
    assert {each.by for _, each in happenings if hasattr(each, "by")} == set(theirs.people)


def test_only_what_an_environment_has_is_failed_over_drilled_and_put_to_sleep() -> None:
    days = [draw(seed, casts(load(ACME))) for seed in SEEDS]

    def of(environment: str, kind: type) -> list[object]:
        return [
            each
            for day in days
            if day.environment == environment
            for each in day.happenings
            if isinstance(each, kind)
        ]

    assert {each.target for each in of("prod", FailoverAsked)} == {"database/orders"}  # type: ignore[attr-defined]
    assert of("prod", DrillAsked)
    assert not of("prod-eu", FailoverAsked) and not of("prod-eu", DrillAsked)
    assert {each.about[0] for each in of("prod-eu", AlertFired)} == {"service"}  # type: ignore[attr-defined]
    # None of them has a schedule.
    assert not of("prod", HoursAsked) and not of("prod-eu", HoursAsked)


def test_production_is_chosen_most_and_what_has_a_schedule_sleeps() -> None:
    found = casts(catalog())
    assert [(each.environment, each.weight, each.sleeps) for each in found] == [
        ("production", 6, False),
        ("staging", 3, True),
        ("development", 2, True),
    ]


@pytest.mark.parametrize("kept", [1, 2])
def test_few_services_are_enough_for_a_day(kept: int) -> None:
    theirs = load(ACME)
    names = ("search", "checkout")[:kept]
    services = {name: msgspec.structs.replace(theirs.services[name], depends_on=()) for name in names}
    day = draw(3, casts(msgspec.structs.replace(theirs, services=services)))
    assert set(day.services) <= set(names)
