"""Alarms in virtual time: they fire once, clear once, and rest."""

from __future__ import annotations

import msgspec
import pytest

from candlefish.signals.sources import from_event
from lab.simulator.metrics import ON_TIME, Lateness
from lab.simulator.versions import BEHAVIOURS, Behaviour
from tests.support.simulated import SimulatedSite


def serving(green: str | Behaviour, seed: int = 1, lateness: Lateness = ON_TIME) -> SimulatedSite:
    """Blue serves, green stands by; every alarm has settled."""
    site = SimulatedSite(seed, lateness)
    site.deploy("blue")
    site.deploy("green", green)
    site.send(50.0)
    # What is missing of the time before a slot had targets is breaching.
    site.kernel.sleep(300)
    site.watch()
    site.kernel.sleep(600)
    return site


def test_alarms_of_a_healthy_service_say_that_they_are_ok_and_nothing_else() -> None:
    site = serving("good")
    site.kernel.sleep(3600)
    assert {state for _, state in site.changes()} == {"OK"}
    assert len(site.changes()) == 7


def test_errors_fire_once_and_clear_once() -> None:
    site = serving("broken")
    site.events.clear()
    site.shift(100)
    site.kernel.sleep(600)
    assert sorted(site.changes()) == [("errors-critical/green", "ALARM"), ("errors-high/green", "ALARM")]
    assert site.changes()[0][0] == "errors-critical/green", "two minutes are enough for the critical one"
    site.shift(0)
    site.kernel.sleep(900)
    assert sorted(site.changes()[2:]) == [("errors-critical/green", "OK"), ("errors-high/green", "OK")]


def test_a_late_failure_wakes_alarms_that_rest() -> None:
    site = serving(Behaviour(leak_after=4 * 3600.0, leak_error_rate=0.9))
    site.shift(100)
    site.kernel.sleep(2 * 3600)
    site.events.clear()
    before = site.kernel.events
    site.kernel.sleep(3600)
    assert site.kernel.events == before, "nothing is evaluated while all is well"
    site.kernel.sleep(2 * 3600)
    assert ("errors-critical/green", "ALARM") in site.changes()


def test_a_slot_with_users_and_without_a_healthy_target_is_down() -> None:
    site = serving("good")
    site.events.clear()
    site.cluster.retire("default", "api-blue", 1)
    site.kernel.sleep(900)
    assert ("service-down/blue", "ALARM") in site.changes() and (
        "service-down/green",
        "ALARM",
    ) not in site.changes()
    site.deploy("blue")
    site.kernel.sleep(900)
    assert site.changes()[-1] == ("service-down/blue", "OK") or ("service-down/blue", "OK") in site.changes()


@pytest.mark.parametrize("behaviour", ["hang", "reset", "half-answer"])
@pytest.mark.parametrize("late", [0.0, 120.0], ids=["in time", "two minutes late"])
def test_what_nobody_answers_fires_the_alarms_that_act(behaviour: str, late: float) -> None:
    whole = msgspec.structs.replace(
        BEHAVIOURS[behaviour], hang_rate=0.0, reset_rate=0.0, half_answer_rate=0.0
    )
    worse = msgspec.structs.replace(whole, **{f"{behaviour.replace('-', '_')}_rate": 0.8})
    site = serving(worse, lateness=Lateness(usual=(late, late), late_share=0.0, lost_share=0.0))
    site.events.clear()
    site.shift(100)
    began = site.kernel.now()
    site.kernel.sleep(600 + late)
    fired = {name: at for name, value, at in site.moments() if value == "ALARM"}
    assert {"errors-critical/green", "errors-high/green"} <= fired.keys()
    assert fired["errors-critical/green"] - began <= 3 * 60 + late + 70
    # Nobody who shares the load balancer is accused; it says itself that something is wrong.
    assert not [name for name in fired if name.endswith("/blue")]
    assert any(name.endswith("own-errors") for name in fired)


def test_an_event_is_one_that_the_product_reads() -> None:
    site = serving("broken")
    site.shift(100)
    site.kernel.sleep(600)
    event = next(each for each in site.events if each["detail"]["state"]["value"] == "ALARM")
    (alert,) = from_event(event, site.kernel.now()).alerts
    assert alert.status == "firing" and alert.labels["service"] == "backend-api"


def test_an_alarm_that_is_written_again_keeps_its_state_and_one_that_is_deleted_is_gone() -> None:
    site = serving("good")
    name = "candlefish/production/backend-api/errors-high/blue"
    assert site.alarms.existing(name)[name]["StateValue"] == "OK"
    site.watch()
    assert site.alarms.existing(name)[name]["StateValue"] == "OK"
    site.alarms.delete([name])
    assert site.alarms.existing(name) == {}


@pytest.mark.parametrize("state", ["ALARM", "INSUFFICIENT_DATA"])
def test_what_is_said_by_hand_is_told_and_then_put_right(state: str) -> None:
    site = serving("good")
    site.events.clear()
    site.alarms.set_state("candlefish/production/backend-api/errors-high/blue", state, "a drill")  # type: ignore[arg-type]
    site.kernel.sleep(120)
    assert site.changes() == [("errors-high/blue", state), ("errors-high/blue", "OK")]
