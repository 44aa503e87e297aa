"""Users of a host are shared by weight in DNS, and the record of before comes back letter for letter."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.errors import Misconfigured, ServiceBusy
from candlefish.service.model import Holder, Quarantine
from candlefish.service.record import ServiceRecord, new_record
from cli.adopt.handing import GIVEN_BACK, begin_closing
from cli.adopt.shares import given_back, leads_to, share_of, shared

HOST = "shop.acme.example"
ALIAS = {"HostedZoneId": "Z1", "DNSName": "dualstack.old.elb.amazonaws.com.", "EvaluateTargetHealth": True}
A: dict[str, Any] = {"Name": f"{HOST}.", "Type": "A", "AliasTarget": ALIAS}
CNAME: dict[str, Any] = {
    "Name": f"{HOST}.",
    "Type": "CNAME",
    "TTL": 300,
    "ResourceRecords": [{"Value": "old.example"}],
}
OTHER: dict[str, Any] = {"Name": "other.acme.example.", "Type": "A", "AliasTarget": ALIAS}


def made(records: list[dict[str, Any]], changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records after a batch, as Route 53 makes it."""
    left = list(records)
    for change in changes:
        wanted = change["ResourceRecordSet"]
        key = tuple(wanted.get(name) for name in ("Name", "Type", "SetIdentifier"))
        if change["Action"] == "DELETE":
            left.remove(wanted)
        else:
            left = [e for e in left if tuple(e.get(n) for n in ("Name", "Type", "SetIdentifier")) != key]
            left.append(wanted)
    return left


@pytest.mark.parametrize("records", [[A], [CNAME], [A, {**A, "Type": "AAAA"}]])
def test_over_and_back_leaves_what_was_there(records: list[dict[str, Any]]) -> None:
    there = [*records, OTHER]
    for share in (10, 50, 100, 0):
        there = made(there, shared(there, HOST, "new.elb.amazonaws.com", "Z2", share))
        assert share_of(there, HOST) == share
        assert leads_to(there, HOST) == leads_to(records, HOST)
        weights = [each["Weight"] for each in there if "Weight" in each]
        assert sum(weights) == 100 * len(records)
    back = made(there, given_back(there, HOST))
    assert sorted(back, key=str) == sorted([*records, OTHER], key=str)
    assert given_back(back, HOST) == []


def test_a_cname_stays_one_for_ours() -> None:
    changes = shared([CNAME], HOST, "new.elb.amazonaws.com", "Z2", 10)
    ours = changes[-1]["ResourceRecordSet"]
    assert (ours["Type"], ours["TTL"], ours["ResourceRecords"]) == (
        "CNAME",
        300,
        [{"Value": "new.elb.amazonaws.com"}],
    )


def test_a_policy_of_somebody_elses_is_left_alone() -> None:
    records = [
        {**A, "SetIdentifier": "eu", "Region": "eu-central-1"},
        {**A, "SetIdentifier": "us", "Region": "us-east-1"},
    ]
    with pytest.raises(Misconfigured, match="by a policy of your own \\(eu, us\\)"):
        shared(records, HOST, "new", "Z2", 10)


def test_a_host_without_a_record_is_said() -> None:
    with pytest.raises(Misconfigured, match="has no A, AAAA or CNAME record"):
        shared([OTHER], HOST, "new", "Z2", 10)


def test_nothing_is_taken_away_while_users_come() -> None:
    there = made([A], shared([A], HOST, "new", "Z2", 10))
    with pytest.raises(Misconfigured, match="still led to the control plane"):
        given_back(there, HOST)


def record() -> ServiceRecord:
    return new_record(
        environment="prod",
        service="shop",
        rule="rule",
        smoke_rule="smoke",
        target_groups={"blue": "b", "green": "g"},
        smoke_token="t",
    )


def test_a_record_that_is_closed_is_nobodys_to_act_by() -> None:
    closed = begin_closing(record(), 5.0)
    assert closed.quarantine == Quarantine(GIVEN_BACK, 5.0)
    assert begin_closing(closed, 9.0) is closed


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"holder": Holder(release="r", execution="e", until=99.0)}, ServiceBusy),
        ({"window_until": 60.0}, ServiceBusy),
        ({"quarantine": Quarantine("restored", 1.0)}, Misconfigured),
    ],
)
def test_what_is_under_way_is_not_given_back(change: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        begin_closing(msgspec.structs.replace(record(), **change), 50.0)
