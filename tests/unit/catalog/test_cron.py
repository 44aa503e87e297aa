"""CronJobs in the catalog: what each must say, and what cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.catalog.crontab import WORDS, wrong_with
from candlefish.catalog.load import examine

from .conftest import TODAY

THING = """
{name}:
  image: ghcr.io/example-org/{name}
  replicas: {{min: 2, max: 10}}
  resources: {{cpu: 100m, memory: 128Mi, cpu_limit: 200m, memory_limit: 256Mi}}
  owner: platform
  kind: worker
  secrets:
    - {{name: {name}/database, env: DATABASE_URL}}
"""


def found(folder: Path, *cron: str, beside: str = "") -> list[tuple[str, str]]:
    """What is wrong with a worker that has these, beside another service."""
    things = (
        THING.format(name="thing") + "  judge: loss\n  cron:\n" + "".join(f"    - {each}\n" for each in cron)
    )
    if beside:
        things += THING.format(name=beside).replace("DATABASE_URL", "OTHER_URL") + "  judge: loss\n"
    with (folder / "services.yaml").open("a", encoding="utf-8") as out:
        out.write(things)
    return [(each.path, each.what) for each in examine(folder, TODAY)[1] if not each.path.endswith("judge")]


def test_crontabs_and_words_are_taken(folder: Path) -> None:
    nightly = '{name: nightly, schedule: "30 3 * * 1-5", timezone: Europe/Berlin, args: [a], within: 2h}'
    assert (
        found(folder, nightly, '{name: hourly, schedule: "@hourly", command: [tidy], env: {MODE: x}}') == []
    )


@pytest.mark.parametrize(
    ("cron", "path", "words"),
    [
        ('{name: a, schedule: "0 0 * * *"}', "", "says nothing to run"),
        ('{name: a, schedule: "0 24 * * *", args: [a]}', ".schedule", "'24' is no hour"),
        ('{name: a, schedule: "0 0 * * 7", args: [a]}', ".schedule", "goes from 0 to 6"),
        ('{name: a, schedule: "@often", args: [a]}', ".schedule", "there is no @often"),
        ('{name: a, schedule: "0 0 * *", args: [a]}', ".schedule", ""),
        ('{name: a, schedule: "@daily", timezone: Mars/Base, args: [a]}', ".timezone", "Mars/Base"),
        ('{name: a, schedule: "@daily", args: [a], within: 25h}', ".within", "none that a CronJob can have"),
        ('{name: a, schedule: "@daily", args: [a], env: {DATABASE_URL: x}}', ".env.DATABASE_URL", "already"),
        (
            '{name: a, schedule: "@daily", args: [a], resources: {cpu: 2, memory: 1Gi, cpu_limit: 1, memory_limit: 1Gi}}',
            ".resources.cpu_limit",
            "above the limit",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(folder: Path, cron: str, path: str, words: str) -> None:
    problems = found(folder, cron)
    assert [where for where, _ in problems] == [f"services.thing.cron[0]{path}"], problems
    assert words in problems[0][1], problems


def test_two_of_one_name_and_a_name_of_another_service_are_refused(folder: Path) -> None:
    daily = '{name: report, schedule: "@daily", args: [a]}'
    problems = found(folder, daily, daily, beside="thing-report")
    assert {(where, what.split(",")[0]) for where, what in problems} == {
        ("services.thing.cron[1].name", "CronJob 'report' is there twice"),
        ("services.thing.cron[0].name", "it is called thing-report in the cluster"),
    }


@pytest.mark.parametrize(
    "schedule",
    [*WORDS, "* * * * *", "*/5 0-23/2 1,15 JAN-mar MON-FRI", "59 23 31 12 6", "? ? ? ? ?", "5/10 * * * sun"],
)
def test_what_kubernetes_takes_is_taken(schedule: str) -> None:
    assert wrong_with(schedule) == ""


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "@reboot",
        "@every 1h",
        "60 * * * *",
        "* * 0 * *",
        "* * * 13 *",
        "*/0 * * * *",
        "5-1 * * * *",
        "1- * * * *",
        ", * * * *",
        "* * * * * *",
        "TZ=UTC * * * *",
        "²² * * * *",
        "* * * * mon-7",
    ],
)
def test_what_it_does_not_take_is_refused_with_words(schedule: str) -> None:
    assert wrong_with(schedule)


@given(st.text(max_size=40))
def test_any_text_has_an_answer(schedule: str) -> None:
    assert isinstance(wrong_with(schedule), str)
