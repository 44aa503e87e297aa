"""Whom a control plane tells of promotions, and asks for failovers: the one in the other region, if there is one."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner

from candlefish.catalog.model import Environment
from candlefish.catalog.standby import peer_region
from candlefish.errors import InvalidInput
from cli.failover import failover_command
from tests.support.failover.catalog import AWAY, ENVIRONMENT, HOME

ALONE = msgspec.structs.replace(
    ENVIRONMENT, recovery=msgspec.structs.replace(ENVIRONMENT.recovery, standby=False)
)


@pytest.mark.parametrize(
    ("environment", "here", "peer"),
    [(ENVIRONMENT, HOME, AWAY), (ENVIRONMENT, AWAY, HOME), (ALONE, HOME, None), (ALONE, AWAY, HOME)],
)
def test_the_one_at_home_is_always_there_and_the_other_one_when_declared(
    environment: Environment, here: str, peer: str | None
) -> None:
    assert peer_region(environment, here) == peer


def test_the_command_says_that_nobody_is_there_before_it_asks_anybody() -> None:
    asked = CliRunner().invoke(failover_command, ["region", "-e", "production", "--plan"])
    assert isinstance(asked.exception, InvalidInput)
    assert "declares no control plane in us-east-1" in str(asked.exception)
