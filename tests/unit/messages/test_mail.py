"""What mail says of a release: its event's words, and what the read model adds once it knows the entry."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from candlefish.messages.mail import mail_of
from candlefish.signals.news import notification_of
from candlefish.signals.notification import ConsoleLinks, Notification
from candlefish.views.model import ReleaseView
from tests.support import views
from tests.support.catalogs import FIXTURES

PLACES = ConsoleLinks("production")


def told(view: ReleaseView, kind: str) -> tuple[Notification, Notification]:
    """The message of an entry without the view, and with it."""
    entry = next(each for each in view.timeline if each.kind == kind)
    detail = {
        "kind": kind,
        "release": view.id,
        "environment": view.environment,
        "service": view.service,
        "version": view.new.label,
        "requested_by": view.requested_by.name,
        "reason": entry.says,
        "by": entry.by.name,
        "at": entry.at,
        "evidence": {"question": "5f2c9a10"},
    }
    message = notification_of(f"release.{kind}", detail, PLACES)
    assert message
    return message, mail_of(message, view, kind=kind, at=entry.at)


def test_a_question_has_its_evidence_what_each_answer_leads_to_and_until_when() -> None:
    _, mail = told(views.release_question(), "approval_requested")
    plain = mail.plain()
    for words in (
        "Release of backend-api 1.1.0 to production waits for approval\n",
        "Evidence: no sign of harm: 31 of 12,410 requests failed (0.25%), 0.21% on 1.0.0 in the same minutes",
        "If yes: 50% to 1.1.0, then it is judged again",
        "If no: 100% to 1.0.0 within seconds",
        "Can answer: platform-lead, product-lead",
        "Answer by: 2026-12-01 06:33:03 UTC",
        "Steps: Step 5 of 9: ✓ deploy ✓ smoke ✓ 10% ✓ judge ● approve",
        "In blue: 10% 1.1.0",
        "Next: candlefish approve",
    ):
        assert words in plain


def test_a_rollback_says_its_cause_and_what_it_saved() -> None:
    _, mail = told(views.release_rolled_back(), "rolled_back")
    assert mail.text == (
        "Rolled back after 3 minutes: 21% of requests failed; 21 requests met it. 1.0.0 serves all traffic; 1.1.0 is "
        "remembered as bad and its Pods are gone."
    )
    assert "In green: 100% 1.0.0 in green" in mail.plain()


def test_a_view_from_before_the_entry_says_nothing() -> None:
    """It would say that all is well of what is being rolled back."""
    entry = views.release_harmed().timeline[0]
    message = Notification("backend-api 1.1.0 in production is being rolled back", "21% failed.", "bad")
    before = views.release_canary()
    assert mail_of(message, before, kind="rolling_back", at=entry.at) is message
    known = mail_of(message, views.release_harmed(), kind="rolling_back", at=entry.at)
    assert "rolling back: harmed" in known.text.lower()


@pytest.mark.parametrize("name", [name for name in views.SAMPLES if name.startswith("release-")])
def test_mail_is_lines_of_which_none_pretends_to_be_another(name: str) -> None:
    view = views.SAMPLES[name]()
    assert isinstance(view, ReleaseView)
    entry = view.timeline[0]
    mail = mail_of(Notification("x", entry.says), view, kind=entry.kind, at=entry.at)
    lines = mail.plain().splitlines()
    assert not [line for line in lines if "\x1b" in line or "\u202e" in line]
    assert [line.partition(":")[0] for line in lines].count("Evidence") <= 1
    assert not any(line.startswith(("::", "evil")) for line in lines)


def test_no_message_with_a_view_shows_what_a_language_writes_down() -> None:
    for line in (FIXTURES.parent / "news.jsonl").read_text().splitlines():
        kind, detail = json.loads(line)
        message = notification_of(kind, detail, PLACES)
        if message is None or not kind.startswith("release."):
            continue
        view = views.release_question()
        found = replace(view.timeline[0], kind=str(detail["kind"]), at=detail["at"])
        mail = mail_of(message, replace(view, timeline=(found,)), kind=detail["kind"], at=detail["at"])
        assert "{" not in mail.plain() and "None" not in mail.plain()
