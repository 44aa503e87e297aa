"""The table is emptied, or restored to an earlier time, under load: nobody is led astray, and a person brings it back."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from candlefish.automation import off_tag
from candlefish.service.record import ServiceRecord
from tests.support.scenario import SERVICES, SimulatedStage

SERVICE = "backend-api"
OTHERS = [service for service in SERVICES if service != SERVICE]


def at_rest(stage: SimulatedStage, service: str) -> bool:
    record = stage.site.record(service)
    return record.holder is None and sum(slot.running for slot in record.slots.values()) == 1


def promote(stage: SimulatedStage, version: str) -> ServiceRecord:
    release = stage.start(SERVICE, version)
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    stage.site.until(lambda: at_rest(stage, SERVICE), "the end of the window")
    return stage.settled(SERVICE, version)


def rebuild(stage: SimulatedStage, **more: Any) -> tuple[int, Any]:
    request = {"service": SERVICE, "reason": "the table was lost", **more}
    return stage.site.post("rebuild_record", request, "platform-lead")


def findings(stage: SimulatedStage, name: str) -> int:
    """How often people were told of a finding."""
    return sum(name in told.title for told in stage.site.told)


def test_the_table_is_emptied_and_the_records_are_made_again(stage: SimulatedStage) -> None:
    before = {SERVICE: promote(stage, "1.1.0")} | {name: stage.site.record(name) for name in OTHERS}
    live = {name: stage.site.weights(record.rule) for name, record in before.items()}
    stage.site.stores.records.stored.clear()
    stage.site.run(600)
    assert {name: stage.site.weights(record.rule) for name, record in before.items()} == live
    assert findings(stage, "record-missing") == len(SERVICES), "each once, not every minute"
    assert stage.ends(stage.start(SERVICE, "1.2.0"))["error"] == "NotOnboarded"
    for service in SERVICES:
        assert rebuild(stage, service=service)[0] == 200
        again = stage.site.record(service)
        assert (again.stable, again.desired) == (before[service].stable, before[service].desired)
        assert again.stable_version and again.stable_version.same_as(before[service].stable_version)
    stage.site.run(120)
    promote(stage, "1.2.0")
    assert [stage.without_service(service) for service in SERVICES] == [0, 0, 0]


def test_the_table_is_an_hour_back_and_is_not_obeyed(stage: SimulatedStage) -> None:
    """`data_loss.py`, section 1: then a canary had 10%; since then it was promoted, and the slot that was stable then has no Pods."""
    release = stage.start(SERVICE, "1.1.0")
    stage.comes_to(release, "shifted")
    then = copy.deepcopy(stage.site.stores.records.stored)
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    stage.site.until(lambda: at_rest(stage, SERVICE), "the end of the window")
    newest = stage.settled(SERVICE, "1.1.0")
    live = stage.site.weights(newest.rule)
    stage.site.stores.records.stored.update(then)
    stage.site.run(600)
    assert stage.site.weights(newest.rule) == live
    assert stage.site.record(SERVICE).quarantine is not None
    assert [stage.site.record(name).quarantine for name in OTHERS] == [None, None], (
        "these did not change since"
    )
    assert findings(stage, "record-older-than-world") == 1
    assert stage.ends(stage.start(SERVICE, "1.2.0"))["error"] == "Quarantined"
    refused = stage.ends(stage.roll_back(SERVICE, "by-a-person"), "Rollback")
    assert refused["error"] == "Quarantined" and "candlefish records verify" in refused["cause"]
    assert stage.site.weights(newest.rule) == live
    status, answer = rebuild(stage)
    assert (status, answer["generation"]) == (200, newest.generation + 1)
    promote(stage, "1.2.0")
    assert stage.without_service(SERVICE) == 0


@pytest.mark.parametrize("good", ["stable", "candidate"])
def test_the_table_is_emptied_in_the_middle_of_a_canary_and_a_person_says_which_is_good(
    stage: SimulatedStage, good: str
) -> None:
    release = stage.start(SERVICE, "1.1.0")
    stage.comes_to(release, "approval_requested")
    record = stage.site.record(SERVICE)
    live = stage.site.weights(record.rule)
    assert min(live.values()) > 0 and record.stable
    candidate = "blue" if record.stable == "green" else "green"
    stage.site.stores.records.stored.clear()
    stage.site.run(300)
    status, said = rebuild(stage)
    assert status == 409 and "--stable" in said["message"]
    assert stage.site.weights(record.rule) == live
    chosen, version = (record.stable, "1.0.0") if good == "stable" else (candidate, "1.1.0")
    assert rebuild(stage, stable=chosen)[0] == 200
    assert stage.site.weights(record.rule) == live, "the record is made again, the world is not touched"
    stage.site.until(lambda: at_rest(stage, SERVICE), "the other slot's end")
    stage.settled(SERVICE, version)
    stage.site.until(lambda: stage.ends_now(release, "Release")["status"] != "RUNNING", "the release's end")
    promote(stage, "1.2.0")
    assert stage.without_service(SERVICE) == 0


def test_while_automation_is_off_what_died_waits_and_people_release(stage: SimulatedStage) -> None:
    switch = stage.site.stores.switchboard
    release = stage.start(SERVICE, "1.1.0")
    stage.comes_to(release, "shifted")
    switch.tag = off_tag("restoring the table", "platform-lead", stage.site.kernel.now())
    stage.stop(release)
    stage.site.run(900)
    record = stage.site.record(SERVICE)
    assert record.rollback is None and record.holder is not None
    assert findings(stage, "automation-off") == 1
    website = stage.start("website", "1.2.0")
    assert stage.approve_all(website)["status"] == "SUCCEEDED"
    assert stage.ends(stage.roll_back(SERVICE, "by-a-person"), "Rollback")["status"] == "SUCCEEDED"
    stage.settled(SERVICE, "1.0.0")
    switch.tag = "on"
    promote(stage, "1.2.0")
