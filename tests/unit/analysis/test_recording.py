"""Recordings as other tools write them: understood where there is no doubt, else refused in one line."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from candlefish.analysis.model import Arm, Window
from candlefish.bounds import LAST_MOMENT
from candlefish.errors import InvalidInput
from cli.judge import judge_command
from cli.recording import epoch, read

AT = 1_800_000_000
ROOT = Path(__file__).parents[3]


def row(**changed: Any) -> dict[str, Any]:
    arms = {"baseline": {"requests": 1000, "errors": 5}, "canary": {"requests": 100, "errors": 1}}
    return {"stream": "a", "start": AT, "end": AT + 60, **arms, **changed}


def canary(**changed: Any) -> str:
    return json.dumps(row(canary={"requests": 100, **changed}))


def recorded(folder: Path, data: str | bytes) -> Path:
    file = folder / "windows.jsonl"
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return file


def windows(folder: Path, data: str | bytes) -> list[Window]:
    return read(recorded(folder, data)).windows("a")


def refusal(folder: Path, data: str | bytes) -> str:
    with pytest.raises(InvalidInput) as error:
        read(recorded(folder, data))
    said = str(error.value)
    assert "\n" not in said and len(said) < 700
    return said


GOOD = json.dumps(row())
LATER = json.dumps(row(start=AT + 60, end=AT + 120))
PLAIN = Window(AT, AT + 60, Arm(1000, 5), Arm(100, 1), source="recording")


@pytest.mark.parametrize(
    "data",
    [
        GOOD,
        json.dumps(row(start=AT * 1000, end=AT * 1000 + 60_000)),
        json.dumps(row(start=AT * 10**6, end=(AT + 60) * 10**6)),
        json.dumps(row(start=AT * 10**9, end=(AT + 60) * 10**9)),
        json.dumps(row(start="2027-01-15T08:00:00Z", end="2027-01-15T09:01:00+01:00")),
        json.dumps(row(start="2027-01-15 08:00:00", end="2027-01-15T08:01:00")),
        json.dumps(row(baseline={"requests": 1e3, "errors": 5.0}, region="us-west-2")),
        "\ufeff" + GOOD + "\r\n\r\n",
        "\n  \n" + GOOD,
        GOOD + "\r",
    ],
)
def test_what_can_mean_one_thing_only_is_understood(tmp_path: Path, data: str) -> None:
    assert windows(tmp_path, data) == [PLAIN]


def test_what_was_counted_beside_is_read(tmp_path: Path) -> None:
    beside = {"at:/checkout": (30, 2), "over:0.25": (100, 40), "use:restarts": (60, 9), "kind:new": (7, 0)}
    line = canary(slow=3, counters={"orders": 7.0}, beside={**beside, "kind:new": (7.0, 0.0)})
    (read_,) = windows(tmp_path, line)
    assert read_.canary == Arm(100, 0, 3, {"orders": 7}, beside)


def test_nothing_is_promoted_on_what_no_window_of_a_stream_tells(tmp_path: Path) -> None:
    def told(stream: str, arm: dict[str, Any]) -> list[str]:
        arms = {"baseline": arm, "canary": arm}
        times = ((AT + 60 * at, AT + 60 * at + 60) for at in range(30))
        return [json.dumps(row(stream=stream, start=start, end=end, **arms)) for start, end in times]

    quiet = {"requests": 5000, "errors": 0}
    misspelt = {**quiet, "counters": {"order": 40}}
    lines = [*told("a", {"requests": 5000}), *told("b", quiet), *told("c", misspelt)]
    lines += told("d", {**quiet, "counters": {"orders": 40}})
    file, policy = recorded(tmp_path, "\n".join(lines)), tmp_path / "policy.yaml"
    policy.write_text("counters: [{name: orders, bad: less}]\n")
    plain, counting = (
        {line["stream"]: line for line in map(json.loads, result.stdout.splitlines())}
        for result in (
            CliRunner().invoke(judge_command, [str(file)]),
            CliRunner().invoke(judge_command, [str(file), "--policy", str(policy)]),
        )
    )
    assert [plain[name]["action"] for name in "abcd"] == ["ask", "promote", "promote", "promote"]
    assert "no window tells its errors: what is not counted is unknown" in plain["a"]["reason"]
    assert [counting[name]["action"] for name in "abcd"] == ["ask", "ask", "ask", "promote"]
    assert counting["a"]["evidence"]["never_reported"] == ["errors", "orders"]
    assert counting["a"]["window"] == 30


BAD_LINES = [
    (json.dumps(row(start=-62135596800)), "start is -62135596800.0, which is no time from 1970 to 2099"),
    (json.dumps(row(start="0000-01-01T00:00:00Z")), "no time from 1970"),
    (json.dumps(row(end="9999-12-31T23:59:59Z")), "end is '9999-12-31T23:59:59Z', which is no time"),
    (json.dumps(row(start=1e300, end=2e300)), "start is 1e+300, which is no time"),
    (json.dumps(row(start=5e10)), "start is 50000000000.0, which is no time"),
    (
        json.dumps(row(start="24/Nov/2026:10:00:00 +0000")),
        "which is no time from 1970 to 2099; write RFC 3339",
    ),
    (json.dumps(row(start=None)), "Expected `float | str`, got `null` - at `$.start`"),
    (GOOD.replace("1000", "NaN"), "it holds NaN, which is no number"),
    (GOOD.replace("1000", "-Infinity"), "it holds -Infinity, which is no number"),
    (GOOD.replace("1000", "1e400"), "Number out of range"),
    (
        GOOD.replace("1000", "1" + "0" * 25),
        "a count of more than 1,000,000,000,000 requests, which no window has",
    ),
    (GOOD.replace("1000", "1" + "0" * 500), "a count of more than"),
    (canary(requests=99.7), "canary has a count of 99.7 requests; counts are whole numbers"),
    (canary(errors=101), "canary has 101 errors among 100 requests"),
    (canary(errors=-1), "canary has a count of -1 errors; counts are 0 or more"),
    (canary(requests="100"), "Expected `int | float`, got `str`"),
    (canary(requests=True), "got `bool`"),
    (canary(error=3), "unknown field `error`"),
    (canary(counters={"orders": 101}), "canary has 101 orders among 100 requests"),
    (canary(counters={"orders": 0.5}), "a count of 0.5 orders"),
    (canary(beside={"at": [1, 0]}), "a name is family:detail, with a family of over, at, kind, use"),
    (canary(beside={"where:/x": [1, 0]}), "a name is family:detail"),
    (canary(beside={"over:soon": [1, 0]}), "over: is followed by seconds"),
    (canary(beside={"over:0": [1, 0]}), "over: is followed by seconds"),
    (canary(beside={"at:/x": [2, 3]}), "3 of 2 were bad, which is more than there were"),
    (canary(beside={"use:throttled": [2, 3]}), "3 of 2 were bad"),
    (canary(beside={"use:oom": [60, 61]}), "61 of 60 were bad"),
    (canary(beside={"kind:Timeout": [2, 1]}), "errors of new kinds are counted together, as kind:new"),
    (canary(beside={"at:/x": [-1, 0]}), "a count of -1 at:/x"),
    (canary(beside={"at:/x": 3}), "Expected `array`, got `int`"),
    (json.dumps(row(end=AT)), "the window ends at 1800000000.0, not after its start"),
    (json.dumps(row(end=AT - 1)), "not after its start"),
    ("[1]", "this is an array; write an object per line, as in: jq -c '.[]' FILE"),
    ("[", "this is an array"),
    ("{", "it is cut off, or goes on in the next line"),
    (GOOD[:-30], "it is cut off"),
    ("stream,start,end,requests", "looks like CSV; write a JSON object per line"),
    ("a;1;2;3", "looks like CSV"),
    ("hello", "is not JSON: 'hello'"),
    ("null", "is not JSON: 'null'"),
    (GOOD + GOOD, "is not JSON: JSON is malformed: trailing characters"),
    ('{"stream": ' + "[" * 5000, "is not JSON"),
    ('{"stream": ' + "[" * 5000 + "]" * 5000 + "}", "line 2"),
    (b'{"stream": "\xe9t\xe9"}', "is not UTF-8 (byte 0xe9); save the file as UTF-8"),
    (b'{"stream": "\\ud800"}', "line 2"),
    (b'{"stream": "\x01"}', "is not JSON"),
]


@pytest.mark.parametrize(("line", "complaint"), BAD_LINES)
def test_a_line_that_is_no_window_is_named(tmp_path: Path, line: str | bytes, complaint: str) -> None:
    written = line if isinstance(line, bytes) else line.encode()
    said = refusal(tmp_path, b"\n".join([GOOD.encode(), written, LATER.encode()]))
    assert "windows.jsonl line 2" in said and complaint in said, said


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (gzip.compress(GOOD.encode()), "is compressed by gzip; unpack it first, as in: gunzip -c FILE"),
        (b"PK\x03\x04rest", "is a ZIP archive"),
        (GOOD.encode("utf-16"), "is UTF-16 or UTF-32; write UTF-8, as in: iconv"),
        (GOOD.encode("utf-16-le"), "is UTF-16 or UTF-32"),
        (GOOD.encode("utf-32-be"), "is UTF-16 or UTF-32"),
        (b"", "holds no windows"),
        (b"\r\n \n", "holds no windows"),
    ],
)
def test_a_file_that_is_no_recording_is_named(tmp_path: Path, data: bytes, complaint: str) -> None:
    assert complaint in refusal(tmp_path, data)


def test_a_window_is_written_once(tmp_path: Path) -> None:
    assert "line 3: this is the same window as line 1 of stream 'a'" in refusal(
        tmp_path, f"{GOOD}\n{LATER}\n{GOOD}"
    )
    said = refusal(tmp_path, "\n".join([LATER, json.dumps(row(start=AT + 30, end=AT + 90))]))
    assert "line 2: this overlaps the window in line 1" in said and "offset" not in said
    assert len(read(recorded(tmp_path, f"{GOOD}\n{json.dumps(row(stream='b'))}")).streams) == 2


def test_local_times_around_a_change_of_clocks_need_their_offset(tmp_path: Path) -> None:
    """The hour from one o'clock comes twice on the first of November in Los Angeles."""
    west = [timezone(timedelta(hours=-hours)) for hours in (7, 8)]
    begins = [datetime(2026, 11, 1, 1, 30, tzinfo=zone) for zone in west]
    both = [row(start=at.isoformat(), end=(at + timedelta(minutes=1)).isoformat()) for at in begins]
    assert len(windows(tmp_path, "\n".join(map(json.dumps, both)))) == 2
    bare = [row(start=at.isoformat()[:19], end=(at + timedelta(minutes=1)).isoformat()[:19]) for at in begins]
    said = refusal(tmp_path, "\n".join(map(json.dumps, bare)))
    assert "line 2: this is the same window" in said and "write local times with their offset" in said


