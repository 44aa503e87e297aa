"""The deploy action: one name a run, a summary that brings no markup of its own, and the judge's numbers as charts."""

from __future__ import annotations

import importlib.util
import io
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


def test_a_summary_that_github_would_drop_loses_rows_and_keeps_its_end(action: ModuleType) -> None:
    entries = [entry("judged", "é" * 4000) for _ in range(400)]
    text = action.summary(Fake(("promoted", entries, "SUCCEEDED")), "promoted", "")
    assert len(text.encode()) < 1_048_576
    assert "the rest is in `candlefish status`" in text
    assert text.rstrip().endswith("`candlefish status website-gh-1-1 -e production`")


class Answers:
    """GitHub's token endpoint: what it answers, one after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, request: Any, timeout: float) -> Any:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def refusal(action: ModuleType, code: int, **headers: str) -> Exception:
    error: Exception = action.urllib.error.HTTPError("https://x", code, "no", headers, None)
    return error


def test_a_token_is_asked_for_again_as_github_says(
    action: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "https://x?a=b")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer")
    waited: list[float] = []
    monkeypatch.setattr(action.time, "sleep", waited.append)
    good = io.BytesIO(b'{"value": "token"}')
    asked = Answers(refusal(action, 429, **{"retry-after": "7"}), refusal(action, 503), OSError("x"), good)
    monkeypatch.setattr(action.urllib.request, "urlopen", asked)
    assert action.web_token("sts") == "token"
    assert waited[0] == 7.0
    assert asked.asked == 4
    for answers, count in (
        ([refusal(action, 403)], 1),
        ([refusal(action, 500)] * action.ATTEMPTS, action.ATTEMPTS),
    ):
        asked = Answers(*answers)
        monkeypatch.setattr(action.urllib.request, "urlopen", asked)
        with pytest.raises(SystemExit, match="Run the job again"):
            action.web_token("sts")
        assert asked.asked == count


JOB = {"CANDLEFISH_ENVIRONMENT": "prod", "CANDLEFISH_REASON": "x\n::add-mask::y", "CANDLEFISH_SERVICE": "web"}


def test_a_job_asks_for_a_release_with_its_bundle_or_for_a_train(action: ModuleType) -> None:
    one = action.request_of(
        {**JOB, "CANDLEFISH_IMAGE": "i", "CANDLEFISH_BUNDLE": '{"bundle": "s3://b/k", "bundle_digest": "d"}'}
    )
    assert one == {
        "environment": "prod", "reason": "x ::add-mask::y", "service": "web", "image": "i",
        "bundle": "s3://b/k", "bundle_digest": "d",
    }  # fmt: skip
    train = action.request_of({**JOB, "CANDLEFISH_TRAIN": '[{"service": "web", "image": "i"}]'})
    assert train["releases"] == [{"service": "web", "image": "i"}]
    assert "service" not in train


@pytest.mark.parametrize(
    "more",
    [{}, {"CANDLEFISH_IMAGE": "i", "CANDLEFISH_TRAIN": "[1]"}, {"CANDLEFISH_TRAIN": "[]"}, {"CANDLEFISH_TRAIN": "{"},
     {"CANDLEFISH_IMAGE": "i", "CANDLEFISH_BUNDLE": "s3://b/k"}],
)  # fmt: skip
def test_inputs_that_contradict_each_other_start_nothing(action: ModuleType, more: dict[str, str]) -> None:
    with pytest.raises(SystemExit, match="::error::"):
        action.request_of({**JOB, **more})


def test_what_was_never_started_is_not_stopped(action: ModuleType) -> None:
    class Missing(Exception):
        pass

    def stop_execution(**_: str) -> None:
        raise Missing

    release = action.Release.__new__(action.Release)
    release.execution = "arn:e"
    release._states = SimpleNamespace(
        exceptions=SimpleNamespace(ExecutionDoesNotExist=Missing), stop_execution=stop_execution
    )
    assert release.stop() is False
