"""What a log says while a release is followed: each entry once, when it is there, and with what it ends."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from msgspec.structs import replace

from candlefish.errors import Unavailable
from candlefish.views.model import EntryView, ReleaseView, Who
from cli import following
from cli.exits import MEANS, Exit, exit_of
from cli.following import ending, in_documents, in_lines, leaving
from cli.looking import Look, look_at_release, look_at_train, looker
from cli.views import NotThere
from cli.watch import follow_it
from tests.support.screens import ZONE
from tests.support.views import NOW, SAMPLES
from tools.layers import ROOT

ENTRIES = [
    EntryView(NOW + at, kind, word, "info", says, Who("control-plane"))
    for at, kind, word, says in (
        (0, "started", "started", "first"),
        (2, "shifted", "shifted", "10%"),
        (3, "approval_requested", "asked", "go on?"),
        (9, "promoted", "promoted", "done"),
    )
]
# Status at each look, and how many entries are there by then.
LOOKS = [("running", 1), ("running", 1), ("awaiting_approval", 3), ("promoted", 4)]


def view(status: Any = "running", entries: int = 1) -> ReleaseView:
    sample = SAMPLES["release-canary"]()
    assert isinstance(sample, ReleaseView)
    return replace(sample, id="r-1", older="", status=status, timeline=tuple(reversed(ENTRIES[:entries])))


class Shown:
    """`Views` of one release that moves on at each look; what is no view is raised."""

    def __init__(self, looks: list[Any]) -> None:
        self._looks: Iterator[Any] = iter(looks)

    def release(self, name: str) -> ReleaseView:
        look = next(self._looks)
        if isinstance(look, Exception):
            raise look
        return view(*look)


class Machines:
    """A stack's executions, by machine and name."""

    environment = "production"

    def __init__(self, **found: dict[str, Any]) -> None:
        self._found = found

    def execution(self, machine: str, name: str) -> dict[str, Any]:
        if f"{machine}_{name}" not in self._found:
            raise ClientError({"Error": {"Code": "ExecutionDoesNotExist"}}, "DescribeExecution")
        return self._found[f"{machine}_{name}"]


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.following.time.sleep", lambda seconds: None)


def looks(of: list[Any], until_question: bool = False, **machines: dict[str, Any]) -> Any:
    shown, stack = Shown(of), Machines(**machines)
    return lambda: look_at_release(stack, shown, "r-1", until_question)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("until_question", "told", "end"),
    [
        (False, ["started: first", "shifted: 10%", "asked: go on?", "promoted: done"], Exit.DONE),
        (True, ["started: first", "shifted: 10%", "asked: go on?"], Exit.WAITS),
    ],
)
def test_a_log_gets_each_entry_once_and_the_summary_last(
    capsys: pytest.CaptureFixture[str], until_question: bool, told: list[str], end: Exit
) -> None:
    assert in_lines("r-1", looks(LOOKS, until_question), ZONE, "production") is end
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ", 1)[1] for line in lines[: len(told)]] == told
    assert lines[len(told)].startswith("r-1  backend-api 1.0.0 -> 1.1.0 in production:")
    assert not any("\x1b" in line for line in lines)


@pytest.mark.parametrize(
    ("status", "end"),
    [("promoted", 0), ("rolled_back", 3), ("refused", 4), ("awaiting_approval", 5)],
)
def test_each_end_has_a_status_of_its_own(status: Any, end: int) -> None:
    assert in_lines("r-1", looks([(status, 1)], until_question=True), ZONE, "production") == end
    assert exit_of(status) == end


def test_the_table_of_ends_is_in_the_docs_and_says_each_once() -> None:
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    assert set(MEANS) == set(Exit)
    for end, means in MEANS.items():
        assert f"| {end.value} | {means} |" in page


