"""What users of a lab met, in a line."""

from __future__ import annotations

import pytest

from lab.scenes.users import Site, Users, met
from lab.traffic.load import Sample


def sample(at: float, status: int, version: str, seconds: float = 0.01) -> Sample:
    return Sample(at, "x.example", status, version, "pod", seconds)


def test_a_stretch_is_accounted_for_by_version_and_failure() -> None:
    samples = [sample(n, 200, "1.0.0", n / 1000) for n in range(90)]
    samples += [sample(n, 500, "1.1.0") for n in range(10)]
    seen = met(samples, 0, 100)
    assert (seen.requests, seen.failed) == (100, 10)
    assert seen.by_version == {"1.0.0": 90, "1.1.0": 10}
    assert seen.says == "100 requests, 10 failed: 10 1.1.0: 500 (90 by 1.0.0, 10 by 1.1.0); p95 85 ms"
    assert met(samples, 20, 30).says == "10 requests, none failed (10 by 1.0.0); p95 29 ms"


def test_silence_is_no_success() -> None:
    assert met([], 0, 100).says == "no request was answered"
    assert met([sample(1, 0, "")], 0, 100).says.startswith("1 requests, 1 failed")


def test_of_what_was_reported_nothing_is_kept_and_all_of_it_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Users who are sent for days fill no memory, and a report reads what is new."""
    now = [1000.0]
    users = Users(Site("production", "http://127.0.0.1:80", {"api": "api.example"}), ["api"], 1.0)
    load = users._load

    def sleep(seconds: float) -> None:
        now[0] += 0.5
        load.samples += [sample(now[0] - 0.1, 200, "1.0.0", 0.02), sample(now[0] - 0.1, 500, "1.1.0", 0.01)]

    monkeypatch.setattr("lab.scenes.users.time.time", lambda: now[0])
    monkeypatch.setattr("lab.scenes.users.time.sleep", sleep)
    monkeypatch.setattr(load, "start", lambda: None)
    monkeypatch.setattr(load, "stop", lambda: load.samples)
    users.start()
    kept, told = [], []
    for each in users.reports(5.0, lambda: len(told) < 20):
        told.append(each)
        kept.append(len(load.samples) + len(users._untold))
    assert [each.requests for each in told] == [20] * 20
    assert all((each.failed, each.by_version) == (10, {"1.0.0": 10, "1.1.0": 10}) for each in told)
    assert max(kept) <= 24
    whole = users.stop()
    # Two at each of 201 looks: what came after the last report counts, too.
    sent = 402
    assert (whole.requests, whole.failed, whole.p95) == (sent, sent // 2, 0.02)
