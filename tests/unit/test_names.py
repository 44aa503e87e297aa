"""Names of parts: never too long, and different where the parts are."""

from __future__ import annotations

import re
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from candlefish.backups.step_drill import scratch_name
from candlefish.capacity.admission import next_name
from candlefish.names import INSTANCE, RELEASE, TARGET_GROUP, bounded_name, target_group_name
from candlefish.service.model import SLOTS, name_of_car
from candlefish.signals.payloads import response_id

# Two of the longest names that the catalog takes, and they differ at their end alone.
LONG = ("payments-reconciliation-of-all-regions-e", "payments-reconciliation-of-all-regions-u")
ENVIRONMENTS = ("test1", "test2", "staging", "staging-eu", "a-test-of-something-for-the-eu-team-one")


@given(st.lists(st.text(min_size=1), min_size=1), st.integers(24, 80))
def test_a_name_fits_and_is_the_same_every_time(parts: list[str], longest: int) -> None:
    assert bounded_name(*parts, longest=longest) == bounded_name(*parts, longest=longest)
    assert len(bounded_name(*parts, longest=longest)) <= longest


@given(st.sets(st.text("ab-", min_size=70, max_size=90), min_size=2))
def test_what_is_cut_still_differs(texts: set[str]) -> None:
    assert len({bounded_name(text, "x", longest=60) for text in texts}) == len(texts)


def test_target_groups_differ_by_service_environment_and_slot() -> None:
    services = (*LONG, "web", "backend-api")
    names = [target_group_name(*each) for each in product(services, ENVIRONMENTS, SLOTS)]
    assert len(set(names)) == len(names)
    assert all(len(name) <= TARGET_GROUP and re.fullmatch("[a-z][a-z0-9-]*[a-z0-9]", name) for name in names)
    assert all(name.endswith(("-blue", "-green")) for name in names)


def test_executions_of_long_names_differ() -> None:
    subjects = [f"{environment}/{service}" for environment in ENVIRONMENTS for service in LONG]
    responses = [
        response_id(about, "rollback", key, at) for about in subjects for key in "ab" for at in (1.0, 2.0)
    ]
    cars = [
        name_of_car(train, service) for train in ("train-20261129-091500-a1b2", "t" * 60) for service in LONG
    ]
    queued = [next_name(release, 7) for release in (*cars, "web-g1", "web-g2")]
    for names, longest in ((responses, 75), (cars, RELEASE), (queued, RELEASE)):
        assert len(set(names)) == len(names)
        assert all(len(name) <= longest and re.fullmatch("[A-Za-z0-9_-]+", name) for name in names)


def test_scratch_instances_differ_and_are_names_that_rds_takes() -> None:
    """EventBridge names executions by two UUIDs with an underscore between; RDS takes neither that nor two hyphens."""
    drills = [f"{'0' * 36}_{'1' * 36}-{database}" for database in ("main", "main--two", "a" * 40)]
    names = [scratch_name(env, "main--" + "a" * 34, drill) for env in ENVIRONMENTS for drill in drills]
    assert len(set(names)) == len(names)
    assert all(len(name) <= INSTANCE and re.fullmatch("[a-z](?:-?[a-z0-9])*", name) for name in names)
    assert all(name.startswith("candlefish-drill-") for name in names)
