"""Plays a day: what its plan says happens, people answer, everything is looked at, and in the end it must be quiet."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from lab import CATALOG
from lab.simulator.invariants import Broken, Invariants
from lab.simulator.machines import Coverage, Execution
from lab.simulator.plan import (
    AlertFired,
    BugWoke,
    ConfigurationAsked,
    Day,
    DriftMade,
    DrillAsked,
    ExecutionStopped,
    FailoverAsked,
    Happening,
    HoursAsked,
    OutageCame,
    PodsLost,
    PostTurned,
    ReleaseAsked,
    RollbackAsked,
    SteeringAsked,
    TrainAsked,
    WeatherTurned,
)
from lab.simulator.site import FIRST_VERSION, Site
from lab.simulator.timeline import Timeline

HOUR = 3600.0
# How long everything may take to come to rest, once nobody asks for anything and the weather is fair.
SETTLED_WITHIN = 30 * HOUR


class Outcome(msgspec.Struct, frozen=True):
    """How a day went. `hours` were simulated, in `events` steps."""

    day: Day
    broken: tuple[Broken, ...]
    timeline: Timeline
    covered: Coverage
    met: Mapping[str, int]
    hours: float
    events: int

    @property
    def failed(self) -> bool:
        return bool(self.broken)


def play(day: Day, catalog: Path | None = None) -> Outcome:
    """Play a day from its beginning until everything is at rest, with a catalog of its own or the usual one."""
    folder = catalog or CATALOG
    with Site(
        day.environment, seed=day.seed, start=day.start, catalog=folder, kinds=True, migrated=day.migrated
    ) as site:
        return _Play(day, site).outcome()


class _Play:
    def __init__(self, day: Day, site: Site) -> None:
        self.day, self.site = day, site
        self.timeline = Timeline(site.kernel.now)
        self._people: random.Random = site.kernel.chance("people")
        self._versions: dict[str, list[str]] = {}
        self._drills = self._configured = 0
        # What waits for the next call of a function.
        self._waiting: list[Happening] = []
        site.lambdas.before.append(self._called)

    def outcome(self) -> Outcome:
        site, say = self.site, self.timeline.say
        say("day", f"{self.day.environment}, seed {self.day.seed}, {', '.join(self.day.services)}")
        broken: list[Broken] = []
        try:
            broken = self._lived()
        except Exception as error:  # noqa: BLE001 - a day that cannot be played is a finding like any other
            broken.append(Broken("crash", f"{type(error).__name__}: {error}"))
        for each in broken:
            say("BROKEN", each.what, why=each.why)
        say("day", "is over", events=site.kernel.events, faults=dict(sorted(site.forecast.met.items())))
        return Outcome(
            self.day,
            tuple(broken),
            self.timeline,
            site.machines.covered,
            site.forecast.met,
            (site.kernel.now() - self.day.start) / HOUR,
            site.kernel.events,
        )

    def _lived(self) -> list[Broken]:
        """From the first versions until everything is at rest; what broke."""
        site = self.site
        site.bring_up(self.day.services)
        self._versions = {service: [FIRST_VERSION] for service in self.day.services}
        began = site.kernel.now()
        site.delivery.watchers.append(self._event)
        invariants = Invariants(site)
        site.start_clockwork()
        for each in self.day.happenings:
            site.kernel.at(began + each.at, partial(self._due, each), type(each).__name__)
        site.kernel.run(began + self.day.hours * HOUR)
        invariants.at_the_end(self._settle(invariants))
        return invariants.broken

    def _settle(self, invariants: Invariants) -> str:
        """Let everything come to rest; what still was under way when time was up."""
        self._waiting.clear()
        self.site.forecast.clear()
        self.timeline.say("day", "nobody asks for anything any more, the weather is fair")
        limit = self.site.kernel.now() + SETTLED_WITHIN
        while (left := invariants.quiet()) and self.site.kernel.now() < limit:
            self.site.run(300.0)
        return left

    # --- what is told ---------------------------------------------------------------------------

    def _event(self, source: str, kind: str, detail: Any) -> None:
        if source == "aws.states":
            if detail["status"] == "RUNNING":
                self.timeline.say("started", detail["name"])
                return
            self.timeline.say("ended", f"{detail['name']} {detail['status']}", error=detail["error"])
            return
        if source == "aws.cloudwatch":
            self.timeline.say("alarm", f"{detail['alarmName']} {detail['state']['value']}")
            return
        subject = detail.get("release") or detail.get("about") or detail.get("service") or ""
        self.timeline.say("event", kind, of=subject, why=str(detail.get("reason", ""))[:160])
        if kind == "release.approval_requested":
            self._ask(detail["release"], detail["requested_by"], detail["evidence"]["question"])

    # --- people -----------------------------------------------------------------------------------

    def _ask(self, release: str, requester: str, question: str) -> None:
        """Somebody is asked: answers soon or late, both ways, may not, or never does."""
        draw = self._people.random()
        others = [each for each in self.site.approvers if each != requester]
        after = self._people.expovariate(1 / 600)
        if draw < 0.03 or not others:
            return
        if draw < 0.11:
            self._answers(after / 2, release, question, "approved", requester)
        if draw < 0.16:
            self._answers(after, release, question, "denied", others[-1])
        if 0.11 <= draw < 0.16 and len(others) > 1:
            self._answers(after, release, question, "approved", others[0])
        if not 0.11 <= draw < 0.26:
            self._answers(after, release, question, "approved", others[0])
        elif draw >= 0.16:
            self._answers(after, release, question, "denied", others[0])

    def _answers(self, after: float, release: str, question: str, decision: str, person: str) -> None:
        def answer() -> None:
            status, _ = self.site.answer(release, decision, person, question)
            self.timeline.say("person", f"{person} says {decision} to {release}", status=status)

        self.site.kernel.later(after, partial(self._person, answer), "a person answers")

    def _person(self, act: Callable[[], object]) -> None:
        """People's calls take time as well; one that fails is not tried again."""

        def attempt() -> None:
            try:
                act()
            except Exception as error:  # noqa: BLE001 - a person sees it and goes on with life
                self.timeline.say("person", "was refused", why=str(error)[:160])

        self.site.kernel.spawn(attempt, "person")

    # --- what happens -------------------------------------------------------------------------------

    def _called(self, function: str) -> None:
        for each in [each for each in self._waiting if each.on == function]:
            self._waiting.remove(each)
            self.site.kernel.later(each.after, partial(self._happen, each), type(each).__name__)

    def _due(self, each: Happening) -> None:
        if each.on:
            self._waiting.append(each)
        else:
            self._happen(each)

    def _happen(self, each: Happening) -> None:
        self.timeline.say("happens", type(each).__name__, **_facts(each))
        happen = _HAPPENS[type(each)]
        happen(self, each)

    def _new_version(self, service: str, behaviour: str) -> str:
        version = f"1.{len(self._versions[service])}.0-{behaviour}"
        self._versions[service].append(version)
        self.site.publish(service, version, behaviour)
        return version

    def _release(self, each: ReleaseAsked) -> None:
        version = (
            self._versions[each.service][-1]
            if each.again
            else self._new_version(each.service, each.behaviour)
        )
        more = {"break_glass": each.break_glass} if each.break_glass else {}
        self._person(partial(self.site.release, each.service, version, by=each.by, **more))

    def _configure(self, each: ConfigurationAsked) -> None:
        self._configured += 1
        self.site.configure(each.service, str(self._configured))
        self._person(partial(self.site.release_configuration, each.service, by=each.by))

    def _train(self, each: TrainAsked) -> None:
        versions = {service: self._new_version(service, how) for service, how in each.cars.items()}
        self._person(partial(self.site.train, versions, by=each.by))

    def _roll_back(self, each: RollbackAsked) -> None:
        self._person(partial(self.site.roll_back, each.service, by=each.by))

    def _steer(self, each: SteeringAsked) -> None:
        if each.action == "freeze":
            body = {
                "service": each.service,
                "until": f"{round(max(each.lasts, 60.0))}s",
                "reason": "a day's plan",
            }
            self._person(partial(self.site.post, "freeze", body, each.by))
            return
        holder = self.site.record(each.service).holder
        if holder is None:
            return
        if each.action == "abort":
            request = {"release": holder.release, "disposition": "rejected", "only_running": True}
            self._person(partial(self.site.roll_back, each.service, by=each.by, **request))
            return
        self._person(partial(self._say, each.action, holder.release, each.by))
        if each.action == "pause" and each.lasts:
            resume = partial(self._person, partial(self._say, "resume", holder.release, each.by))
            self.site.kernel.later(each.lasts, resume, "a person resumes")

    def _say(self, action: str, release: str, by: str) -> None:
        body = {"action": action, "release": release, "reason": "a day's plan"}
        status, said = self.site.post("steer_release", body, by)
        self.timeline.say("person", f"{by} says {action} to {release}", status=status, said=str(said)[:160])

    def _stop(self, each: ExecutionStopped) -> None:
        def of(run: Execution) -> bool:
            machine = run.machine.name.rpartition("-")[2]
            return machine == each.machine and run.input.get("service") == each.service

        running = [run for run in self.site.machines.executions if run.status == "RUNNING" and of(run)]
        if running:
            self.site.machines.stop(running[-1].arn, "Stopped", "somebody stopped it in the console")

    def _alert(self, each: AlertFired) -> None:
        began = self.site.kernel.now()
        for repeat in range(each.repeats):
            self.site.kernel.later(
                repeat * 20.0, partial(self._deliver, each, began, 0.0), "Alertmanager delivers"
            )
        over = began + max(each.lasts, each.repeats * 20.0)
        self.site.kernel.at(over, partial(self._deliver, each, began, over), "Alertmanager delivers")

    def _deliver(self, each: AlertFired, began: float, ended: float) -> None:
        alert = {
            "status": "resolved" if ended else "firing",
            "labels": {
                "alertname": each.name,
                each.about[0]: each.about[1],
                "environment": self.day.environment,
                "severity": "critical",
            },
            "annotations": {"summary": f"{each.name} on {each.about[1]}"},
            "startsAt": _iso(began),
            "endsAt": _iso(ended) if ended else "0001-01-01T00:00:00Z",
            "fingerprint": f"{each.name}-{each.about[1]}",
        }
        self._person(partial(self.site.alertmanager, [alert]))

    def _pods(self, each: PodsLost) -> None:
        self.site.lose_pods(each.service, each.pods)

    def _drift(self, each: DriftMade) -> None:
        self.site.meddle(each.service, each.thing)

    def _bug(self, each: BugWoke) -> None:
        self.site.wake_bug(each.service, each.errors, each.lasts)

    def _outage(self, each: OutageCame) -> None:
        self.site.break_shared(each.service, each.errors, each.lasts)

    def _weather(self, each: WeatherTurned | PostTurned) -> None:
        self.site.forecast.turn(each)

    def _hours(self, each: HoursAsked) -> None:
        action = {"cancel": "clear"}.get(each.command, each.command)
        until = f"{round(each.hours * 60)}m"
        body = {"action": action, "reason": "a day's plan", "until": "" if action == "clear" else until}
        self._person(partial(self.site.post, "command_capacity", body, each.by))

    def _drill(self, each: DrillAsked) -> None:
        self._drills += 1
        self.site.start("drill", f"drill-{self._drills}", {"requested_by": each.by})

    def _failover(self, each: FailoverAsked) -> None:
        body = {"do": "start", "target": each.target, "reason": "a day's plan"}
        self._person(partial(self.site.post, "request_failover", body, each.by))


def _facts(each: Happening) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(each).items() if name != "at" and value}


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_HAPPENS: Mapping[type[Happening], Callable[[_Play, Any], None]] = {
    ReleaseAsked: _Play._release,
    ConfigurationAsked: _Play._configure,
    TrainAsked: _Play._train,
    RollbackAsked: _Play._roll_back,
    SteeringAsked: _Play._steer,
    ExecutionStopped: _Play._stop,
    AlertFired: _Play._alert,
    PodsLost: _Play._pods,
    DriftMade: _Play._drift,
    BugWoke: _Play._bug,
    OutageCame: _Play._outage,
    WeatherTurned: _Play._weather,
    PostTurned: _Play._weather,
    HoursAsked: _Play._hours,
    FailoverAsked: _Play._failover,
    DrillAsked: _Play._drill,
}
