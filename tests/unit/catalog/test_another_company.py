"""A catalog with other names, other properties and less in it is as good as any."""

from __future__ import annotations

import msgspec
import pytest

from candlefish.catalog.check import check
from candlefish.catalog.load import load
from candlefish.errors import InvalidInput
from lab import choices
from tests.support.catalogs import ACME, catalog
from tools.samconfig import environment_of


def test_it_is_sound_without_schedule_recovery_region_cost_and_cache() -> None:
    one = load(ACME)
    assert not list(check(one))
    assert {name: each.regions for name, each in one.environments.items()} == {
        "prod": ("eu-central-1",),
        "prod-eu": ("eu-central-1",),
    }
    assert not any(each.cost or each.schedule or each.caches for each in one.environments.values())


def test_who_plays_is_chosen_by_what_it_is() -> None:
    one = load(ACME)
    assert (choices.judged(one).name, choices.alone(one)) == ("prod", "search")
    assert (choices.requester(one), choices.approver(one)) == ("chris", "anna")
    assert (choices.judged(catalog()).name, choices.alone(catalog())) == ("production", "backend-api")
    assert (choices.requester(catalog()), choices.approver(catalog())) == ("developer", "platform-lead")


def test_a_catalog_in_which_nothing_fits_is_told_what_is_missing() -> None:
    one = load(ACME)
    plain = {name: msgspec.structs.replace(each, steps=()) for name, each in one.strategies.items()}
    with pytest.raises(InvalidInput, match="a judge step and an approve step"):
        choices.judged(msgspec.structs.replace(one, strategies=plain))
    inside = {name: msgspec.structs.replace(each, kind="cluster") for name, each in one.services.items()}
    with pytest.raises(InvalidInput, match="kind: web"):
        choices.alone(msgspec.structs.replace(one, services=inside))


@pytest.mark.parametrize(
    "recovery",
    [{"standby": True}, {"buckets": ("acme-files",)}],
)
def test_what_is_declared_for_a_recovery_region_needs_one(recovery: dict[str, object]) -> None:
    one = load(ACME)
    there = one.environments["prod"]
    changed = msgspec.structs.replace(there, recovery=msgspec.structs.replace(there.recovery, **recovery))
    found = list(check(msgspec.structs.replace(one, environments={**one.environments, "prod": changed})))
    assert [each.path[-1] for each in found] == [next(iter(recovery))]
    assert "names none" in found[0].what


def test_an_environment_may_be_called_recovery_where_no_other_one_is_in_its_recovery_region() -> None:
    one = load(ACME)
    there = one.environments["prod"]
    second = msgspec.structs.replace(one.environments["prod-eu"], name="prod-recovery")
    named = msgspec.structs.replace(one, environments={"prod": there, "prod-recovery": second})
    assert not list(check(named))
    assert environment_of("prod-recovery", named.environments) == "prod-recovery"
    assert environment_of("prod-recovery", one.environments) == "prod"

    away = msgspec.structs.replace(there, recovery_region="eu-west-1")
    found = list(check(msgspec.structs.replace(named, environments={**named.environments, "prod": away})))
    assert [(each.path, each.fix) for each in found] == [
        (("environments", "prod-recovery"), "call this environment otherwise")
    ]


def test_scenes_that_need_more_than_a_catalog_has_say_what() -> None:
    one = load(ACME)
    assert (choices.two(one), choices.bare(one)) == (("search", "storefront"), "storefront")
    with pytest.raises(InvalidInput, match="no environment of the catalog has a schedule"):
        choices.asleep(one)
    with pytest.raises(InvalidInput, match="no environment of the catalog has a recovery_region"):
        choices.recovering(one)
    alone = {name: each for name, each in one.services.items() if name in ("search", "mailer", "prices")}
    with pytest.raises(InvalidInput, match="this needs two"):
        choices.two(msgspec.structs.replace(one, services=alone))
    one_approver = {
        name: msgspec.structs.replace(each, approver=name == "anna") for name, each in one.people.items()
    }
    with pytest.raises(InvalidInput, match="no second person"):
        choices.second_approver(msgspec.structs.replace(one, people=one_approver))


def test_scenes_find_in_the_usual_catalog_what_they_played_with() -> None:
    usual = catalog()
    assert choices.two(usual) == ("backend-api", "api-gateway")
    assert (choices.bare(usual), choices.recovering(usual).name) == ("website", "production")
    assert set(choices.asleep(usual)) == {"development", "staging"}
    assert choices.second_approver(usual) == "product-lead"
