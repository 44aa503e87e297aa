"""Every execution that ends badly is news, once; an end that was told is not told again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from candlefish.again import AGAIN
from candlefish.signals.endings import ENDINGS, STATUS_CHANGE
from candlefish.signals.news import notification_of
from candlefish.signals.notification import ConsoleLinks, Notification
from candlefish.signals.notify import BusEvent, notify
from lab.memory.signals import MemoryChannel, MemoryLedger
from tests.support.clock import Clock
from tools.stack import read

PREFIX = "arn:aws:states:us-west-2:333333333333:stateMachine:candlefish-production-"
PLACES = ConsoleLinks("production", f"{PREFIX}release")
INPUTS: dict[str, dict[str, Any]] = {
    "release": {
        "service": "website",
        "image": "ghcr.io/example-org/website@sha256:0123456789abcdef",
        "label": "v2",
        "requested_by": "developer",
    },
    "rollback": {"service": "website", "id": "website-2-rollback", "by": "release"},
    "watch": {"service": "website", "release": "website-2"},
    "failover": {"target": "database/main", "epoch": 3},
}


def ended(machine: str, error: str = "States.Timeout", cause: str = "", **more: Any) -> dict[str, Any]:
    """The detail of Step Functions' own event."""
    return {
        "executionArn": f"{PREFIX.replace(':stateMachine:', ':execution:')}{machine}:website-2",
        "stateMachineArn": f"{PREFIX}{machine}",
        "name": "website-2",
        "status": "FAILED",
        "stopDate": 1_800_000_000_000,
        "input": json.dumps(INPUTS.get(machine, {})),
        "error": error,
        "cause": cause,
        **more,
    }


def said(detail: dict[str, Any]) -> Notification:
    text = notification_of(STATUS_CHANGE, detail, PLACES)
    assert text is not None
    return text


def test_every_machine_has_a_row() -> None:
    assert ENDINGS.keys() == read().machines.keys()


@pytest.mark.parametrize("machine", sorted(ENDINGS))
@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_what_ended_why_what_it_means_and_what_next(machine: str, status: str) -> None:
    cause = json.dumps({"errorMessage": "the table is on fire", "errorType": "Unheard"})
    error = "Unheard" if machine != "release" else "States.Runtime"
    text = said(ended(machine, error, cause, status=status))
    assert text.title.endswith(f": {error}") and "?" not in text.title and "?" not in text.command
    assert text.text.startswith("The table is on fire. ") and len(text.text) > len("The table is on fire. ")
    assert text.link.endswith(f"execution:candlefish-production-{machine}:website-2")
    assert text.tone == "bad" and text.command
    assert text.key and text.again == AGAIN


def test_nothing_but_the_status_is_told_as_well() -> None:
    text = said(ended("rollback", status="TIMED_OUT", error=None, cause=None, input=None))
    assert text.title == "A rollback of ? in production ended before it was done: TIMED_OUT"
    assert (
        said(ended("tomorrow")).title
        == "tomorrow website-2 in production ended before it was done: States.Timeout"
    )


@pytest.mark.parametrize("machine", sorted(ENDINGS))
def test_an_end_that_others_tell_of_is_quiet(machine: str) -> None:
    assert ENDINGS[machine].quiet
    for error in ENDINGS[machine].quiet:
        assert notification_of(STATUS_CHANGE, ended(machine, error), PLACES) is None


def test_quiet_errors_are_those_that_the_machines_end_with() -> None:
    """A name that no machine raises any more would keep nothing quiet."""
    stack = read()
    texts = {name: json.dumps(machine) for name, machine in stack.machines.items()}
    texts["release"] += texts["rollback"]
    by_function = {"NothingToRollBack", "EnvironmentAsleep"}
    for machine, ending in ENDINGS.items():
        for error in ending.quiet - by_function:
            assert error in texts[machine], (machine, error)


class Told:
    """What people read of some events, in the order in which they come."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.channel, self.ledger = MemoryChannel(), MemoryLedger(self.clock)
        self._count = 0

    def __call__(self, kind: str, detail: dict[str, Any]) -> list[str]:
        self._count += 1
        event = BusEvent(f"e{self._count}", kind, detail)
        notify(event, channels={"sns": self.channel}, ledger=self.ledger, links=PLACES)
        return [each.title for each in self.channel.got]


RELEASE = {
    "release": "website-2",
    "environment": "production",
    "service": "website",
    "version": "v2",
    "requested_by": "developer",
}
REFUSED = RELEASE | {"kind": "refused", "reason": "a freeze is on"}
ROLLED_BACK = RELEASE | {"kind": "rolled_back", "reason": "5% of answers are errors"}


@pytest.mark.parametrize("first", [0, 1])
def test_a_refusal_is_told_once_whoever_tells_it_first(first: int) -> None:
    told = Told()
    events = [
        ("release.refused", REFUSED),
        (STATUS_CHANGE, ended("release", "Frozen", json.dumps({"errorMessage": "a freeze is on"}))),
    ]
    for event in (events[first], events[1 - first]):
        told(*event)
    (text,) = told.channel.got
    assert text.title == "Release of website v2 to production was refused"
    assert text.text == "A freeze is on."
    assert ("Release", "website-2") in text.facts


def test_a_refusal_whose_own_event_was_lost_is_told() -> None:
    assert Told()(STATUS_CHANGE, ended("release", "ServiceBusy", "website is held")) == [
        "Release of website v2 to production was refused"
    ]


def test_a_rollback_is_told_once_and_also_when_its_own_event_was_lost() -> None:
    died = ended("release", "JudgedBad", "rolled back: 5% of answers are errors")
    told = Told()
    told("release.rolled_back", ROLLED_BACK)
    assert told(STATUS_CHANGE, died) == ["website v2 in production was rolled back"]
    lost = Told()
    assert lost(STATUS_CHANGE, died) == ["website v2 in production was rolled back"]
    assert lost.channel.got[0].text == "5% of answers are errors."


def test_a_rollback_that_did_not_complete_is_told_beside_it() -> None:
    told = Told()
    told("release.rolled_back", ROLLED_BACK)
    titles = told(
        STATUS_CHANGE, ended("release", "RollbackIncomplete", "JudgedBad: -- and the rollback did not")
    )
    assert (
        titles[1] == "Release website-2 of website in production ended before it was done: RollbackIncomplete"
    )


def test_what_goes_on_ending_is_told_once_and_again_after_an_hour() -> None:
    told = Told()
    for minute in range(125):
        died = ended("rollback", "ClusterRefused", "forbidden", name=f"website-2-resume-{minute}")
        told(STATUS_CHANGE, died)
        told("release.resume_rollback", RELEASE | {"kind": "resume_rollback", "reason": "it is gone"})
        told.clock.forward(60)
    titles = [each.title for each in told.channel.got]
    assert titles.count("A rollback of website in production ended before it was done: ClusterRefused") == 3
    assert titles.count("The rollback of website v2 in production had stopped and goes on") == 3
    assert len(titles) == 6


@pytest.mark.parametrize("kind", ["roll_back", "resume_rollback", "resume_watch"])
def test_what_the_reconciler_takes_up_again_is_news(kind: str) -> None:
    text = notification_of(
        f"release.{kind}", RELEASE | {"kind": kind, "reason": "its execution is gone"}, PLACES
    )
    assert text is not None and text.again == AGAIN and "website v2" in text.title
