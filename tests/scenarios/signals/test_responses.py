"""What signals lead to: holds, the switch that stops everything, a second attempt and then a person."""

from __future__ import annotations

import pytest

from candlefish.signals.model import LoggedSignal
from tests.support.alerts import SignalStage


def test_a_hold_stays_while_the_alert_flaps_and_the_release_goes_on_when_it_is_quiet(
    stage: SignalStage,
) -> None:
    site = stage.site
    release = stage.start("website", "1.1.0")
    stage.comes_to(release, "approval_requested")
    began = site.kernel.now()
    stage.post(stage.alert("LatencyHigh", began))
    site.until(lambda: site.record("website").holds, "a hold")
    # The hold is honoured before the next step.
    assert stage.answer(release, "approved", "platform-lead")[0] == 200
    stage.comes_to(release, "held")
    stage.post(stage.alert("LatencyHigh", began, ended=began + 1))
    (ended,) = site.until(
        lambda: [x for x in stage.lines("LatencyHigh") if x.signal.alert.status == "resolved"],
        "the alert's end",
    )
    assert ended.decision.gate == "cooldown", "it was lifted while it may flap"
    assert site.record("website").holds
    site.until(lambda: not site.record("website").holds, "the hold's end")
    assert site.kernel.now() - began > site.catalog.responses.guard.cooldown.hold
    stage.comes_to(release, "resumed")
    said = (
        "Release of website 1.1.0 to production started",
        "LatencyHigh on website in production: holding the release",
        "Release of website 1.1.0 to production is held",
        "Hold of website in production has taken effect",
        "website in production: hold lifted",
        "Release of website 1.1.0 to production goes on",
    )
    assert stage.told(*said) == dict.fromkeys(said, 1)
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    stage.settled("website", "1.1.0")


def test_the_tag_stops_everything_and_its_removal_lets_the_repetition_act(stage: SignalStage) -> None:
    site, switch = stage.site, stage.site.stores.switchboard
    release = stage.start("website", "1.2.0")
    stage.comes_to(release, "shifted")
    switch.tag = "off"
    began = site.kernel.now()
    stage.post(stage.alert("ServiceDown", began))
    line = stage.logged("ServiceDown")
    assert line.decision.gate == "switch"
    assert "automation is off (tag candlefish:automation" in line.decision.reason
    assert site.record("website").rollback is None
    switch.tag = ""
    stage.post(stage.alert("ServiceDown", began))
    site.until(lambda: site.record("website").rollback, "the rollback")
    site.until(lambda: stage.outcomes("website") == ["done"], "the response's end")
    record = stage.settled("website", "1.0.0")
    losing = "blue" if record.stable == "green" else "green"
    assert record.slots[losing].state == "bad"
    said = (
        "ServiceDown on website in production: rolling back",
        "website 1.2.0 in production is being rolled back",
        "Rollback of website in production has taken effect",
        "website 1.2.0 in production was rolled back",
    )
    assert stage.told(*said) == dict.fromkeys(said, 1)


def test_what_does_not_take_effect_is_tried_once_more_and_then_a_persons(stage: SignalStage) -> None:
    """Traffic cannot be restored for a while: ELBv2 throttles every ModifyRule of the rollback."""
    site = stage.site
    assert stage.approve_all(stage.start("website", "1.1.0"))["status"] == "SUCCEEDED"
    throttled = stage.strike("throttled", "rules", "write", count=1_000_000)
    stage.post(stage.alert("ErrorRateCritical", site.kernel.now()))
    (ended,) = site.until(
        lambda: [line for line in stage.lines("ErrorRateCritical") if line.outcome], "the response's end"
    )
    assert throttled.met
    throttled.count = 0
    assert ended.outcome == "failed"
    failed = "Rollback of website in production FAILED twice: act now"
    assert stage.told(failed) == {failed: 1}
    names = {run.name for run in site.machines.executions if run.machine.name.endswith("-rollback")}
    assert {name for name in names if name.startswith(ended.response)} == {
        f"{ended.response}-1",
        f"{ended.response}-2",
    }
    # The rollback machine had not given up: the traffic comes back as soon as ELBv2 lets it.
    stage.settled("website", "1.0.0")


# How a version turns bad after it was promoted. The second half of the ways leaves no trace in any answer.
WAYS = ("error_rate", "hang_rate", "reset_rate", "half_answer_rate")


@pytest.mark.parametrize("way", WAYS)
def test_a_cloudwatch_alarm_rolls_back_what_turned_bad(still: SignalStage, way: str) -> None:
    stage, site = still, still.site
    assert stage.approve_all(stage.start("backend-api", "1.1.0"))["status"] == "SUCCEEDED"
    # Alarms are made by then, and know that all is well.
    site.run(600.0)
    alarm = "candlefish/production/backend-api/errors-critical/blue"
    assert site.ground.alarms.existing(alarm)[alarm]["StateValue"] == "OK"
    broke = site.kernel.now()
    site.turn("backend-api", **{way: 0.9})
    before = site.record("backend-api")
    group = before.slots["blue"].target_group
    site.until(lambda: site.weights(before.rule)[group] == 0, "the good version has all the traffic")
    restored = site.kernel.now()

    def decided() -> list[LoggedSignal]:
        return [x for x in stage.lines(subject="backend-api") if x.decision.action == "rollback"]

    # The traffic comes first, what is written down of it after.
    (line,) = site.until(decided, "the decision is written down")
    signal = line.signal
    assert (signal.source, signal.name) == ("cloudwatch", alarm)
    assert broke < signal.alert.started_at <= signal.received_at < line.at < restored
    stage.one_rollback("backend-api")
