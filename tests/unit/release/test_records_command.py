"""`candlefish records` and `candlefish automation`: what they ask, print and exit with."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from candlefish.errors import Unavailable
from candlefish.release.reconstruct import Comparison
from candlefish.release.verify_records import RecordCheck
from cli import automation
from cli.__main__ import candlefish
from cli.stack import Stack
from cli.views import Views
from lab.memory.signals import MemorySwitchboard
from tests.support.service import V1, fresh, released
from tests.support.views import sample_text

AGREES = Comparison("rule", "arn:1", "arn:1", agrees=True)
DIFFERS = Comparison("blue [red]weight", "10", "100", agrees=False)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What functions are asked; `website` differs, `backend-api` agrees."""
    calls: list[tuple[str, Any]] = []

    def invoke(self: Stack, function: str, payload: Any) -> Any:
        calls.append((function, payload))
        checks = [RecordCheck("backend-api", [AGREES]), RecordCheck("website", [AGREES, DIFFERS])]
        named = payload["service"]
        return msgspec.to_builtins([check for check in checks if named in ("", check.service)])

    def post(self: Stack, function: str, payload: Any, timeout: float = 30) -> Any:
        calls.append((function, payload))
        return msgspec.to_builtins(released(fresh(), "r1", V1))

    monkeypatch.setattr(Stack, "invoke", invoke)
    monkeypatch.setattr(Stack, "post", post)
    return calls


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(candlefish, arguments)
    return result.exit_code, result.output


def test_verify_shows_what_differs_and_exits_with_it(asked: list[tuple[str, Any]]) -> None:
    code, said = run("records", "verify", "-e", "production")
    assert code == 1 and asked == [("verify_records", {"service": ""})]
    assert "website" in said and "blue [red]weight" in said, "what others wrote is no markup"
    assert "backend-api" not in said and "arn:1" not in said
    assert "1 of 2 records agree with the world" in said


def test_verify_of_what_agrees_exits_0_and_shows_it_when_asked(asked: list[tuple[str, Any]]) -> None:
    code, said = run("records", "verify", "backend-api", "-e", "production", "--all-lines")
    assert code == 0 and "arn:1" in said


def test_rebuild_says_who_is_good_and_why_and_shows_how_it_stands(
    asked: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuild = (
        "records",
        "rebuild",
        "backend-api",
        "-e",
        "production",
        "--reason",
        "lost",
        "--stable",
        "green",
    )
    monkeypatch.setattr(Views, "text", lambda self, path, **query: sample_text("service").encode())
    code, said = run(*rebuild)
    assert code == 0 and "generation" in said and "releases, newest first" in said

    def silent(self: Views, path: str, **query: str) -> bytes:
        raise Unavailable("nobody answered")

    monkeypatch.setattr(Views, "text", silent)
    code, said = run(*rebuild)
    assert code == 0 and "was made again" in said and "not known: nobody answered" in said
    assert asked[:1] == [("rebuild_record", {"service": "backend-api", "reason": "lost", "stable": "green"})]


@pytest.mark.parametrize("arguments", [("records", "rebuild", "website"), ("automation", "off")])
def test_what_is_kept_for_others_to_read_needs_a_reason(arguments: tuple[str, ...]) -> None:
    where = ("-e", "production")
    given = (*arguments, *where) if arguments[0] == "records" else (arguments[0], *where, *arguments[1:])
    code, said = run(*given)
    assert code == 2 and "--reason" in said


def test_automation_is_switched_with_who_and_why_and_people_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    switch, published = MemorySwitchboard(), []

    class Bus:
        def __init__(self, *_: object) -> None: ...

        def publish(self, kind: str, detail: dict[str, Any]) -> None:
            published.append((kind, detail["state"], detail["reason"]))

    monkeypatch.setattr(automation, "switch_of", lambda stack: switch)
    monkeypatch.setattr("candlefish.adapters.aws.eventbridge.EventBus", Bus)
    monkeypatch.setattr(Stack, "caller", "arn:aws:iam::1:user/lead")
    monkeypatch.setattr(Stack, "client", lambda self, service: None)
    assert run("automation", "-e", "production") == (0, "automation in production is on\n")
    assert run("automation", "-e", "production", "off", "--reason", "a restore")[0] == 0
    code, said = run("automation", "-e", "production")
    assert code == 0 and "automation is off since" in said and "user/lead: a restore" in said
    assert run("automation", "-e", "production", "on")[0] == 0
    assert switch.off() == ""
    assert published == [("signal.switched", "off", "a restore"), ("signal.switched", "on", "")]