@given(st.floats(1e8, LAST_MOMENT - 1), st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_a_time_means_one_thing_in_whatever_unit(at: float, unit: int) -> None:
    assert epoch(at * unit) == pytest.approx(at, abs=1e-5)
    assert epoch(int(at) * unit) == pytest.approx(int(at), abs=1e-5)
    assert epoch(datetime.fromtimestamp(at, UTC).isoformat()) == pytest.approx(at, abs=1e-5)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_COUNTS = st.integers(-1, 200) | st.sampled_from([100.0, 99.7, 1e13, 10**25, 10**400, True]) | _JSON
_BESIDE = st.dictionaries(
    st.sampled_from(["over:0.1", "over:x", "at:/", "kind:new", "use:oom", "use:throttled", "x"]),
    st.tuples(_COUNTS, _COUNTS),
    max_size=3,
)
_ARMS = st.fixed_dictionaries(
    {"requests": _COUNTS},
    optional={
        "errors": _COUNTS,
        "slow": _COUNTS,
        "counters": st.dictionaries(st.text(max_size=3), _COUNTS),
        "beside": _BESIDE,
    },
)
_TIMES = (
    st.integers(AT, AT + 600)
    | st.sampled_from([AT * 1000, 10**400, 1e300, "2027-01-15T08:00:00Z", "0001-01-01T00:00:00+14:00", "x"])
    | _JSON
)
_ROWS = st.fixed_dictionaries(
    {
        "stream": st.sampled_from(["a", 7, None]),
        "start": _TIMES,
        "end": _TIMES,
        "baseline": _ARMS,
        "canary": _ARMS,
    }
)


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(_ROWS | st.just(row()), min_size=1, max_size=4), noise=st.binary(max_size=3), data=st.data()
)
def test_a_recording_is_right_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], noise: bytes, data: st.DataObject
) -> None:
    text = b"\n".join(json.dumps(each).encode() for each in rows)
    at = data.draw(st.integers(0, len(text)))
    file = tmp_path_factory.getbasetemp() / "any.jsonl"
    file.write_bytes(text[:at] + noise + text[at:])
    try:
        recording = read(file)
    except InvalidInput as error:
        assert "\n" not in str(error) and len(str(error)) < 900
        return
    for name in recording.streams:
        until = 0.0
        for window in recording.windows(name):
            assert until - 1e-6 <= window.start < window.end <= LAST_MOMENT
            until = window.end
            for arm in (window.baseline, window.canary):
                assert 0 <= max(arm.errors, arm.slow, *arm.counters.values(), 0) <= arm.requests <= 10**12


