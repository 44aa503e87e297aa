"""What is played to be counted: a canary of five steps and its watch, and a day on which nothing happens."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lab import ROOT
from lab.simulator.site import Site
from tests.benchmarks.cost.counted import POLLS, Meter, machine_of, metered
from tests.support.catalogs import FIXTURES
from tests.support.scenario import SimulatedStage
from tools.lint_template import Template, read

ENVIRONMENT = "production"
# Five weights, each judged but the last, which is baked.
STRATEGY = """
five-steps:
  kind: canary
  steps:
    - smoke: {within: 2m}
    - weight: 10
    - judge: {at_most: 30m}
    - approve: {within: 8h}
    - weight: 25
    - judge: {at_most: 30m}
    - weight: 50
    - judge: {at_most: 30m}
    - weight: 75
    - judge: {at_most: 30m}
    - weight: 100
    - bake: {at_most: 15m}
  rollback_window: 1h
"""
DAY, MONTH = 86400.0, 730 * 3600.0


class Canary(NamedTuple):
    """A release until it was promoted, and the watch until the previous slot was retired."""

    release: Meter
    watch: Meter


class Idle(NamedTuple):
    """What is billed a month: the counts of an idle one, by number of services."""

    services: int
    counts: dict[str, float]


@contextmanager
def _site(services: Sequence[str], *, clockwork: bool) -> Iterator[tuple[Site, Template]]:
    with tempfile.TemporaryDirectory() as folder:
        catalog = Path(folder) / "catalog"
        shutil.copytree(FIXTURES, catalog)
        strategies = catalog / "strategies.yaml"
        strategies.write_text(strategies.read_text() + STRATEGY)
        production = catalog / "environments" / f"{ENVIRONMENT}.yaml"
        text, changed = re.subn(r"(?m)^strategy: .*$", "strategy: five-steps", production.read_text())
        assert changed == 1
        production.write_text(text)
        with Site(ENVIRONMENT, catalog=catalog) as site:
            site.bring_up(services)
            if clockwork:
                site.start_clockwork()
            # The windows of the first versions close, and alarms are made.
            site.run(2 * 3600.0)
            yield site, read(ROOT / "template.yaml")


def play_canary(service: str = "backend-api") -> Canary:
    """A healthy version takes over in five steps, and its window closes; the clockwork's own calls are not counted."""
    with _site([service], clockwork=False) as (site, template):
        stage = SimulatedStage(site)
        stage.publish(service, "1.1.0")
        with metered(site, template, "release") as release:
            assert stage.approve_all(stage.start(service, "1.1.0"))["status"] == "SUCCEEDED"
        with metered(site, template, "watch") as watch:
            site.until(lambda: not _watching(site), "the end of the watch")
        return Canary(release, watch)


def _watching(site: Site) -> list[Any]:
    return [run for run in site.machines.executions if machine_of(run) == "watch" and run.status == "RUNNING"]


def play_idle(services: Sequence[str]) -> Idle:
    """A day on which nothing happens, times the days of a month; and what a month's rent is for what stands there."""
    with _site(services, clockwork=True) as (site, template):
        with metered(site, template) as meter:
            site.run(DAY)
        counts = {name: count * MONTH / DAY for name, count in meter.counts.items()}
        if template.shared.get("Tracing") == "Active":
            # Then each invocation by a schedule is a trace of its own.
            counts["traces"] = counts["invocations"]
        counts["queue_requests"] = POLLS * MONTH
        alarms = [*site.ground.alarms.existing("").values()]
        for alarm in alarms:
            if "AlarmRule" in alarm:
                counts["composite_alarms"] = counts.get("composite_alarms", 0) + 1
            else:
                counts["alarm_metrics"] = counts.get("alarm_metrics", 0) + metrics_of(alarm)
        for _, properties in template.of("AWS::CloudWatch::Alarm"):
            counts["alarm_metrics"] = counts.get("alarm_metrics", 0) + metrics_of(properties)
        counts["keys"] = len([*template.of("AWS::KMS::Key")])
        counts["secrets"] = len([*template.of("AWS::SecretsManager::Secret")])
        return Idle(len(services), counts)


def metrics_of(alarm: Any) -> int:
    """The metrics that an alarm reads; it is billed by them."""
    read = [each for each in alarm.get("Metrics", ()) if "MetricStat" in each]
    return len(read) or 1


def grown(few: Idle, many: Idle, services: int) -> dict[str, float]:
    """The counts for so many services, by what two sizes cost: a constant, and something for each service."""
    found = {}
    for name in many.counts:
        a, b = few.counts.get(name, 0.0), many.counts[name]
        each = (b - a) / (many.services - few.services)
        found[name] = b + each * (services - many.services)
    return found
