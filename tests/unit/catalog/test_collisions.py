"""What only one can have: two environments of an account, or two services, that claim it are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from candlefish.catalog.check import check
from candlefish.catalog.model import Catalog, Database, Endpoint, Replica, ServiceOverride
from tests.support.catalogs import catalog

SHIPPED = catalog()
Change = Callable[[Catalog], Catalog]


def told(changed: Catalog) -> list[str]:
    return [f"{'.'.join(map(str, problem.path))}: {problem.what}" for problem in check(changed)]


def in_one_account(whole: Catalog, **of: dict[str, Any]) -> Catalog:
    """All environments in one account and region, some of them changed; and no production, which promises more."""
    environments = {
        name: msgspec.structs.replace(each, account="1" * 12, schedule=None, **of.get(name, {}))
        for name, each in whole.environments.items()
    }
    return msgspec.structs.replace(whole, environments=environments)


def test_environments_of_one_account_that_share_nothing_are_sound() -> None:
    assert told(in_one_account(SHIPPED)) == []


def test_environments_whose_names_begin_alike_are_sound() -> None:
    """What is cut carries a hash, and whose something is its tags say."""
    alike = msgspec.structs.replace(
        SHIPPED.environments["staging"],
        name="staging-eu",
        host_prefix="eu",
        cluster="eu",
        databases=(),
        caches=(),
    )
    whole = in_one_account(SHIPPED)
    both = {
        **whole.environments,
        "staging-eu": msgspec.structs.replace(alike, account="1" * 12, schedule=None),
    }
    assert told(msgspec.structs.replace(whole, environments=both)) == []


SHARED = Database(
    name="main",
    identifier="orders",
    secret="team/orders",
    endpoint=Endpoint(zone="Z123", name="db.example.org"),
)
AWAY = Replica(identifier="orders", region="us-east-1")


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (
            {"staging": {"host_prefix": "dev"}},
            ["host_prefix: dev.example.org is led to development already"],
        ),
        (
            {"staging": {"host_prefix": ""}},
            ["staging.host_prefix: example.org is led to production already"],
        ),
        (
            {"development": {"overrides": {"website": ServiceOverride(host="staging.example.org")}}},
            ["staging.host_prefix: staging.example.org is led to development already"],
        ),
        (
            {"staging": {"databases": (SHARED,)}, "production": {"databases": (SHARED,)}},
            [
                "databases.0.identifier: database orders in us-west-2 is production's already",
                "databases.0.secret: secret team/orders is production's already",
                "databases.0.endpoint.name: endpoint db.example.org is production's already",
            ],
        ),
        (
            {
                "staging": {"databases": (Database(name="a", identifier="x", replica=AWAY),)},
                "production": {"databases": (Database(name="b", identifier="y", replica=AWAY),)},
            },
            ["databases.0.replica.identifier: database orders in us-east-1 is production's already"],
        ),
        (
            {"staging": {"caches": SHIPPED.environments["development"].caches}},
            ["caches.0.replication_group: replication group example-development is development's already"],
        ),
    ],
    ids=["one prefix", "no prefix", "an override", "one database", "one replica", "one cache"],
)
def test_what_two_environments_claim_is_told(of: dict[str, dict[str, Any]], said: list[str]) -> None:
    found = told(in_one_account(SHIPPED, **of))
    assert len(found) == len(said)
    for words in said:
        assert any(words in each for each in found), (words, found)


def test_in_accounts_of_their_own_two_may_be_called_alike() -> None:
    changed = {
        name: msgspec.structs.replace(each, databases=(SHARED,))
        for name, each in SHIPPED.environments.items()
    }
    assert told(msgspec.structs.replace(SHIPPED, environments=changed)) == []


def test_who_sleeps_has_a_cluster_of_its_own() -> None:
    staging = SHIPPED.environments["staging"]
    assert staging.schedule
    beside = msgspec.structs.replace(
        SHIPPED.environments["development"], account=staging.account, cluster=staging.cluster, schedule=None
    )
    changed = msgspec.structs.replace(SHIPPED, environments={**SHIPPED.environments, "development": beside})
    (found,) = told(changed)
    assert found.startswith("environments.staging.schedule: staging sleeps and takes the nodes")


def test_two_pairs_of_names_that_make_one_are_told() -> None:
    """`web` in `eu-test` and `web-eu` in `test`: one target group has the name of both."""
    website = SHIPPED.services["website"]
    services = {
        name: msgspec.structs.replace(website, name=name, host=f"{name}.example.org", depends_on=())
        for name in ("web", "web-eu")
    }
    staging = msgspec.structs.replace(SHIPPED.environments["staging"], schedule=None, overrides={})
    environments = {
        name: msgspec.structs.replace(
            staging, name=name, host_prefix=name, cluster=name, databases=(), caches=(), namespace=name
        )
        for name in ("eu-test", "test")
    }
    changed = msgspec.structs.replace(SHIPPED, services=services, environments=environments)
    assert any(
        "target group web-eu-test-blue or -green is eu-test's already" in each for each in told(changed)
    )


def test_a_service_is_not_called_like_a_slot_of_another() -> None:
    website = SHIPPED.services["website"]
    twin = msgspec.structs.replace(website, name="website-blue", host="blue.example.org")
    changed = msgspec.structs.replace(SHIPPED, services={**SHIPPED.services, "website-blue": twin})
    assert any("services.website-blue: slot blue of website is called so" in each for each in told(changed))


@pytest.mark.parametrize("name", ["a", "an-environment-with-a-long-name"])
def test_an_environment_whose_stack_would_be_refused_is_told(name: str) -> None:
    staging = msgspec.structs.replace(SHIPPED.environments["staging"], name=name, account="9" * 12)
    changed = msgspec.structs.replace(SHIPPED, environments={**SHIPPED.environments, name: staging})
    assert any("a stack's names leave room for 2 to 20" in each for each in told(changed))
