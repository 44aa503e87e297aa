"""What people are told, and that one channel's failure is not another's."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.errors import Misconfigured, Unavailable
from candlefish.release.news import NEWS
from candlefish.signals.handle_signal import handle_signal
from candlefish.signals.news import notification_of
from candlefish.signals.notification import ConsoleLinks, Notification
from candlefish.signals.notify import BusEvent, notify
from lab.memory.signals import MemoryChannel, MemoryLedger
from tests.support.signal_world import World, alert, delivery

PLACES = ConsoleLinks(
    "production", "arn:aws:states:us-west-2:333333333333:stateMachine:candlefish-production-release"
)
RELEASE = {
    "release": "backend-api-2",
    "environment": "production",
    "service": "backend-api",
    "version": "v2",
    "image": "ghcr.io/example-org/backend-api@sha256:0",
    "requested_by": "developer",
    "status": "running",
    "at": 1_800_000_000.0,
    "kind": "rolling_back",
    "reason": "5% of answers are errors, 0.1% on the other side",
    "by": "judge",
    "evidence": {"weights": {"blue": 0, "green": 100}, "question": "3fa2c1d0"},
}


EVENT = BusEvent("e1", "release.rolling_back", dict(RELEASE))


def test_a_message_says_cause_evidence_who_where_and_what_next() -> None:
    text = notification_of(EVENT.detail_type, EVENT.detail, PLACES)
    assert text
    plain = text.plain()
    for words in (
        "backend-api v2 in production is being rolled back",
        "5% of answers are errors, 0.1% on the other side.",
        "By: judge",
        "Asked for by: developer",
        "Traffic: green 100%, blue 0%",
        "execution:candlefish-production-release:backend-api-2",
        "Next: candlefish status backend-api -e production",
    ):
        assert words in plain


@pytest.mark.parametrize("kind", sorted(NEWS))
def test_every_kind_of_release_event_has_a_whole_message(kind: str) -> None:
    text = notification_of(f"release.{kind}", RELEASE, PLACES)
    assert text and "?" not in text.title and "?" not in text.command and text.link


def test_what_is_no_news_is_not_told() -> None:
    for kind in ("release.shifted", "release.judged", "release.window_closed", "nobody.knows"):
        assert notification_of(kind, {}, PLACES) is None


def test_other_capabilities_say_it_in_their_own_words() -> None:
    text = notification_of(
        "cost.over", {"title": "Staging over budget", "reason": "it spent 120%", "tone": "bad"}, PLACES
    )
    assert text == Notification("Staging over budget", "It spent 120%.", "bad")


def test_each_channel_gets_one_message_an_event() -> None:
    channels, ledger = {"sns": MemoryChannel(), "slack": MemoryChannel()}, MemoryLedger()
    for _ in range(3):
        notify(EVENT, channels=channels, ledger=ledger, links=PLACES)
    assert [len(c.got) for c in channels.values()] == [1, 1]


def test_a_channel_that_fails_is_tried_again_alone() -> None:
    mail, chat, ledger = MemoryChannel(), MemoryChannel(Unavailable("chat is down")), MemoryLedger()
    channels = {"slack": chat, "sns": mail}
    for _ in range(2):
        with pytest.raises(Unavailable):
            notify(EVENT, channels=channels, ledger=ledger, links=PLACES)
    chat.error = None
    assert notify(EVENT, channels=channels, ledger=ledger, links=PLACES).channels == {
        "slack": "sent",
        "sns": "sent before",
    }
    assert (len(mail.got), len(chat.got)) == (1, 1)


def test_a_channel_that_is_set_up_wrongly_says_so() -> None:
    channels = {"slack": MemoryChannel(Misconfigured("there is no such webhook")), "sns": MemoryChannel()}
    with pytest.raises(Misconfigured):
        notify(EVENT, channels=channels, ledger=MemoryLedger(), links=PLACES)
    assert len(channels["sns"].got) == 1


def told(world: World, name: str, **labels: Any) -> Notification:
    handle_signal(
        delivery(alert(name, at=world.clock(), **labels), at=world.clock()), message="m", ports=world.ports
    )
    kind, detail = world.bus.published[-1]
    text = notification_of(kind, detail, PLACES)
    assert text
    return text


def test_a_p0_that_cannot_be_answered_tells_what_a_person_can_do() -> None:
    plain = told(World().quiet(), "ServiceDown").plain()
    assert plain.startswith("P0 ServiceDown on backend-api in production: no rollback\n")
    assert "a person has to look" in plain
    assert "Owner: platform" in plain
    assert 'Next: candlefish rollback backend-api -e production --reason "..."' in plain


def test_an_action_is_announced_with_what_changed_last() -> None:
    plain = told(World().promoted(), "ServiceDown").plain()
    assert plain.startswith("ServiceDown on backend-api in production: rolling back\n")
    assert "Changed last: v2 by developer at" in plain


def test_a_database_is_failed_over_by_its_own_command() -> None:
    world = World()
    world.switchboard.tag = "off"
    plain = told(world, "DatabaseUnavailable", service="", database="main").plain()
    assert "Next: candlefish failover database/main -e production --plan" in plain


def test_what_is_shown_elsewhere_is_not_sent_nor_what_says_the_same_later() -> None:
    rolled = BusEvent("e1", "release.rolled_back", {**RELEASE, "kind": "rolled_back"})
    channels, ledger = {"sns": MemoryChannel(), "slack": MemoryChannel()}, MemoryLedger()
    result = notify(
        rolled,
        channels=channels,
        ledger=ledger,
        links=PLACES,
        elsewhere=lambda event, message, channel: channel == "slack",
    )
    assert result.channels == {"sns": "sent", "slack": "shown elsewhere"}
    # The execution's own end says it again.
    notify(
        BusEvent("e2", "release.rolled_back", {**RELEASE, "kind": "rolled_back"}),
        channels=channels,
        ledger=ledger,
        links=PLACES,
    )
    assert [len(each.got) for each in channels.values()] == [1, 0]


def test_a_message_says_what_more_is_known() -> None:
    mail = MemoryChannel()
    notify(
        EVENT,
        channels={"sns": mail},
        ledger=MemoryLedger(),
        links=PLACES,
        words=lambda event, message: msgspec.structs.replace(message, text="More."),
    )
    assert mail.got[0].text == "More."
