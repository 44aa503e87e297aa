"""Jobs in the catalog: what each must say, and what cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from candlefish.catalog.load import examine

from .conftest import TODAY

THING = """
thing:
  image: ghcr.io/example-org/thing
  replicas: {min: 2, max: 10}
  resources: {cpu: 100m, memory: 128Mi, cpu_limit: 200m, memory_limit: 256Mi}
  owner: platform
  port: 80
  health_path: /health
  host: thing.example.org
  secrets:
    - {name: thing/database, env: DATABASE_URL}
  jobs:
"""


def found(folder: Path, *jobs: str) -> list[tuple[str, str]]:
    with (folder / "services.yaml").open("a", encoding="utf-8") as out:
        out.write(THING + "".join(f"    - {job}\n" for job in jobs))
    return [(each.path, each.what) for each in examine(folder, TODAY)[1]]


def test_jobs_before_and_after_are_taken(folder: Path) -> None:
    before = "{name: migrate, command: [python, -m, app.migrate], within: 10m, env: {MODE: up}}"
    after = "{name: warm, when: after, args: [--warm]}"
    assert found(folder, before, after) == []


@pytest.mark.parametrize(
    ("job", "path", "words"),
    [
        ("{name: migrate}", "services.thing.jobs[0]", "says nothing to run"),
        ("{name: migrate, args: [a], within: 7h}", "services.thing.jobs[0].within", "none that a release"),
        ("{name: migrate, args: [a], within: 0s}", "services.thing.jobs[0].within", "none that a release"),
        (
            "{name: migrate, args: [a], env: {DATABASE_URL: x}}",
            "services.thing.jobs[0].env.DATABASE_URL",
            "has the variable DATABASE_URL already",
        ),
        (
            "{name: migrate, args: [a], env: {CANDLEFISH_SLOT: x}}",
            "services.thing.jobs[0].env.CANDLEFISH_SLOT",
            "is set by the control plane",
        ),
        (
            "{name: migrate, args: [a], "
            "resources: {cpu: 500m, memory: 1Gi, cpu_limit: 100m, memory_limit: 1Gi}}",
            "services.thing.jobs[0].resources.cpu_limit",
            "above the limit",
        ),
        ("{name: Migrate_Now, args: [a]}", "services.thing.jobs[0].name", ""),
        ("{name: migrate, args: [a], when: sometimes}", "services.thing.jobs[0].when", ""),
    ],
)
def test_what_cannot_be_meant_is_refused(folder: Path, job: str, path: str, words: str) -> None:
    problems = found(folder, job)
    assert [where for where, _ in problems] == [path], problems
    assert words in problems[0][1], problems


def test_two_of_a_name_are_one_too_many(folder: Path) -> None:
    problems = found(folder, "{name: a, args: [a]}", "{name: a, args: [b]}")
    assert problems == [("services.thing.jobs[1].name", "job 'a' is there twice")]
