"""The demonstration: a good version is promoted, a bad one is rolled back, and every request is counted."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from candlefish.adapters.table.journal import DynamoJournalStore
from candlefish.adapters.table.records import DynamoRecords
from candlefish.errors import InvalidInput
from candlefish.release.model import Release, ReleaseEntry
from candlefish.service.model import SLOTS
from candlefish.service.record import ServiceRecord
from lab.choices import alone, approver, judged, requester
from lab.scenes import claims, driver, traffic_plot
from lab.scenes.bring_up import bring_up
from lab.scenes.claims import Claim
from lab.traffic.load import Load, Sample
from lab.world import World

GOOD, BAD = "1.1.0", "bad"
# With so many a judge has decided long before its time is over (30 minutes, at this scale 18 seconds).
REQUESTS_PER_SECOND = 500.0
TIME_SCALE = 100.0
# A request that was sent this shortly before a change may meet what came after it.
IN_FLIGHT = 0.2
OVER = ("promoted", "rolled_back", "refused")


class Ended(msgspec.Struct, frozen=True):
    """A release as it ended, with its timeline."""

    release: Release
    entries: list[ReleaseEntry]


# Draws a service's record, and a release with its timeline.
View = Callable[[ServiceRecord, Ended], RenderableType]


def run(
    directory: Path,
    console: Console,
    say: Callable[[str], None],
    view: View,
    picture: traffic_plot.Picture,
) -> list[Claim]:
    """Run the demonstration; the claims it makes, each with whether it is true.

    `say` tells how far it is, `view` draws a service and its release for a terminal, `picture` the traffic.
    """
    say("starting AWS, a cluster, a load balancer and the deployed template")
    with World(directory, time_scale=TIME_SCALE, say=say) as world:
        environment, service = judged(world.catalog).name, alone(world.catalog)
        asks, approves = requester(world.catalog), approver(world.catalog)
        bring_up(world, (environment,), (service,))
        stage = Stage(world, environment, service, console, view)
        say(f"{REQUESTS_PER_SECOND:.0f} requests a second to {stage.host}")
        stage.load.start()
        time.sleep(2)
        good = stage.release(GOOD, by=asks, reason="faster search", approver=approves)
        say(_outcome(good))
        bad = stage.release(BAD, by=asks, reason="a new cache that answers a fifth of the requests with 500")
        say(_outcome(bad))
        quiet_from = time.time()
        time.sleep(2)
        samples = stage.load.stop()
        found = stage.claims(good, bad, samples, quiet_from)
        report(directory / "report", picture, [good, bad], samples, found)
    say(f"report and picture are in {directory / 'report'}")
    return found


def _outcome(ended: Ended) -> str:
    # What watches a promoted version may have said something since.
    last = [entry for entry in ended.entries if entry.kind == ended.release.status][-1:] or ended.entries[-1:]
    return (
        f"[bold]{ended.release.version.short}[/] {ended.release.status.replace('_', ' ')}: {last[0].reason}"
    )


class Stage:
    """One service under load in a running lab."""

    def __init__(self, world: World, environment: str, service: str, console: Console, view: View) -> None:
        self.world, self.console, self.view = world, console, view
        self.environment, self.service = environment, service
        site = world.sites[self.environment]
        self.host = world.status()["environments"][self.environment]["hosts"][self.service]
        self.load = Load(site.port, [self.host], REQUESTS_PER_SECOND)
        dynamodb = world.clients(site.region)("dynamodb")
        table = site.stack.outputs["TableName"]
        self.records = DynamoRecords(dynamodb, table, self.environment)
        self.journal = DynamoJournalStore(dynamodb, table, self.environment)

    def release(self, version: str, *, by: str, reason: str, approver: str = "") -> Ended:
        """Release a version, show it live, answer its question as `approver`, wait until its machine ends."""
        name = driver.start_release(self.world, self.environment, self.service, version, by=by, reason=reason)
        answered = printed = 0
        with Live(console=self.console, refresh_per_second=4, transient=False) as live:
            while True:
                time.sleep(0.25)
                try:
                    ended = Ended(self.journal.read(name), self.journal.entries(name))
                except InvalidInput:
                    continue
                if self.console.is_terminal:
                    live.update(self._view(ended))
                else:
                    for entry in ended.entries[printed:]:
                        self.console.print(f"       {entry.kind:20} {entry.reason}", soft_wrap=True)
                    printed = len(ended.entries)
                asked = sum(entry.kind == "approval_requested" for entry in ended.entries)
                if approver and asked > answered:
                    answered = asked
                    status, body = driver.answer(
                        self.world,
                        self.environment,
                        name,
                        "approved",
                        person=approver,
                        reason="the canary looks good",
                    )
                    if status != 200:
                        raise RuntimeError(f"the approval was refused: {body}")
                over = ended.release.status in OVER
                if over and driver.execution(self.world, self.environment, name)["status"] != "RUNNING":
                    return ended

    def _view(self, ended: Ended) -> RenderableType:
        return Group(
            self.view(self.records.get(self.service), ended),
            traffic_view(self.load.samples[-int(3 * REQUESTS_PER_SECOND) :]),
        )

    def claims(self, good: Ended, bad: Ended, samples: list[Sample], quiet_from: float) -> list[Claim]:
        """Everything the demonstration says of itself, checked."""
        record = self.records.get(self.service)
        rule = driver.rule_weights(self.world, self.environment, record.rule)
        found = [
            Claim("the good version was promoted", good.release.status == "promoted", _kinds(good)),
            Claim(
                "a person other than the requester approved it",
                any(e.kind == "approved" and e.by == approver(self.world.catalog) for e in good.entries),
                f"asked for by {requester(self.world.catalog)}, approved by {approver(self.world.catalog)}",
            ),
            Claim("the bad version was rolled back on its own", _rolled_back_by_itself(bad), _reason(bad)),
            claims.everything_is_accounted_for(self.load.sent, samples),
            claims.only_the_bad_version_failed(samples, BAD),
            claims.rule_equals_record(rule, record.weights_by_target_group()),
            claims.served_by_one_version(samples, GOOD, quiet_from),
            _lets_go(record),
        ]
        return found + [claim for ended in (good, bad) for claim in self._shares(ended, samples)]

    def _shares(self, ended: Ended, samples: list[Sample]) -> Iterator[Claim]:
        """While a weight below 100% was in effect, for more than a second, the version had that share."""
        slots = self.records.get(self.service).slots
        for entry in ended.entries:
            if entry.kind != "shifted" or entry.evidence["weights"][ended.release.slot] == 100:
                continue
            weights = entry.evidence["weights"]
            targets = {slots[slot].target_group: weights[slot] for slot in SLOTS}
            began, over = self.world.traffic.standing(targets, entry.at)
            # One that never was in effect (inf) is no exception: its claim is untrue.
            if over - began <= 1 + IN_FLIGHT:
                continue
            version, weight = ended.release.version.short, weights[ended.release.slot]
            yield claims.share_follows_weight(samples, version, weight, (began, over - IN_FLIGHT))


def _kinds(ended: Ended) -> str:
    return " > ".join(
        f"{e.evidence['weights'][ended.release.slot]}%" for e in ended.entries if e.kind == "shifted"
    )


def _reason(ended: Ended) -> str:
    return next((e.reason for e in ended.entries if e.kind == "rolling_back"), "it was not")


def _rolled_back_by_itself(ended: Ended) -> bool:
    return ended.release.status == "rolled_back" and any(
        e.kind == "rolling_back" and e.by == "release" for e in ended.entries
    )


def _lets_go(record: ServiceRecord) -> Claim:
    leftovers = [slot for slot in SLOTS if record.slots[slot].running and slot != record.stable]
    return Claim(
        "nobody holds the service and nothing was left behind",
        record.holder is None and record.rollback is None and not leftovers,
        f"stable slot {record.stable}, generation {record.generation}",
    )


def traffic_view(samples: list[Sample]) -> RenderableType:
    """Who served the last seconds, as bars."""
    table = Table(box=None, pad_edge=False, show_header=False)
    counts = Counter(s.version or "(no service)" for s in samples)
    failed = Counter(s.version or "(no service)" for s in samples if s.failed)
    for version, count in sorted(counts.items()):
        share = count / len(samples)
        style = "red" if failed[version] else "green"
        bar = Text("▮" * max(1, round(40 * share)), style=style)
        errors = f"{failed[version] / count:.0%} failed" if failed[version] else ""
        table.add_row(f"served by {version}", f"{share:5.0%}", bar, errors)
    return table


def report(
    folder: Path,
    picture: traffic_plot.Picture,
    releases: list[Ended],
    samples: list[Sample],
    found: list[Claim],
) -> None:
    """Leave what was seen: a JSON file with everything, and a picture of the traffic by version."""
    folder.mkdir(parents=True, exist_ok=True)
    body: dict[str, Any] = {
        "claims": [msgspec.to_builtins(claim) for claim in found],
        "releases": [msgspec.to_builtins(ended) for ended in releases],
        "requests": dict(Counter(f"{s.version or '-'} {s.status}" for s in samples)),
    }
    (folder / "report.json").write_text(json.dumps(body, indent=2) + "\n")
    moments = [(e.at, words) for ended in releases for e in ended.entries if (words := _moment(ended, e))]
    picture.traffic(folder / "traffic.png", samples, moments)


def _moment(ended: Ended, entry: ReleaseEntry) -> str:
    """An entry of a timeline in the few words that a picture has room for; empty for what it does not show."""
    version = ended.release.version.short
    match entry.kind:
        case "shifted":
            return f"{entry.evidence['weights'][ended.release.slot]}% to {version}"
        case "approved":
            return f"approved by {entry.by}"
        case "promoted":
            return f"{version} promoted"
        case "rolling_back":
            return f"{version} rolled back"
    return ""


def table_of(found: list[Claim]) -> Table:
    """The claims as a table."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for claim in found:
        mark = Text("yes", style="bold green") if claim.holds else Text("NO", style="bold red")
        table.add_row(mark, claim.text, Text(claim.numbers, style="dim"))
    return table