def test_standard_input_is_read_like_a_file(tmp_path: Path) -> None:
    lines = f"{GOOD}\n{LATER}\n"
    one = CliRunner().invoke(judge_command, [str(recorded(tmp_path, lines))])
    two = CliRunner().invoke(judge_command, ["-"], input=lines)
    assert one.exit_code == two.exit_code == 0 and one.stdout == two.stdout != ""
    told = CliRunner().invoke(judge_command, ["-"], input=io.BytesIO(b"{"))
    assert "standard input line 1 is not JSON" in str(told.exception)


def test_what_is_no_file_and_what_is_no_history_is_said(tmp_path: Path) -> None:
    file = str(recorded(tmp_path, GOOD))
    other = tmp_path / "past.jsonl"
    other.write_text(json.dumps(row(stream="b")))
    for arguments, complaint in (
        ([str(tmp_path)], "is a directory; name a file, or - for standard input"),
        (["-", "--history", "-"], "cannot be the recording and its history"),
        ([file, "--history", str(other)], "has no window of any stream in"),
    ):
        result = CliRunner().invoke(judge_command, arguments)
        assert isinstance(result.exception, InvalidInput) and complaint in str(result.exception), arguments


def test_the_exit_status_is_the_documented_one_and_nobody_sees_a_trace(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli", "judge", *arguments]
        places = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=places, check=False)

    bad = recorded(tmp_path, GOOD.replace("1000", "NaN"))
    told = run(str(bad))
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith(f"InvalidInput: {bad} line 1 is not JSON") and told.stderr.count("\n") == 1
    assert run("--windows", str(bad)).returncode == 2
