"""`candlefish judge`: recordings in, a line per stream out, and errors that say which line."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from candlefish.analysis.judge import threshold
from candlefish.analysis.model import Arm, Window
from candlefish.catalog.model import JudgePolicy
from candlefish.errors import InvalidInput
from cli.judge import judge_command
from cli.judge_plot import share_of
from tests.support.streams import traffic


def rows(stream: str | int, windows: list[Window]) -> list[str]:
    def moment(at: float) -> str:
        return datetime.fromtimestamp(1_790_000_000 + at, UTC).isoformat()

    def arm(window: Window, side: str) -> dict[str, int]:
        counts = getattr(window, side)
        return {"requests": counts.requests, "errors": counts.errors, "slow": counts.slow}

    return [
        json.dumps(
            {
                "stream": stream,
                "start": moment(window.start),
                "end": moment(window.end),
                "baseline": arm(window, "baseline"),
                "canary": arm(window, "canary"),
            }
        )
        for window in windows
    ]


def run(folder: Path, lines: list[str], *options: str) -> Result:
    file = folder / "windows.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return CliRunner().invoke(judge_command, [str(file), "--jobs", "1", *options])


def said(result: Result) -> dict[str, dict[str, Any]]:
    assert result.exit_code == 0, result.exception
    told = [json.loads(line) for line in result.stdout.splitlines()]
    return {line["stream"]: line for line in told}


def test_each_stream_gets_a_line_however_the_file_is_sorted(tmp_path: Path) -> None:
    good, bad = traffic(1, rate=6000), traffic(2, times=4.0)
    late, dull = traffic(3, times=4.0, begins=20), traffic(4, rate=30)
    lines = [*rows("good", good), *rows("bad", bad), *rows("late", late), *rows(7, dull)]
    whole = said(run(tmp_path, lines))
    random.Random(1).shuffle(lines)
    assert said(run(tmp_path, lines)) == whole
    assert {name: line["action"] for name, line in whole.items()} == {
        "good": "promote",
        "bad": "rollback",
        "late": "rollback",
        "7": "ask",
    }
    assert set(whole["bad"]) == {"stream", "action", "window", "at", "reason", "evidence"}
    assert whole["bad"]["at"] == f"2026-09-21T14:{13 + whole['bad']['window']:02}:20Z"
    assert whole["7"]["window"] == 60


def test_a_promotion_is_told_as_it_was_said_and_does_not_hide_what_came_later(tmp_path: Path) -> None:
    good, late = traffic(1, rate=6000), traffic(3, rate=6000, times=4.0, begins=20)
    lines = said(run(tmp_path, [*rows("good", good), *rows("late", late)]))
    assert lines["good"]["window"] < 20 and lines["good"]["evidence"]["windows"] == lines["good"]["window"]
    assert lines["late"]["action"] == "rollback" and lines["late"]["window"] > 20
    assert lines["late"]["evidence"]["promoted_before"]["window"] <= 20


def test_several_processes_say_what_one_says(tmp_path: Path) -> None:
    lines = [
        row for number in range(450) for row in rows(f"s{number}", traffic(number, minutes=4, times=3.0))
    ]
    file = tmp_path / "windows.jsonl"
    file.write_text("\n".join(lines))
    one, two = (CliRunner().invoke(judge_command, [str(file), "--jobs", jobs]).stdout for jobs in "12")
    assert one == two and len(one.splitlines()) == 450


def test_a_history_makes_an_even_service_quicker_to_accuse(tmp_path: Path) -> None:
    bad = rows("a", traffic(5, rate=6000, times=2.5))
    past = tmp_path / "past.jsonl"
    past.write_text("\n".join(rows("a", traffic(6, rate=6000, weight=0.0))))
    blind = said(run(tmp_path, bad))["a"]
    known = said(run(tmp_path, bad, "--history", str(past)))["a"]
    assert known["action"] == blind["action"] == "rollback" and known["window"] < blind["window"]


def test_a_bake_promotes_what_survives_to_the_end(tmp_path: Path) -> None:
    line = said(run(tmp_path, rows("a", traffic(1, rate=600)), "--mode", "bake"))["a"]
    assert (line["action"], line["window"]) == ("promote", 60)


def test_policies_come_from_a_file(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("margin: 20\ntolerance: 30\nbudgets: [{metric: errors, over: 0.05, lasting: 3m}]\n")
    line = said(run(tmp_path, rows("a", traffic(1, base=0.01, times=9.0)), "--policy", str(policy)))["a"]
    assert line["action"] == "rollback" and "at most 5% for 3m" in line["reason"]
    policy.write_text("policies: {strict: {alpha: 0.001}, default: {}}\n")
    line = said(run(tmp_path, rows("a", traffic(1)), "--policy", str(policy), "--name", "strict"))["a"]
    assert line["evidence"]["threshold"] == threshold(JudgePolicy(name="strict", alpha=0.001))


def test_one_stream_can_be_drawn(tmp_path: Path) -> None:
    lines = [*rows("a", traffic(1)), *rows("b", traffic(2, times=4.0))]
    picture = tmp_path / "out.png"
    result = run(tmp_path, lines, "--plot", str(picture), "--stream", "b")
    assert len(said(result)) == 2 and picture.read_bytes().startswith(b"\x89PNG")


def test_a_picture_shows_shares_of_what_the_stream_is_counted_among() -> None:
    arm = Arm(1000, 5, beside={"at:/pay": (20, 10)})
    assert share_of(arm, "errors")[0] == 0.005
    share, low, high = share_of(arm, "at:/pay")
    assert share == 0.5 and (low, high) == pytest.approx((0.299, 0.701), abs=1e-3)
    nothing, low, high = share_of(arm, "at:/else")
    assert isnan(nothing) and (low, high) == (0.0, 1.0)


def test_a_stream_that_tells_no_errors_is_drawn_as_it_was_judged(tmp_path: Path) -> None:
    silent = [row.replace('"errors"', '"slow"') for row in rows("a", traffic(1, minutes=5))]
    silent = [row.replace(', "slow": 0}', "}") for row in silent]
    picture = tmp_path / "out.png"
    assert said(run(tmp_path, silent, "--plot", str(picture)))["a"]["action"] == "ask"
    assert picture.read_bytes().startswith(b"\x89PNG")


ROW = rows("a", traffic(1, minutes=1))[0]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 2 is not JSON"),
        ("[1]", "line 2: this is an array"),
        (ROW.replace('"canary"', '"canari"'), "line 2: Object missing required field `canary`"),
        (ROW.replace('"errors": ', '"errors": 99999'), "line 2: baseline has 99999"),
        (ROW.replace('"errors": ', '"errors": -'), "line 2: baseline has a count of -"),
        (ROW.replace('"start"', '"end"', 1), "line 2: Object missing required field `start`"),
        (ROW.replace("2026-09-21T14:13", "2026-09-21T15:13"), "line 2: the window ends at"),
        (ROW.replace("2026-09-21T14:13:20", "yesterday"), "line 2: start is 'yesterday"),
        (
            ROW.replace('"requests": ', '"requests": 1' + "0" * 400),
            "line 2: baseline has a count of more than",
        ),
        (ROW.replace("2026-09-21T14:13:20", "0001-01-01T00:00:00"), "line 2: start is '0001-01-01T00:00:00"),
        (ROW.replace("2026-09-21T14:1", "9999-12-31T23:5"), "which is no time from 1970 to 2099"),
        ('{"stream": ' + "[" * 5000, "line 2"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_said_of_the_others(
    tmp_path: Path, line: str, complaint: str
) -> None:
    result = run(tmp_path, [ROW, line])
    assert isinstance(result.exception, InvalidInput) and complaint in str(result.exception), result.exception
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("alpha: 2\n", "alpha: 2 is not between 0 and 1"),
        ("alhpa: 0.01\n", "unknown field `alhpa`"),
        ("window: soon\n", "is not a duration"),
        ("margin: 0.5\n", "write 1 or more"),
        ("- 1\n", "is not a policy"),
        ("[" * 5000, "is not YAML"),
        ("&a [*a]", "nests deeper"),
        ("window: 99999999999d\n", "is longer than ten years"),
        ("a: {alpha: 0.1}\n", "has no policy 'default'; it has a"),
        ("budgets: [{metric: errors, over: 5, lasting: 5m}]\n", "is not a share of requests"),
    ],
)
def test_a_bad_policy_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(text)
    result = run(tmp_path, [ROW], "--policy", str(policy))
    assert isinstance(result.exception, InvalidInput) and complaint in str(result.exception), result.exception


def test_an_empty_or_missing_recording_says_so(tmp_path: Path) -> None:
    assert "holds no windows" in str(run(tmp_path, [""]).exception)
    missing = CliRunner().invoke(judge_command, [str(tmp_path / "nowhere.jsonl")])
    assert "cannot be read: No such file" in str(missing.exception)
    assert "has no stream 'z'" in str(run(tmp_path, [ROW], "--stream", "z").exception)
