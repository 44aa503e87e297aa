"""What would make a deployment fail is said before it begins, with what to do."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from candlefish.catalog.load import load
from candlefish.catalog.stack_parameters import reach_of
from lab.aws.deploy import read_template
from tools.preflight import Found, held, patience, room, written

ROOT = Path(__file__).parents[3]
PRODUCTION = load(ROOT / "catalog").environments["production"]
DECLARED = read_template(ROOT / "template.yaml")["Parameters"]
VALUES = {
    "Environment": "production",
    "ClusterName": PRODUCTION.cluster,
    "ListenerArns": "arn:aws:elasticloadbalancing:us-west-2:333333333333:listener/app/x/1/2",
    "VpcId": "vpc-1",
    "PermissionsBoundaryArn": "arn:aws:iam::333333333333:policy/candlefish-boundary",
    **reach_of(PRODUCTION).parameters,
}
LISTENER = VALUES["ListenerArns"]
FOUND = Found(account=PRODUCTION.account, mode="API", listener_vpcs={LISTENER: "vpc-1"}, boundary=True)


def section(**changed: str) -> dict[str, object]:
    pairs = [f"{name}={value}" for name, value in {**VALUES, **changed}.items()]
    return {"region": PRODUCTION.region, "parameter_overrides": pairs}


def test_what_agrees_is_not_complained_about() -> None:
    assert written(section(), DECLARED, PRODUCTION) == []
    assert held(section(), PRODUCTION, FOUND) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ClusterName": "other"}, "samconfig.toml says other, the catalog says candlefish-production"),
        ({"Environment": "staging"}, "samconfig.toml says staging"),
        ({"VpcId": ""}, "VpcId: give a value"),
        ({"Vpc": "x"}, "no such parameter"),
        ({"SecretArns": "arn:aws:secretsmanager:*"}, "candlefish catalog parameters -e production --write"),
        (
            {"KeyArns": "arn:aws:kms:us-west-2:333333333333:key/of-a-database-that-is-gone"},
            "KeyArns: samconfig.toml",
        ),
    ],
)
def test_a_section_that_contradicts_the_catalog_is_told(changed: dict[str, str], said: str) -> None:
    (line,) = written(section(**changed), DECLARED, PRODUCTION)
    assert said in line


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"account": "123456789012"}, "choose another profile"),
        ({"mode": None}, "no EKS cluster candlefish-production in us-west-2"),
        ({"mode": "CONFIG_MAP"}, "authenticationMode=API_AND_CONFIG_MAP"),
        ({"listener_vpcs": {LISTENER: None}}, "there is no listener"),
        ({"listener_vpcs": {LISTENER: "vpc-1", "another": "vpc-2"}}, "is in vpc-2, not vpc-1"),
        ({"boundary": False}, "step 1"),
    ],
)
def test_what_the_account_does_not_hold_is_told(changed: dict[str, object], said: str) -> None:
    (line,) = held(section(), PRODUCTION, msgspec.structs.replace(FOUND, **changed))
    assert said in line


def test_too_few_load_balancers_are_told() -> None:
    assert room(section(), 50) == []
    (line,) = room(section(), 51)
    assert "51 services need 2 load balancers, and listeners of 1 are given" in line
    # A second listener of the same load balancer makes no room.
    assert room(section(ListenerArns=f"{LISTENER},{LISTENER}b"), 51) == [line]
    other = LISTENER.replace("/x/", "/y/")
    assert room(section(ListenerArns=f"{LISTENER},{other}"), 100) == []


def test_no_boundary_is_a_choice() -> None:
    assert (
        held(section(PermissionsBoundaryArn=""), PRODUCTION, msgspec.structs.replace(FOUND, boundary=False))
        == []
    )


def test_the_shipped_sections_contradict_nothing() -> None:
    import tomllib

    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    for name, environment in load(ROOT / "catalog").environments.items():
        assert written(config[name]["deploy"]["parameters"], DECLARED, environment) == []


def test_checks_that_are_too_rare_for_a_slot_to_get_ready_are_told() -> None:
    assert patience(section(), DECLARED, "canary", 600.0) == []
    assert patience(section(HealthIntervalSeconds="299"), DECLARED, "canary", 600.0) == []
    (line,) = patience(section(HealthIntervalSeconds="300"), DECLARED, "canary", 600.0)
    assert "two checks take 600 s, and strategy canary gives a slot 600 s" in line
