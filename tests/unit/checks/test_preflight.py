"""What would make a deployment fail is said before it begins, with what to do."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from candlefish.catalog.load import load
from lab.aws.deploy import read_template
from tools.preflight import Found, held, written

ROOT = Path(__file__).parents[3]
PRODUCTION = load(ROOT / "catalog").environments["production"]
DECLARED = read_template(ROOT / "template.yaml")["Parameters"]
VALUES = {
    "Environment": "production",
    "ClusterName": PRODUCTION.cluster,
    "ListenerArn": "arn:aws:elasticloadbalancing:us-west-2:333333333333:listener/app/x/1/2",
    "VpcId": "vpc-1",
    "FrontDoorUrl": "https://x",
    "PermissionsBoundaryArn": "arn:aws:iam::333333333333:policy/candlefish-boundary",
}
FOUND = Found(account=PRODUCTION.account, mode="API", listener_vpc="vpc-1", boundary=True)


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
        ({"listener_vpc": None}, "there is no listener"),
        ({"listener_vpc": "vpc-2"}, "is in vpc-2, not vpc-1"),
        ({"boundary": False}, "step 1"),
    ],
)
def test_what_the_account_does_not_hold_is_told(changed: dict[str, object], said: str) -> None:
    (line,) = held(section(), PRODUCTION, msgspec.structs.replace(FOUND, **changed))
    assert said in line


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
