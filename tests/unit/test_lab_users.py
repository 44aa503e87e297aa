"""What users of a lab met, in a line."""

from __future__ import annotations

from lab.scenes.users import met
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
