"""The deploy action: one name a run, a summary that brings no markup of its own, and the judge's numbers as charts."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from candlefish.names import RELEASE, bounded_name

PATH = Path(__file__).parents[3] / ".github/actions/deploy/deploy.py"


@pytest.fixture(scope="module")
def action() -> ModuleType:
    spec = importlib.util.spec_from_file_location("deploy_action", PATH)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entry(kind: str, reason: str = "because", **evidence: Any) -> dict[str, Any]:
    return {"at": 1_795_500_000, "kind": kind, "reason": reason, "evidence": evidence}


class Fake:
    """A release that tells one state after another."""

    name, environment = "website-gh-1-1", "production"

    def __init__(self, *states: tuple[str, list[dict[str, Any]], str]) -> None:
        self.states = list(states)

    def status(self) -> str:
        return self.states[0][0]

    def timeline(self) -> list[dict[str, Any]]:
        return self.states[0][1]

    def described(self) -> dict[str, Any]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"status": state[2], "error": "ImageRefused", "cause": "no scan"}


@pytest.mark.parametrize("service", ["web", "payments-reconciliation-of-all-regions-e", "a" * 40 + "/x"])
@pytest.mark.parametrize(("run", "attempt"), [("17812345678", "1"), ("178123456789012", "12")])
def test_a_release_is_named_after_the_run_as_the_control_plane_would_name_it(
    action: ModuleType, service: str, run: str, attempt: str
) -> None:
    """The action runs where the package is not, and cuts names as it does."""
    name = action.name_of(service, run, attempt)
    assert name == bounded_name(service, "gh", run, attempt, longest=RELEASE).replace("/", "-")


def test_services_of_one_run_whose_long_names_begin_alike_have_releases_of_their_own(
    action: ModuleType,
) -> None:
    services = [f"payments-reconciliation-of-all-regions-{last}" for last in "euw"]
    names = {action.name_of(service, "178123456789012", "1") for service in services}
    assert len(names) == 3 and all(len(name) <= 60 for name in names)


class Started:
    """Step Functions and the table, where a release of this name was started before."""

    def __init__(self, service: str, image: str) -> None:
        self.exceptions = SimpleNamespace(ExecutionAlreadyExists=LookupError)
        self._body = json.dumps({"service": service, "version": {"image": image}})

    def start_execution(self, **_: str) -> None:
        raise self.exceptions.ExecutionAlreadyExists

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {"Item": {"status": {"S": "promoted"}, "body": {"S": self._body}}}


def test_the_same_release_twice_is_once_and_another_ones_is_not_taken_for_it(
    action: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(action, "web_token", lambda audience: "token")

    def status_of(service: str, image: str) -> str:
        release = action.Release.__new__(action.Release)
        release.machine, release.name, release._table = "arn:m", "r-1", "candlefish-staging"
        release._states = release._dynamodb = Started("web", "r/web@sha256:1")
        release.start({"service": service, "image": image})
        return str(release.status())

    assert status_of("web", "r/web@sha256:1") == "promoted"
    for other in (("shop", "r/web@sha256:1"), ("web", "r/web@sha256:2")):
        with pytest.raises(SystemExit, match="r-1 was started before, for web and r/web@sha256:1"):
            status_of(*other)


def test_a_promoted_release_is_followed_to_its_end(
    action: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(action.time, "sleep", lambda _: None)
    started, promoted = [entry("started")], [entry("started"), entry("promoted")]
    fake = Fake(("", [], "RUNNING"), ("running", started, "RUNNING"), ("promoted", promoted, "SUCCEEDED"))
    assert action.follow(fake) == ("promoted", "")


@pytest.mark.parametrize(
    ("states", "status", "words"),
    [
        ([("", [], "FAILED")], "refused", "ImageRefused: no scan"),
        ([("refused", [entry("refused", "frozen")], "FAILED")], "refused", "frozen"),
        (
            [("rolling_back", [], "FAILED"), ("rolled_back", [entry("rolled_back", "bad")], "FAILED")],
            "rolled_back",
            "bad",
        ),
    ],
    ids=["refused before it was written down", "refused", "rolled back after its execution ended"],
)
def test_a_bad_end_is_told_with_its_cause(
    action: ModuleType, monkeypatch: pytest.MonkeyPatch, states: list[Any], status: str, words: str
) -> None:
    monkeypatch.setattr(action.time, "sleep", lambda _: None)
    assert action.follow(Fake(*states)) == (status, words)


def test_the_summary_has_a_row_an_entry_and_no_foreign_markup(action: ModuleType) -> None:
    entries = [entry("started"), entry("rolled_back", "<img src=x> | [x](http://y) `rm`\nsecond line")]
    text = action.summary(Fake(("rolled_back", entries, "FAILED")), "rolled_back", "bad")
    assert len([line for line in text.splitlines() if line.startswith("| ")]) == 3
    assert "<img" not in text and "[x](" not in text and "\\[x\\]" in text and "\\|" in text


def test_the_judges_numbers_are_charts_over_its_looks(action: ModuleType) -> None:
    entries = [
        entry("judged", errors={"e": 0.5}),
        entry("judged", errors={"e": 20}, note="x"),
        entry("judged", lone=1),
    ]
    text = "\n".join(action.picture(entries))
    assert text.count("xychart-beta") == 1
    assert "line [0.5, 20]" in text and "x-axis [1, 2]" in text


def test_without_judging_there_is_no_picture(action: ModuleType) -> None:
    assert action.picture([entry("started"), entry("judged", e=1)]) == []
