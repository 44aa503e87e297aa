"""What the judge says of each stream of a recording."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from candlefish.analysis.calibration import calibrate
from candlefish.analysis.judge import _verdict, first_state, judge, metrics, streams
from candlefish.analysis.model import JudgeState, Mode, Verdict, Window
from candlefish.bounds import sound
from candlefish.catalog.model import JudgePolicy, decode_hook
from candlefish.errors import InvalidInput
from cli.many.recorded import Batch, batches, last_states
from cli.recording import Recording, survey_of


class Line(msgspec.Struct, gc=False):
    """What is said of one stream."""

    stream: str
    action: str
    window: int
    at: str
    reason: str
    evidence: dict[str, Any]


# Of a file of policies, in characters.
LARGEST_POLICY = 100_000


def read_policy(file: Path, name: str) -> JudgePolicy:
    """One policy: the file's only one, or the one of this name.

    Raises
    ------
    InvalidInput
        The file is not a policy; the message names the field.
    """
    import yaml

    try:
        # Aliases may make much of little.
        told = sound(yaml.safe_load(file.read_text(encoding="utf-8")), LARGEST_POLICY)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise InvalidInput(f"{file} is not YAML: {error}") from error
    if not isinstance(told, dict):
        raise InvalidInput(f"{file} is not a policy; write its fields, like alpha: 0.01 (docs/judge.md)")
    named = told.get("policies", told)
    if isinstance(named, dict) and named and all(isinstance(one, dict) for one in named.values()):
        if name not in named:
            raise InvalidInput(f"{file} has no policy {name!r}; it has {', '.join(map(str, named))}")
        told = named[name]
    try:
        return msgspec.convert({"name": name, **told}, JudgePolicy, dec_hook=decode_hook)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{file}: {error}; docs/judge.md has the fields of a policy") from error


def opening(policy: JudgePolicy, windows: Sequence[Window], past: Sequence[Window], mode: Mode) -> JudgeState:
    """The state at a stream's first window."""
    survey = survey_of(
        {name for window in windows for arm in (window.baseline, window.canary) for name in arm.beside}
    )
    known = calibrate(past, streams(policy, survey)) if past else None
    return first_state(policy, windows[0].start, mode, known, survey)


def decided(
    policy: JudgePolicy,
    windows: Sequence[Window],
    past: Sequence[Window],
    mode: Mode,
    untold: Sequence[str] = (),
) -> tuple[JudgeState, Verdict]:
    """The last word on a stream: a rollback if there was one, else the promotion when it came, else the end.

    The state is the one at that moment. Nothing is promoted on metrics that are `untold`.
    """
    start, end = opening(policy, windows, past, mode), windows[-1].end
    state, verdict = judge(policy, start, windows, end, end)
    if verdict.action == "promote" and untold:
        names = " and ".join(untold)
        reason = f"no window tells its {names}: what is not counted is unknown, and nothing is promoted on it"
        evidence = {**verdict.evidence, "never_reported": list(untold)}
        return state, Verdict("ask", f"{reason}. Otherwise: {verdict.reason}", evidence)
    if mode == "judge" and verdict.action == "promote" and state.promoted:
        # As it was said at the time.
        early = windows[: state.promoted.window]
        return judge(policy, start, early, early[-1].end, early[-1].end)
    return state, verdict


def replay(
    policy: JudgePolicy, recording: Recording, past: Recording | None, mode: Mode, jobs: int | None
) -> Iterator[str]:
    """A line of JSON per stream, in the order of the recording; on all cores where that pays.

    Streams whose windows are of one length are judged many at once (`cli.many`), the others one by one.
    """
    found, alone = batches(policy, recording)
    names, untold = list(recording.streams), recording.untold(metrics(policy))
    parts: list[Batch | list[int]] = [*found]
    parts += [alone[at : at + _TOGETHER] for at in range(0, len(alone), _TOGETHER)]
    processes = min(jobs or os.cpu_count() or 1, len(parts))
    _shared.update(policy=policy, recording=recording, past=past, mode=mode, names=names, untold=untold)
    lines: dict[int, str] = {}
    if processes < 2 or "fork" not in multiprocessing.get_all_start_methods():
        for part in parts:
            lines |= _part(part)
    else:
        # Forked processes find the windows where the parent has them: nothing is copied or pickled.
        gc.freeze()
        with multiprocessing.get_context("fork").Pool(processes) as pool:
            for told in pool.imap_unordered(_part, parts):
                lines |= told
        gc.unfreeze()
    _shared.clear()
    for number in range(len(names)):
        yield lines[number]


# Streams that are judged one by one, of a process's part.
_TOGETHER = 200
_shared: dict[str, Any] = {}


def _part(part: Batch | list[int]) -> dict[int, str]:
    policy, recording, past, mode, names, untold = (
        _shared[key] for key in ("policy", "recording", "past", "mode", "names", "untold")
    )
    # Many small values and no cycles among them.
    gc.disable()
    try:
        if isinstance(part, Batch):
            return {
                last.number: _line(
                    names[last.number], mode, last.state, _verdict(policy, last.state, *[last.end] * 3)
                )
                for last in last_states(policy, recording, past, mode, part)
            }
        return {
            number: _line(
                name,
                mode,
                *decided(
                    policy,
                    recording.windows(name),
                    past.windows(name) if past else (),
                    mode,
                    untold[number],
                ),
            )
            for number, name in ((number, names[number]) for number in part)
        }
    finally:
        gc.enable()


def _line(name: str, mode: Mode, state: JudgeState, verdict: Verdict) -> str:
    moment = state.rolled_back or (
        state.promoted if verdict.action == "promote" and mode == "judge" else None
    )
    evidence = dict(verdict.evidence)
    if state.rolled_back and state.promoted:
        evidence["promoted_before"] = {"window": state.promoted.window, "at": _iso(state.promoted.at)}
    line = Line(
        stream=name,
        action=verdict.action,
        window=moment.window if moment else state.windows,
        at=_iso(moment.at if moment else state.until),
        reason=verdict.reason,
        evidence=evidence,
    )
    return msgspec.json.encode(line).decode()


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
