"""Giving a service back: users go before anything is deleted, and there is time for resolvers to follow."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from candlefish.service.record import ServiceRecord
from candlefish.traffic.shares import rule_name
from cli.adopt.facts import Rule
from cli.adopt.handing import answers
from cli.adopt.shares import BEFORE, OURS
from cli.take_over import give_back_command
from tests.support.catalogs import catalog
from tests.support.service import V1, fresh, released

HOST = "api.example.org"


class Zone:
    """A hosted zone in which `ours` percent are led to the control plane, by answers that are kept `ttl` seconds."""

    def __init__(self, ttl: int, ours: int, done: list[str]) -> None:
        self._done = done
        one = {"Name": f"{HOST}.", "Type": "CNAME", "TTL": ttl}
        self._records: list[dict[str, Any]] = [
            {
                **one,
                "SetIdentifier": each,
                "Weight": weight,
                "ResourceRecords": [{"Value": f"{each}.example.net"}],
            }
            for each, weight in ((BEFORE, 100 - ours), (OURS, ours))
        ]

    def records(self) -> list[dict[str, Any]]:
        return self._records

    def change(self, changes: list[dict[str, Any]]) -> None:
        sets = [each["ResourceRecordSet"] for each in changes if each["Action"] == "UPSERT"]
        self._records = sets
        self._done.append(
            "led back" if any(each.get("SetIdentifier") == OURS for each in sets) else "one again"
        )


@pytest.fixture
def given_back(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Gives a service back whose DNS answers are kept so long; what was done, in its order."""
    record = released(fresh(), "r1", V1)

    class Records:
        def update(self, service: str, change: Callable[[ServiceRecord], ServiceRecord]) -> ServiceRecord:
            return change(record)

    def run(ttl: int, *more: str, ours: int = 50) -> list[str]:
        done: list[str] = []
        front = {"DNSName": "ours.example.net", "CanonicalHostedZoneId": "Z1"}
        for where, to in {
            "cli.take_over.record_of": lambda stack, service: record,
            "cli.stack.Stack.records": lambda stack: Records(),
            "cli.stack.Stack.client": lambda stack, service: None,
            "cli.stack.Stack.credentials": None,
            "candlefish.catalog.load.load": lambda folder: catalog(),
            "cli.adopt.clusters.by_eks": lambda *asked: None,
            "cli.adopt.handing.Dns": lambda route53, host: Zone(ttl, ours, done),
            "cli.adopt.handing.front_of": lambda stack, known: front,
            "cli.adopt.handing.require_old_way": lambda *asked: done.append("looked"),
            "cli.adopt.handing.take_away": lambda *asked: done.append("deleted"),
        }.items():
            monkeypatch.setattr(where, to)
        monkeypatch.setattr(time, "sleep", lambda seconds: done.append(f"waited {seconds:g}"))
        arguments = ["backend-api", "-e", "production", "--yes", *more]
        ended = CliRunner().invoke(give_back_command, arguments, catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
        return done

    return run


@pytest.mark.parametrize("ttl", [30, 300])
def test_nothing_is_deleted_before_resolvers_follow(given_back: Callable[..., list[str]], ttl: int) -> None:
    assert given_back(ttl) == ["looked", "led back", f"waited {2 * ttl}", "one again", "deleted"]


def test_who_was_led_back_a_moment_ago_is_waited_for_too(given_back: Callable[..., list[str]]) -> None:
    """The command was stopped in its wait, and is run again."""
    assert given_back(300, ours=0) == ["looked", "waited 600", "one again", "deleted"]


def test_whoever_knows_better_says_how_long(given_back: Callable[..., list[str]]) -> None:
    assert "waited 5" in given_back(300, "--settle", "5")


@pytest.mark.parametrize(
    ("hosts", "answered"),
    [
        ((), True),
        ((HOST,), True),
        (("*.example.org",), True),
        (("API.example.ORG",), True),
        (("example.org", "*.example.net"), False),
    ],
)
def test_which_rules_of_before_take_a_hosts_requests(hosts: tuple[str, ...], answered: bool) -> None:
    assert answers(Rule("arn", "1", hosts), HOST) is answered


def test_a_stateful_service_has_nothing_to_give_back_and_nothing_of_it_is_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = msgspec.structs.replace(
        released(fresh(), "r1", V1), rule=rule_name("stateful", "shop", "backend-api")
    )
    monkeypatch.setattr("cli.take_over.record_of", lambda stack, service: record)
    ended = CliRunner().invoke(give_back_command, ["backend-api", "-e", "production", "--yes"])
    assert ended.exit_code == 2
    assert "runs on with its volumes" in ended.output
