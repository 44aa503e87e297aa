"""Steering at a terminal: what is sent, what is said, and with what the command ends."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

import cli.steer
from candlefish.errors import InvalidInput, Unavailable
from candlefish.release.freeze import FreezesInForce
from candlefish.release.model import AskedFreeze
from candlefish.release.steer_release import Steered
from cli.__main__ import candlefish
from cli.exits import Exit
from cli.stack import Stack
from cli.views import Views
from tests.support.release_world import World
from tests.support.views import sample_text


class Sent(list[tuple[str, dict[str, Any]]]):
    """What was posted: function and body. `says` answers, or is raised."""

    says: Any = None

    def post(self, stack: Stack, function: str, body: dict[str, Any], timeout: float = 30) -> Any:
        self.append((function, body))
        if isinstance(self.says, Exception):
            raise self.says
        return msgspec.to_builtins(self.says)


@pytest.fixture
def sent(world: World, monkeypatch: pytest.MonkeyPatch) -> Sent:
    posted = Sent()
    monkeypatch.setattr(Stack, "post", lambda *given, **more: posted.post(*given, **more))
    monkeypatch.setattr(Stack, "records", lambda self: world.records)
    monkeypatch.setattr(Stack, "journal", lambda self: world.journal)
    monkeypatch.setattr(cli.steer, "remember", lambda *given, **more: None)
    monkeypatch.setattr(cli.steer, "POLL", 0.0)
    return posted


def run(*words: str) -> Result:
    return CliRunner().invoke(candlefish, [*words, "-e", "production"])


@pytest.mark.parametrize("action", ["pause", "resume", "promote"])
def test_a_release_is_steered_as_one_says(sent: Sent, action: str) -> None:
    sent.says = Steered("r2", "r2 goes on \x1b[31m[bold]", ("judge",))
    ended = run(action, "r2", "--reason", "why")
    assert (ended.exit_code, ended.stdout.rstrip()) == (0, "r2 goes on \N{REPLACEMENT CHARACTER}[31m[bold]")
    assert sent == [("steer_release", {"action": action, "release": "r2", "reason": "why"})]
    assert json.loads(run(action, "r2", "--reason", "why", "--json").stdout)["skipped"] == ["judge"]


def test_a_promotion_needs_a_reason(sent: Sent) -> None:
    assert run("promote", "r2").exit_code == Exit.USAGE
    assert sent == []


@pytest.mark.parametrize(
    ("error", "code"),
    [(InvalidInput("r2 is over"), Exit.REFUSED), (Unavailable("nobody answered"), Exit.UNKNOWN)],
)
def test_a_refusal_and_a_silence_end_otherwise(sent: Sent, error: Exception, code: Exit) -> None:
    sent.says = error
    ended = run("pause", "r2")
    assert ended.exit_code == code
    assert str(error) in ended.stderr


def test_an_abort_is_of_a_release_that_runs(
    world: World, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([{"status": "RUNNING"}, {"status": "SUCCEEDED"}])
    monkeypatch.setattr(Stack, "execution", lambda self, machine, name: next(looks))
    world.begin()
    ended = run("abort", "r2", "--reason", "wrong image")
    assert ended.exit_code == 0, ended.output
    ((function, body),) = sent
    assert function == "request_release" and body["start"] == "rollback"
    assert body["input"] == {
        "service": "backend-api",
        "release": "r2",
        "reason": "wrong image",
        "disposition": "rejected",
        "only_running": True,
    }


def test_an_abort_of_what_is_over_sends_nothing(world: World, sent: Sent) -> None:
    world.begin()
    world.records.update("backend-api", lambda r: msgspec.structs.replace(r, holder=None))
    ended = run("abort", "r2", "--reason", "wrong image")
    assert (ended.exit_code, sent) == (Exit.REFUSED, [])
    assert "candlefish rollback backend-api -e production" in ended.stderr


def test_an_abort_that_came_too_late_is_no_success(
    world: World, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"status": "FAILED", "error": "NothingToRollBack", "cause": "it was promoted"}
    monkeypatch.setattr(Stack, "execution", lambda self, machine, name: found)
    world.begin()
    ended = run("abort", "r2", "--reason", "wrong image")
    assert ended.exit_code == Exit.REFUSED and "it was promoted" in ended.stderr


def test_a_freeze_is_asked_for_and_lifted(sent: Sent) -> None:
    sent.says = FreezesInForce("production", "frozen", (AskedFreeze("", "why", "ada", 1.0, 2.0),))
    assert run("freeze", "--until", "2h", "--reason", "why").stdout == "frozen\n"
    assert run("freeze", "website", "--until", "23:00", "--reason", "why").exit_code == 0
    assert run("unfreeze", "website", "--reason", "over").exit_code == 0
    assert [body for _, body in sent] == [
        {"service": "", "until": "2h", "reason": "why"},
        {"service": "website", "until": "23:00", "reason": "why"},
        {"action": "lift", "service": "website", "reason": "over"},
    ]
    assert {function for function, _ in sent} == {"freeze"}


def test_what_is_frozen_now_is_listed_as_the_calendar_has_it(
    sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Views, "text", lambda self, path, **query: sample_text("calendar").encode())
    said = run("freeze").stdout
    # That of the year's end has not begun.
    assert said == "‖ frozen until 16:41 PST: website, by product-lead: checkout sale\n"
    (day,) = json.loads(run("freeze", "website", "--json").stdout)["days"]
    assert day["says"] == "website, by product-lead: checkout sale"
    assert run("freeze", "mailer").stdout == "mailer is not frozen in production\n"
    assert sent == []


@pytest.mark.parametrize("words", [("--until", "2h"), ("--reason", "why")])
def test_a_freeze_says_until_when_and_why(sent: Sent, words: tuple[str, ...]) -> None:
    assert run("freeze", *words).exit_code == Exit.USAGE
    assert sent == []


def test_an_undo_is_a_release_over_what_is_live(world: World, sent: Sent) -> None:
    world.begin("r0", label="v0")
    world.journal.releases["r0"] = msgspec.structs.replace(world.journal.releases["r0"], status="promoted")
    world.records.update("backend-api", lambda r: msgspec.structs.replace(r, holder=None))
    ended = run("undo", "backend-api", "--reason", "slow", "--no-follow")
    assert ended.exit_code == 0, ended.output
    ((function, body),) = sent
    version, live = world.journal.read("r0").version, world.record.stable_version
    assert live
    assert (function, body["start"], body["name"]) == ("request_release", "release", ended.stdout.strip())
    assert body["input"] == {
        "service": "backend-api",
        "image": version.image,
        "label": "v0",
        "reason": "undo to v0 of r0: slow",
        "replaces": live.image,
    }


def test_an_undo_to_what_nobody_knows_sends_nothing(sent: Sent) -> None:
    ended = run("undo", "backend-api", "--to", "v77", "--reason", "slow")
    assert (ended.exit_code, sent) == (Exit.REFUSED, [])
    assert "'v77'" in ended.stderr
