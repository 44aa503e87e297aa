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
from candlefish.analysis.judge import first_state, judge, metrics
from candlefish.analysis.model import JudgeState, Mode, Verdict, Window
from candlefish.bounds import sound
from candlefish.catalog.model import JudgePolicy, decode_hook
from candlefish.errors import InvalidInput
from cli.recording import Recording

# Fewer streams than this are not worth another process.
_WORTH_A_PROCESS = 200
# Windows that are judged at a stretch; after it one looks whether the canary was promoted.
_STRETCH = 15


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
    known = calibrate(past, metrics(policy)) if past else None
    return first_state(policy, windows[0].start, mode, known)


def decided(
    policy: JudgePolicy, windows: Sequence[Window], past: Sequence[Window], mode: Mode
) -> tuple[JudgeState, Verdict]:
    """The last word on a stream: a rollback if there was one, else the promotion when it came, else the end.

    The state is the one at that moment.
    """
    state = opening(policy, windows, past, mode)
    end = windows[-1].end
    promoted = None
    for at in range(0, len(windows), _STRETCH):
        part = windows[at : at + _STRETCH]
        before, last = state, at + _STRETCH >= len(windows)
        state, verdict = judge(policy, state, part, part[-1].end, end if last else end + 1)
        if state.promoted and promoted is None and mode == "judge":
            # As it was said at the time: the same stretch once more, to the window that settled it.
            upto = (
                state.promoted.window - before.windows + state.ignored - before.ignored + len(before.pending)
            )
            early = part[: max(1, upto)]
            promoted = judge(policy, before, early, early[-1].end, early[-1].end)
        if state.rolled_back:
            break
    return promoted if promoted and verdict.action == "promote" else (state, verdict)


def line_of(
    name: str, policy: JudgePolicy, windows: Sequence[Window], past: Sequence[Window], mode: Mode
) -> str:
    """One stream's line of JSON."""
    state, verdict = decided(policy, windows, past, mode)
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


def replay(
    policy: JudgePolicy, recording: Recording, past: Recording | None, mode: Mode, jobs: int | None
) -> Iterator[str]:
    """A line per stream, in the order of the recording; on all cores where that pays."""
    names = list(recording.streams)
    processes = min(jobs or os.cpu_count() or 1, 1 + len(names) // _WORTH_A_PROCESS)
    if processes == 1 or "fork" not in multiprocessing.get_all_start_methods():
        for name in names:
            yield _line(name, policy, recording, past, mode)
        return
    # Forked processes find the windows where the parent has them: nothing is copied or pickled.
    _shared.update(policy=policy, recording=recording, past=past, mode=mode, names=names)
    gc.freeze()
    size = max(1, len(names) // (processes * 16))
    parts = [(at, min(at + size, len(names))) for at in range(0, len(names), size)]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for lines in pool.imap(_part, parts):
            yield from lines
    gc.unfreeze()
    _shared.clear()


def _line(name: str, policy: JudgePolicy, recording: Recording, past: Recording | None, mode: Mode) -> str:
    return line_of(name, policy, recording.windows(name), past.windows(name) if past else (), mode)


_shared: dict[str, Any] = {}


def _part(part: tuple[int, int]) -> list[str]:
    gc.disable()
    policy, recording, past, mode = (_shared[key] for key in ("policy", "recording", "past", "mode"))
    return [_line(name, policy, recording, past, mode) for name in _shared["names"][part[0] : part[1]]]


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
