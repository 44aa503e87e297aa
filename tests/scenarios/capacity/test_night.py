"""A night and a morning: a cluster, nodes and a database go to sleep and come back as they were."""

from __future__ import annotations

from tests.support.simulated_night import SimulatedNight


def test_a_night_and_a_morning(night: SimulatedNight) -> None:
    evening = night.picture()
    assert evening["nodes"] == 3
    status, answer = night.say("sleep")
    assert status == 200, answer
    assert answer["desired"]["state"] == "asleep"
    asleep = night.phase("asleep")
    assert asleep.by
    down = night.picture()
    assert down["nodes"] == 0
    assert down["Nodegroup/default"] == {"minSize": 0, "desiredSize": 0, "maxSize": 1}
    assert down[f"Database/{night.site.declared.databases[0].identifier}"] == "stopped"
    assert {spec["replicas"] for name, spec in down.items() if name.startswith("Deployment")} == {0}
    assert asleep.notes == {}
    # Whoever looks at what sleeps sees the nodes and databases too.
    look = night.site.call("reconcile_capacity", {"dry_run": True})
    assert look["action"] == "none", look
    status, answer = night.say("wake")
    assert status == 200, answer
    night.phase("awake")
    assert night.picture() == evening


def test_faults_everywhere_do_not_change_the_morning(night: SimulatedNight) -> None:
    evening = night.picture()
    strikes = [
        night.strike("refused", "world", "apply", skip=1),
        night.strike("throttled", "world", "apply", skip=3),
        night.strike("dies_before", "*", function="advance_capacity", skip=2),
        night.strike("dies_after", "*", function="advance_capacity", skip=9),
        night.strike("lost", "world", "apply", count=2, skip=5),
        night.strike("refused", "world", "observe", count=3, skip=5),
    ]
    assert night.say("sleep")[0] == 200
    night.until(lambda record: record.phase == "asleep", "it is asleep")
    strikes += [
        night.strike("refused", "world", "apply"),
        night.strike("dies_after", "world", function="advance_capacity", count=2, skip=3),
    ]
    assert night.say("wake")[0] == 200
    night.phase("awake")
    assert [strike.met for strike in strikes] == [1, 1, 1, 1, 2, 3, 1, 2]
    assert night.picture() == evening


def test_the_plan_is_a_dry_run(night: SimulatedNight) -> None:
    before, revision = night.picture(), night.record.revision
    decision = night.site.call("reconcile_capacity", {"dry_run": True})
    assert decision["action"] == "none"
    assert night.picture() == before
    assert night.record.revision == revision


def test_a_command_that_makes_no_sense_is_refused_with_a_reason(night: SimulatedNight) -> None:
    status, answer = night.say("sleep", until="yesterday")
    assert status == 400
    assert "write it like 23:00" in answer["message"]
