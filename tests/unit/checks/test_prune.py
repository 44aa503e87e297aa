"""What may be deleted of published versions: nothing that an execution may still call."""

from __future__ import annotations

from tools.prune import DAY, Published, disposable, longest
from tools.stack import read

NOW = 1_800_000_000.0


def published(*days_ago: float, named: tuple[int, ...] = ()) -> list[Published]:
    return [
        Published(NOW - days * DAY, f"arn:{number}", number in named)
        for number, days in enumerate(days_ago, start=1)
    ]


def goes(versions: list[Published], runs: float = 30 * DAY) -> list[str]:
    return [each.arn for each in disposable(versions, runs, NOW)]


def test_a_version_goes_when_no_execution_can_have_begun_with_it() -> None:
    assert goes(published(90, 40, 10, 1)) == ["arn:1"]
    # The second was the newest until ten days ago: executions that began then may run for twenty days more.
    assert goes(published(90, 40, 32, 1)) == ["arn:1", "arn:2"]


def test_the_newest_and_what_an_alias_names_stay() -> None:
    assert goes(published(400)) == []
    assert goes(published(400, 300, 200, named=(1,))) == ["arn:2"]


def test_no_execution_runs_longer_than_the_machines_say() -> None:
    assert longest(read()) == 30 * DAY