def test_a_release_that_was_refused_before_it_was_written_down() -> None:
    cause = json.dumps({"errorType": "Frozen", "errorMessage": "frozen until 16:41"})
    failed = {"status": "FAILED", "error": "Frozen", "cause": cause}
    machines = Machines(**{"release_r-1": failed})
    seen = look_at_release(machines, Shown([NotThere("no")]), "r-1", False)  # type: ignore[arg-type]
    assert (seen.end, seen.why) == (Exit.REFUSED, "Frozen: frozen until 16:41")
    assert ending(seen, ZONE, "production") == ["r-1: Frozen: frozen until 16:41"]
    asleep = Machines(**{"release_r-1": {"status": "FAILED", "error": "EnvironmentAsleep", "cause": "{}"}})
    assert look_at_release(asleep, Shown([NotThere("no")]), "r-1", False).end is Exit.QUEUED  # type: ignore[arg-type]
    # It has not begun, or nobody knows of it yet.
    assert looks([NotThere("no")])().end is None


def test_nobody_answers_for_a_while_and_then_for_ever(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Unavailable("no answer")
    assert (
        in_lines("r-1", looks([("running", 1), gone, gone, ("promoted", 4)]), ZONE, "production") is Exit.DONE
    )
    said = capsys.readouterr().err
    assert said.count("nobody can tell") == 1
    assert "it answers again" in said
    monkeypatch.setattr(following, "LOST", -1.0)
    assert in_lines("r-1", looks([("running", 1), gone]), ZONE, "production") is Exit.UNKNOWN
    assert "look again: candlefish watch r-1 -e production" in capsys.readouterr().out
    # Not once.
    assert in_lines("r-1", looks([gone]), ZONE, "production") is Exit.UNKNOWN
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "r-1: no answer"
    assert said[-1] == "look again: candlefish watch r-1 -e production"


def test_programs_get_a_document_a_change_and_none_for_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    seen = iter([replace(view(), now=NOW), replace(view(), now=NOW + 1), view("promoted", 4)])

    def look() -> Look:
        each = next(seen)
        return Look("r-1", each, end=Exit.DONE if each.status == "promoted" else None)

    assert in_documents("r-1", look) is Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["running", "promoted"]


def test_whoever_leaves_is_told_that_it_goes_on_and_how_to_stop_it() -> None:
    said = "\n".join(leaving(Look("r-1", view()), "production"))
    assert "the release r-1 goes on" in said
    assert "candlefish watch r-1 -e production" in said
    assert 'candlefish abort r-1 -e production --reason "..."' in said
    assert leaving(Look("r-1", view("promoted"), end=Exit.DONE), "production") == []


TRAIN = {"input": json.dumps({"releases": [{"service": "search"}, {"service": "gateway"}]})}


@pytest.mark.parametrize(
    ("found", "of", "outcome", "end"),
    [
        ({"status": "RUNNING"}, [("running", 1), NotThere("")], "under way", None),
        ({"status": "SUCCEEDED"}, [("promoted", 4), ("promoted", 4)], "arrived", Exit.DONE),
        ({"status": "FAILED", "error": "TrainFailed", "cause": "x"}, [("rolled_back", 1), NotThere("")], "taken back", Exit.ROLLED_BACK),
        # Its machine was stopped, or could not take back: what it promoted may be live.
        ({"status": "ABORTED"}, [("promoted", 4), ("running", 1)], "not known", Exit.FAILED),
        ({"status": "TIMED_OUT"}, [("promoted", 4), NotThere("")], "not known", Exit.FAILED),
        ({"status": "FAILED", "error": "Unavailable", "cause": "x"}, [("promoted", 4), NotThere("")], "not known", Exit.FAILED),
        ({"status": "FAILED", "error": "Frozen", "cause": "x"}, [NotThere(""), NotThere("")], "refused", Exit.REFUSED),
        ({"status": "FAILED", "error": "EnvironmentAsleep"}, [NotThere(""), NotThere("")], "queued", Exit.QUEUED),
    ],
)  # fmt: skip
def test_trains(found: dict[str, Any], of: list[Any], outcome: str, end: Exit | None) -> None:
    stack = Machines(**{"train_t-1": {**TRAIN, **found}})
    seen = look_at_train(stack, Shown(of), "t-1", False)  # type: ignore[arg-type]
    assert seen.train is not None
    assert (seen.train.outcome, seen.end) == (outcome, end)
    assert [car.service for car in seen.train.cars] == ["search", "gateway"]


def test_a_train_that_was_stopped_is_not_said_to_be_taken_back() -> None:
    stack = Machines(**{"train_t-1": {**TRAIN, "status": "ABORTED"}})
    seen = look_at_train(stack, Shown([("promoted", 4), NotThere("")]), "t-1", False)  # type: ignore[arg-type]
    last = ending(seen, ZONE, "production")[-1]
    assert last.startswith("t-1 not known: ABORTED: it ended before it had taken all back")


@pytest.mark.parametrize(
    "trouble",
    [
        EndpointConnectionError(endpoint_url="https://states"),
        ReadTimeoutError(endpoint_url="https://states"),
        ClientError({"Error": {"Code": "ThrottlingException"}}, "DescribeExecution"),
        ClientError({"ResponseMetadata": {"HTTPStatusCode": 503}}, "DescribeExecution"),
    ],
)
def test_a_train_is_followed_on_when_its_machine_does_not_answer_for_a_while(
    trouble: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    class Flaky(Machines):
        troubles = [trouble]

        def execution(self, machine: str, name: str) -> dict[str, Any]:
            if self.troubles:
                raise self.troubles.pop()
            return super().execution(machine, name)

    stack = Flaky(**{"train_t-1": {**TRAIN, "status": "SUCCEEDED"}})
    shown = Shown([("promoted", 4), ("promoted", 4)])
    look = lambda: look_at_train(stack, shown, "t-1", False)  # type: ignore[arg-type] # noqa: E731
    assert in_lines("t-1", look, ZONE, "production") is Exit.DONE
    assert "it answers again" in capsys.readouterr().err


def test_what_aws_refuses_ends_the_following() -> None:
    class Closed(Machines):
        def execution(self, machine: str, name: str) -> dict[str, Any]:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "DescribeExecution")

    with pytest.raises(ClientError):
        look_at_train(Closed(), Shown([]), "t-1", False)  # type: ignore[arg-type]


def test_cars_stand_in_the_order_in_which_they_begin() -> None:
    class Begun(Shown):
        def release(self, name: str) -> ReleaseView:
            if name.endswith("search"):
                raise NotThere("")
            return view()

    stack = Machines(**{"train_t-1": {**TRAIN, "status": "RUNNING"}})
    train = look_at_train(stack, Begun([]), "t-1", False).train  # type: ignore[arg-type]
    assert train is not None
    assert [car.service for car in train.cars] == ["gateway", "search"]


def test_what_nobody_knows_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.looking.Views", lambda stack: Shown([NotThere("")]))
    with pytest.raises(NotThere, match="no release and no train nowhere in production"):
        looker(Machines(), "nowhere")  # type: ignore[arg-type]


def followed(monkeypatch: pytest.MonkeyPatch, look: Any, *, as_json: bool = False) -> Exit:
    monkeypatch.setattr("cli.screen.terminal.fit_for_screen", lambda: False)
    return follow_it(Machines(), "r-1", look, as_json=as_json)  # type: ignore[arg-type]


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_in_a_log_says_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    seen: Iterator[Any] = iter([Look("r-1", view())])

    def look() -> Look:
        try:
            return next(seen)  # type: ignore[no-any-return]
        except StopIteration:
            raise KeyboardInterrupt from None

    assert followed(monkeypatch, look, as_json=as_json) is Exit.LEFT
    said = capsys.readouterr().err
    assert "You left; the release r-1 goes on." in said
    assert "stop it:     candlefish abort r-1 -e production" in said


def test_a_signal_that_ends_the_job_says_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def look() -> Look:
        os.kill(os.getpid(), signal.SIGTERM)
        return Look("r-1", view())

    before = signal.getsignal(signal.SIGTERM)
    assert followed(monkeypatch, look) is Exit.LEFT
    assert "goes on" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before
