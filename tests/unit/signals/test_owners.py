"""Whose news it is, and that it goes to its owner's channel, or to everybody's."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from samtranslator.yaml_helper import yaml_parse

from candlefish.adapters.http.slack_secret import slack_secret
from candlefish.catalog.check import check
from candlefish.catalog.model import Catalog, Owner
from candlefish.catalog.stack_parameters import derived
from candlefish.errors import Misconfigured, Unavailable
from candlefish.signals.classify import classify
from candlefish.signals.notification import ConsoleLinks
from candlefish.signals.notify import BusEvent, notify
from candlefish.signals.own_alarms import ALARM_STATE, OWN_ALARMS
from candlefish.signals.owners import whose_news
from lab import ROOT
from lab.memory.signals import MemoryChannel, MemoryLedger
from tests.support.catalogs import catalog
from tests.support.signal_world import alert, delivery

PLACES = ConsoleLinks("production")
NOW = 1_800_000_000.0
HELD = BusEvent("e1", "release.held", {"service": "backend-api", "environment": "production"})


def with_owners(**owners: Owner) -> Catalog:
    given = catalog()
    return msgspec.structs.replace(given, responses=msgspec.structs.replace(given.responses, owners=owners))


@pytest.mark.parametrize(
    ("kind", "detail", "owner"),
    [
        ("release.held", {"service": "backend-api"}, "platform"),
        ("signal.decided", {"subject": "x", "owner": "data"}, "data"),
        ("Step Functions Execution Status Change", {"input": json.dumps({"service": "website"})}, "web"),
        ("capacity.changed", {"environment": "staging"}, ""),
        ("release.held", {"service": "nobody-knows"}, ""),
        ("Step Functions Execution Status Change", {"input": "no JSON"}, ""),
    ],
)
def test_news_of_a_service_are_its_owners(kind: str, detail: dict[str, Any], owner: str) -> None:
    assert whose_news(kind, detail, catalog().services) == owner


@pytest.mark.parametrize(("label", "owner"), [("team", "data"), ("owner", "payments"), ("team", "unknown")])
def test_an_alert_about_no_service_is_whose_its_labels_say(label: str, owner: str) -> None:
    one = alert("QueueFull", at=NOW, service="", **{label: owner})
    given = with_owners(payments=Owner("payments", slack="payments"))
    found = classify(one, delivery(one, at=NOW), catalog=given, environment="production")
    assert found.owner == ("" if owner == "unknown" else owner)


def test_an_owners_channel_is_told_instead_of_everybodys_and_the_other_kinds_as_ever() -> None:
    mine, chat, mail, ledger = MemoryChannel(), MemoryChannel(), MemoryChannel(), MemoryLedger()
    for _ in range(2):
        notify(
            HELD,
            channels={"slack": chat, "sns": mail},
            ledger=ledger,
            links=PLACES,
            owners=lambda event: {"slack": mine},
        )
    assert [len(channel.got) for channel in (mine, chat, mail)] == [1, 0, 1]


def test_an_owners_channel_that_is_gone_leaves_it_to_everybodys_which_says_so() -> None:
    gone, chat = MemoryChannel(Misconfigured("no webhook called platform")), MemoryChannel()
    notify(
        HELD, channels={"slack": chat}, ledger=MemoryLedger(), links=PLACES, owners=lambda e: {"slack": gone}
    )
    (got,) = chat.got
    assert ("Not with its owner", "no webhook called platform") in got.facts


def test_an_owners_channel_that_is_down_is_tried_again() -> None:
    down, chat, ledger = MemoryChannel(Unavailable("down")), MemoryChannel(), MemoryLedger()
    for _ in range(2):
        with pytest.raises(Unavailable):
            notify(
                HELD, channels={"slack": chat}, ledger=ledger, links=PLACES, owners=lambda e: {"slack": down}
            )
    down.error = None
    notify(HELD, channels={"slack": chat}, ledger=ledger, links=PLACES, owners=lambda e: {"slack": down})
    assert (len(down.got), chat.got) == (1, [])


def test_slacks_secret_holds_one_webhook_or_one_for_each_channel() -> None:
    assert slack_secret("https://hooks/T0/x\n").webhook("default") == "https://hooks/T0/x"
    several = json.dumps({"default": "https://hooks/a", "payments": "https://hooks/b"})
    assert slack_secret(several).webhook("payments") == "https://hooks/b"
    assert slack_secret(several).webhook("default") == "https://hooks/a"
    for text, name in ((several, "data"), ("https://hooks/secret", "data"), ('{"default": ', "default")):
        with pytest.raises(Misconfigured, match=name) as refused:
            slack_secret(text).webhook(name)
        assert "secret/" not in str(refused.value) and "hooks/" not in str(refused.value).partition(";")[0]


def test_roles_reach_the_topics_of_owners_in_both_regions() -> None:
    given = with_owners(data=Owner("data", topic="data-alerts"), web=Owner("web", slack="web"))
    production = given.environments["production"]
    arns = derived(production, given)["OwnerTopicArns"].split(",")
    assert arns == [f"arn:aws:sns:{region}:{production.account}:data-alerts" for region in production.regions]
    assert "OwnerTopicArns" not in derived(production, catalog())


def test_owners_who_read_nowhere_and_too_many_topics_are_problems_of_the_catalog() -> None:
    many = {f"team-{n}": Owner(f"team-{n}", topic=f"{n}".zfill(70)) for n in range(20)}
    said = " ".join(str(each) for each in check(with_owners(nobody=Owner("nobody"), **many)))
    assert "nobody has neither a Slack channel nor a topic" in said
    assert "the ARNs of 20 topics" in said


@pytest.mark.parametrize("name", ["token", "channels"])
def test_a_channel_is_not_called_like_what_else_the_secret_has(name: str) -> None:
    said = " ".join(str(each) for each in check(with_owners(data=Owner("data", slack=name))))
    assert f"{name} is what Slack's secret calls something else" in said


def ringing(name: str, value: str = "ALARM", before: str = "OK") -> BusEvent:
    detail = {
        "alarmName": f"candlefish-control-plane-production-{name}",
        "state": {"value": value, "reason": "Threshold Crossed"},
        "previousState": {"value": before},
    }
    return BusEvent(f"{name}-{value}", ALARM_STATE, detail)


@pytest.mark.parametrize("name", sorted(OWN_ALARMS))
def test_the_control_planes_own_alarms_are_news_where_the_topic_is_not_told_by_the_alarm_itself(
    name: str,
) -> None:
    mail, chat = MemoryChannel(), MemoryChannel()
    for event in (ringing(name), ringing(name, "OK", "ALARM"), ringing(name, "OK", "INSUFFICIENT_DATA")):
        notify(event, channels={"sns": mail, "slack": chat}, ledger=MemoryLedger(), links=PLACES)
    rings, over = chat.got
    assert (rings.tone, over.tone) == ("bad", "good") and rings.command and mail.got == []
    assert "{" not in rings.title + rings.command.replace("$(", "")


def test_every_alarm_of_the_stack_tells_the_topic_and_has_words() -> None:
    template = yaml_parse((ROOT / "template.yaml").read_text())
    alarms = {
        logical: each["Properties"]
        for logical, each in template["Resources"].items()
        if each["Type"] == "AWS::CloudWatch::Alarm"
        and "NoticesTopic" in str(each["Properties"].get("AlarmActions"))
    }
    names = {str(each["AlarmName"]) for each in alarms.values()}
    assert {re.sub(r".*\$\{Environment\}-([a-z-]+).*", r"\1", name) for name in names} == set(OWN_ALARMS)
    rule = template["Resources"]["NotifyFunction"]["Properties"]["Events"]["OwnAlarm"]["Properties"][
        "Pattern"
    ]
    assert {str(each) for each in rule["detail"]["alarmName"]} == names
