"""No message shows what a language writes down: every kind of event, with details that the control plane published.

`tests/fixtures/news.jsonl` has them as they came: kind and detail a line, two of a kind, those with most to say.
"""

from __future__ import annotations

import json
import re

import pytest

from candlefish.capacity.news import NEWS as CAPACITY
from candlefish.cost.news import TITLES as COSTS
from candlefish.failover.news import WORDS as FAILOVERS
from candlefish.release.news import NEWS, QUIET
from candlefish.signals.news import SIGNAL_KINDS, notification_of
from candlefish.signals.notification import ConsoleLinks
from tests.support.catalogs import FIXTURES

PLACES = ConsoleLinks(
    "production", "arn:aws:states:us-west-2:333333333333:stateMachine:candlefish-production-release"
)
TOLD = [json.loads(line) for line in (FIXTURES.parent / "news.jsonl").read_text().splitlines()]
# A value as Python or JSON writes it; a number with more digits than anybody reads; a moment that is no date.
RAW = re.compile(r"[{}\[\]]|'[a-z_]+':|\bTrue\b|\bFalse\b|\bNone\b|\d\.\d{5,}|\b1[789]\d{8}\b")
# What nobody published in the tests that the fixture was taken from.
UNSEEN = {"not_restored", "rollback_refused", "resume_rollback"}


@pytest.mark.parametrize(("kind", "detail"), TOLD, ids=[f"{n}-{told[0]}" for n, told in enumerate(TOLD)])
def test_a_message_is_words(kind: str, detail: dict[str, object]) -> None:
    message = notification_of(kind, detail, PLACES)
    if message is None:
        assert kind.partition(".")[2] in QUIET
        return
    said = message.plain().replace(message.link, "").replace(str(detail.get("release")), "")
    found = RAW.search(said)
    assert found is None, said
    assert "?" not in message.title + message.command


def test_the_fixture_has_every_kind() -> None:
    seen = {kind for kind, _ in TOLD}
    wanted = {f"release.{kind}" for kind in {*NEWS} - UNSEEN}
    wanted |= {f"capacity.{kind}" for kind in CAPACITY} | {f"failover.{kind}" for kind in FAILOVERS}
    wanted |= {f"cost.{kind}" for kind in COSTS} | (set(SIGNAL_KINDS) - {"signal.switched"})
    assert wanted <= seen, sorted(wanted - seen)
