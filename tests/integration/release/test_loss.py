"""The table is emptied, and restored to an earlier time, under load: the chapters of docs/runbook.md, as they are typed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.scenes import driver
from tests.support.labs import Labs
from tests.support.stage import ROOT, Stage, nobody_is_failed, running
from tests.support.waiting import eventually

ENVIRONMENT, SERVICE = "staging", "website"


@contextmanager
def losing(folder: Path) -> Iterator[Stage]:
    with running(folder, (ENVIRONMENT,), (SERVICE,)) as world:
        yield Stage(world, ENVIRONMENT)


@pytest.fixture
def stage(labs: Labs) -> Stage:
    return labs.get(losing)


def typed(stage: Stage, *arguments: str) -> tuple[int, str]:
    """What a person types after `candlefish`; its exit code and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=ROOT,
        env={**os.environ, **stage.world.signed_in("platform-lead")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def items(stage: Stage) -> list[dict[str, Any]]:
    """Everything that the table has."""
    pages = stage.client("dynamodb").get_paginator("scan").paginate(TableName=table_of(stage))
    return [item for page in pages for item in page["Items"]]


def table_of(stage: Stage) -> str:
    name: str = stage.site.stack.outputs["TableName"]
    return name


def restore(stage: Stage, kept: list[dict[str, Any]]) -> None:
    """The table has these items and no others."""
    dynamodb = stage.client("dynamodb")
    for item in items(stage):
        key = {name: item[name] for name in ("pk", "sk")}
        dynamodb.delete_item(TableName=table_of(stage), Key=key)
    for item in kept:
        dynamodb.put_item(TableName=table_of(stage), Item=item)


def promoted(stage: Stage, version: str) -> None:
    stage.publish(SERVICE, version)
    release = stage.start(SERVICE, version)
    ended = stage.ends(release)
    assert ended["status"] == "SUCCEEDED", ended
    at_rest(stage, version)


def at_rest(stage: Stage, version: str) -> None:
    """The version is stable and its predecessor has no Pods any more."""
    stage.settled(SERVICE, version)
    eventually(lambda: [slot.running for slot in stage.records.get(SERVICE).slots.values()].count(True) == 1)


def test_the_table_is_emptied_and_the_record_is_made_again(stage: Stage) -> None:
    with nobody_is_failed(stage, SERVICE):
        promoted(stage, "1.1.0")
        before = stage.records.get(SERVICE)
        assert typed(stage, "automation", "-e", ENVIRONMENT, "off", "--reason", "the table is empty")[0] == 0
        assert "automation is off" in typed(stage, "status", "-e", ENVIRONMENT)[1]
        restore(stage, [])
        code, said = typed(stage, "records", "verify", SERVICE, "-e", ENVIRONMENT)
        assert code == 1 and "0 of 1 records agree" in said, said
        code, said = typed(
            stage, "records", "rebuild", SERVICE, "-e", ENVIRONMENT, "--reason", "the table was emptied"
        )
        assert code == 0, said
        code, said = typed(stage, "records", "verify", SERVICE, "-e", ENVIRONMENT)
        assert code == 0, said
        again = stage.records.get(SERVICE)
        assert (again.stable, again.desired) == (before.stable, before.desired)
        assert again.generation == before.generation + 1
        assert typed(stage, "automation", "-e", ENVIRONMENT, "on")[0] == 0
        promoted(stage, "1.2.0")


def test_the_table_is_restored_to_an_earlier_time_and_is_not_obeyed(stage: Stage) -> None:
    with nobody_is_failed(stage, SERVICE):
        stage.publish(SERVICE, "1.3.0")
        release = stage.start(SERVICE, "1.3.0")
        stage.comes_to(release, "shifted")
        then = items(stage)
        assert stage.ends(release)["status"] == "SUCCEEDED"
        at_rest(stage, "1.3.0")
        newest = stage.records.get(SERVICE)
        # The reconciler looks every minute: what it has seen of the newest record stands on the rule.
        stage.world.invoke(ENVIRONMENT, "reconcile-traffic", {})
        live = driver.rule_weights(stage.world, ENVIRONMENT, newest.rule)
        restore(stage, then)
        eventually(lambda: stage.records.get(SERVICE).quarantine)
        stage.publish(SERVICE, "1.4.0")
        assert stage.ends(stage.start(SERVICE, "1.4.0"))["error"] == "Quarantined"
        refused = stage.ends(stage.roll_back(SERVICE, "by-a-person"), "Rollback")
        assert refused["error"] == "Quarantined"
        assert "quarantine" in typed(stage, "status", SERVICE, "-e", ENVIRONMENT)[1]
        assert driver.rule_weights(stage.world, ENVIRONMENT, newest.rule) == live
        code, said = typed(
            stage, "records", "rebuild", SERVICE, "-e", ENVIRONMENT, "--reason", "restored an hour back"
        )
        assert code == 0, said
        assert stage.records.get(SERVICE).generation == newest.generation + 1
        promoted(stage, "1.5.0")
