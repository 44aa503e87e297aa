"""What changes something says where, and changes no production environment that nobody named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli import options
from cli.__main__ import candlefish
from cli.places import may_be_production
from cli.stack import Stack
from cli.views import Views
from lab import ROOT

TRAIN = str(ROOT / "events" / "train.json")
IMAGE = "r/shop@sha256:" + "a" * 64
# Of each command that changes something, and may be confirmed at a terminal.
CHANGES = (
    ("deploy", "shop", IMAGE, "--reason", "faster search", "--no-follow"),
    ("train", TRAIN, "--no-follow"),
    ("onboard", "shop"),
    ("take-over", "shop", "--share", "10"),
    ("give-back", "shop", "--yes"),
    ("failover", "application", "--reason", "x"),
    ("recovery", "drill"),
    ("records", "rebuild", "shop", "--reason", "x"),
    ("automation", "on"),
    ("signals", "unmute"),
    ("signals", "rotate-token"),
    ("signals", "alarms"),
    ("capacity", "clear"),
    ("wake", "--until", "2h", "--reason", "x"),
)
# What may not wait in an incident.
AT_ONCE = (
    ("rollback", "shop", "--reason", "x"),
    ("approve", "r1", "--question", "q"),
    ("deny", "r1", "--question", "q", "--reason", "x"),
    ("failover", "application", "--approve"),
    ("failover", "application", "--abandon"),
    ("automation", "off", "--reason", "x"),
    ("signals", "mute", "--for", "1h", "--reason", "x"),
)
READS = (("status",), ("watch", "r1"), ("plan", "shop"), ("records", "verify"), ("automation",), ("signals",))


class Sent(Exception):
    """Something would have been sent."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command in a company with one environment, where whatever reaches its stack is `Sent`."""
    file = tmp_path / "environments" / "prod.yaml"
    file.parent.mkdir()
    monkeypatch.setattr(options, "CATALOG", tmp_path)
    for name in ("CANDLEFISH_ENVIRONMENT", "CANDLEFISH_CATALOG"):
        monkeypatch.delenv(name, raising=False)

    def sent(*asked: Any, **more: Any) -> Any:
        raise Sent

    for way in ("client", "client_in", "post", "invoke", "ask", "start"):
        monkeypatch.setattr(Stack, way, sent)
    monkeypatch.setattr(Views, "text", sent)
    # These read the catalog for what a command needs beside its environment.
    for module in ("failover", "capacity", "plan", "take_over"):
        monkeypatch.setattr(f"cli.{module}.CATALOG", tmp_path)
    monkeypatch.setattr("candlefish.catalog.load.load", sent)
    monkeypatch.setattr("cli.failover.load", sent)
    monkeypatch.setattr("cli.capacity.load", sent)

    def ran(
        *arguments: str, production: str = "true", terminal: bool = False, said: str = "", **variables: str
    ) -> Result:
        file.write_text(f"region: eu-central-1\nproduction: {production}\n")
        monkeypatch.setattr(options, "at_terminal", lambda: terminal)
        monkeypatch.setattr(sys, "argv", ["candlefish", *arguments])
        # As main() calls it, or the words of the command are others.
        return CliRunner().invoke(candlefish, arguments, input=said, env=variables, prog_name="candlefish")

    return ran


def was_sent(result: Result) -> bool:
    assert result.exit_code in (1, 2) or result.exception is None, result.output
    return isinstance(result.exception, Sent)


@pytest.mark.parametrize("arguments", CHANGES, ids=" ".join)
def test_nothing_is_sent_to_a_production_environment_that_nobody_named(run: Any, arguments: Any) -> None:
    refused = run(*arguments)
    assert not was_sent(refused) and refused.exit_code == 2
    assert "environment prod counts as production, and nobody named it; nothing was sent" in refused.stderr
    assert was_sent(run(*arguments, terminal=True, said="y\n"))
    assert not was_sent(run(*arguments, terminal=True, said="n\n"))
    assert was_sent(run(*arguments, production="false"))


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (
            ("deploy", "shop", IMAGE, "--reason", "it's faster"),
            f"candlefish deploy -e prod shop {IMAGE} --reason 'it'\"'\"'s faster'",
        ),
        # The group's option stands before what it is asked to do.
        (("automation", "on"), "candlefish automation -e prod on"),
        (("capacity", "clear"), "candlefish capacity clear -e prod"),
    ],
)
def test_the_refusal_says_the_command_that_is_not_refused(run: Any, arguments: Any, command: str) -> None:
    assert f"If it is meant: {command}\n" in run(*arguments).stderr


def test_that_command_is_sent_without_a_question(run: Any) -> None:
    for arguments in (("automation", "-e", "prod", "on"), ("deploy", "-e", "prod", *CHANGES[0][1:])):
        sent = run(*arguments, terminal=True)
        assert was_sent(sent)
        assert not sent.output


def test_a_variable_counts_where_it_stands_beside_the_command_and_is_asked_about_in_a_shell(run: Any) -> None:
    named = {"CANDLEFISH_ENVIRONMENT": "prod"}
    sent = run(*CHANGES[0], **named)
    assert was_sent(sent) and "environment: prod (eu-central-1), by CANDLEFISH_ENVIRONMENT" in sent.stderr
    assert not was_sent(run(*CHANGES[0], terminal=True, said="\n", **named))
    assert was_sent(run(*CHANGES[0], terminal=True, said="y\n", **named))


@pytest.mark.parametrize("arguments", AT_ONCE, ids=" ".join)
def test_an_incident_waits_for_no_question_and_the_environment_is_said_first(
    run: Any, arguments: Any
) -> None:
    for terminal in (True, False):
        sent = run(*arguments, terminal=terminal)
        assert was_sent(sent)
        assert sent.stderr == "environment: prod (eu-central-1), which nobody named\n"


def test_a_rollback_says_the_environment_that_was_named_too(run: Any) -> None:
    sent = run(*AT_ONCE[0], "-e", "prod")
    assert was_sent(sent) and sent.stderr == "environment: prod (eu-central-1)\n"


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_who_only_reads_is_neither_told_nor_asked(run: Any, arguments: Any) -> None:
    read = run(*arguments)
    assert was_sent(read) and not read.output


@pytest.mark.parametrize(
    ("text", "may_be"),
    [
        ("production: true\n", True),
        ("production: yes # ours\n", True),
        ("'production': true\n", True),
        ("production: false\n", False),
        ("production: false  # not yet\n", False),
        ("region: x\n", False),
        ("env:\n  production: true\n", False),
    ],
)
def test_what_may_be_production(tmp_path: Path, text: str, may_be: bool) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "prod.yaml").write_text(text)
    assert may_be_production(tmp_path, "prod") is may_be
    assert may_be_production(tmp_path, "unknown"), "nobody says that it is not"
