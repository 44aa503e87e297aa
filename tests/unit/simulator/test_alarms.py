"""Alarms in virtual time: they fire once, clear once, and rest."""

from __future__ import annotations

import pytest

from candlefish.signals.sources import from_event
from lab.simulator.versions import Behaviour
from tests.support.simulated import SimulatedSite


def serving(green: str | Behaviour, seed: int = 1) -> SimulatedSite:
    """Blue serves, green stands by; every alarm has settled."""
    site = SimulatedSite(seed)
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
    assert len(site.changes()) == 9


def test_errors_fire_once_and_clear_once() -> None:
    site = serving("broken")
    site.events.clear()
    site.shift(100)
    site.kernel.sleep(600)
    assert sorted(site.changes()) == [("errors-critical-green", "ALARM"), ("errors-high-green", "ALARM")]
    assert site.changes()[0][0] == "errors-critical-green", "two minutes are enough for the critical one"
    site.shift(0)
    site.kernel.sleep(900)
    assert sorted(site.changes()[2:]) == [("errors-critical-green", "OK"), ("errors-high-green", "OK")]


def test_slow_answers_fire_the_alarm_for_latency() -> None:
    site = serving("slow")
    site.events.clear()
    site.shift(100)
    site.kernel.sleep(900)
    assert site.changes() == [("latency-high-green", "ALARM")]


def test_a_late_failure_wakes_alarms_that_rest() -> None:
    site = serving(Behaviour(leak_after=4 * 3600.0, leak_error_rate=0.9))
    site.shift(100)
    site.kernel.sleep(2 * 3600)
    site.events.clear()
    before = site.kernel.events
    site.kernel.sleep(3600)
    assert site.kernel.events == before, "nothing is evaluated while all is well"
    site.kernel.sleep(2 * 3600)
    assert ("errors-critical-green", "ALARM") in site.changes()


def test_a_service_without_a_healthy_target_is_down() -> None:
    site = serving("good")
    site.events.clear()
    for slot in ("blue", "green"):
        site.cluster.retire("default", f"api-{slot}", 1)
    site.kernel.sleep(900)
    assert site.changes() == [
        ("unhealthy-blue", "ALARM"),
        ("unhealthy-green", "ALARM"),
        ("service-down", "ALARM"),
    ]
    site.deploy("blue")
    site.kernel.sleep(900)
    assert site.changes()[3:] == [("unhealthy-blue", "OK"), ("service-down", "OK")]


def test_an_event_is_one_that_the_product_reads() -> None:
    site = serving("broken")
    site.shift(100)
    site.kernel.sleep(600)
    event = next(each for each in site.events if each["detail"]["state"]["value"] == "ALARM")
    (alert,) = from_event(event, site.kernel.now()).alerts
    assert alert.status == "firing" and alert.labels["service"] == "backend-api"


def test_an_alarm_that_is_written_again_keeps_its_state_and_one_that_is_deleted_is_gone() -> None:
    site = serving("good")
    name = "candlefish-production-backend-api-errors-high-blue"
    assert site.alarms.existing(name)[name]["StateValue"] == "OK"
    site.watch()
    assert site.alarms.existing(name)[name]["StateValue"] == "OK"
    site.alarms.delete([name])
    assert site.alarms.existing(name) == {}


@pytest.mark.parametrize("state", ["ALARM", "INSUFFICIENT_DATA"])
def test_what_is_said_by_hand_is_told_and_then_put_right(state: str) -> None:
    site = serving("good")
    site.events.clear()
    site.alarms.set_state("candlefish-production-backend-api-errors-high-blue", state, "a drill")  # type: ignore[arg-type]
    site.kernel.sleep(120)
    assert site.changes() == [("errors-high-blue", state), ("errors-high-blue", "OK")]
