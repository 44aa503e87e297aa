"""One environment in virtual time: the deployed stack, the world it acts on, and what people do with both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import fields
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import msgspec

from candlefish.release.manifests.model import runner_name
from candlefish.release.model import Image, ReleaseEntry, Scan, SigningWorkflow
from candlefish.service.model import SLOTS, Slot, is_balanced
from candlefish.service.record import ServiceRecord
from candlefish.signals.model import BearerToken
from candlefish.signals.notification import Notification
from lab import CATALOG
from lab.choices import builder, requester
from lab.memory.cost import each_day
from lab.memory.stack import stores
from lab.simulator import deployment
from lab.simulator.boundary import Boundary
from lab.simulator.delivery import Delivery, Messages
from lab.simulator.functions import Lambdas
from lab.simulator.ground import Ground
from lab.simulator.jobs import TICK
from lab.simulator.kernel import Kernel
from lab.simulator.machines import Execution, Machines
from lab.simulator.machines.executions import MachineExecutions
from lab.simulator.template import ACCOUNT
from lab.simulator.traffic import Rate, daily
from lab.simulator.versions import Behaviour
from lab.simulator.weather import Forecast
from lab.traffic.behaviour import digest_of
from lab.traffic.registry import BUILDER

# A Tuesday in working hours, when nothing is frozen.
START = 1_790_000_000.0
FIRST_VERSION = "1.0.0"
# Requests a second that leave the judge no doubt.
BUSY = daily(40.0, 4.0)
# How often a day's workers are handed work, in seconds: days are long, and judged by the minute.
SELDOM = 30.0
TOKEN = "an-alertmanager-that-may-speak"
# Nothing that a test waits for takes longer than this, in seconds.
PATIENCE = 5 * 86400.0


class NotReached(AssertionError):
    """What was waited for did not happen."""


class Site:
    """An environment and its control plane. Use it in a `with`; one at a time.

    Parameters
    ----------
    environment
        Its name in the catalog.
    seed
        Of all chance.
    start
        When it begins, epoch seconds.
    catalog
        The folder of the catalog.
    rate
        Requests a second to each service, at a time.
    services
        So many, all alike, instead of the catalog's; 0 for those.
    kinds
        Whether there are services of every kind, whatever the catalog has.
    migrated
        The service whose releases run a migration first; empty for none.
    """

    def __init__(
        self,
        environment: str,
        *,
        seed: int = 0,
        start: float = START,
        catalog: Path = CATALOG,
        rate: Rate = BUSY,
        services: int = 0,
        kinds: bool = False,
        migrated: str = "",
    ) -> None:
        self.environment, self.rate, self.migrated = environment, rate, migrated
        self._every = SELDOM if kinds else TICK
        self.kernel = Kernel(seed, start)
        self.catalog, self.stack, self._code = deployment.deployed(
            environment, catalog, services, kinds=kinds, migrated=migrated
        )
        self.declared = self.catalog.environments[environment]
        # Who answers, and who asks where nobody is named.
        self.approvers = [each.name for each in self.catalog.people.values() if each.approver]
        self.requester = requester(self.catalog)
        self.forecast = Forecast(self.kernel)
        self._log = deployment.Log()
        self._deployed = ExitStack()
        self._names = 0
        self.lambdas = Lambdas(self.kernel, self.stack, self._code, self._lost)
        self.machines = Machines(
            self.kernel, self.lambdas.call, self._announced, account=ACCOUNT, region=self.stack.region
        )
        for machine in self.stack.machines.values():
            self.machines.define(machine.arn.rpartition(":")[2], deployment.definition_of(machine))
        self.queue = Messages(self.kernel, self.stack.queue, self.forecast, self.lambdas, self._lost)
        self.delivery = Delivery(
            self.kernel, self.stack, self.forecast, self.lambdas, self.queue, self.machines.start
        )
        self.ground = Ground(
            self.kernel,
            self.declared,
            deployment.listeners_for(services),
            self._announced,
            self.boundary.give_way,
        )
        self.stores = stores(environment, self.kernel.now, region=self.stack.region)
        self.stores.tokens.stored = (BearerToken(TOKEN),)
        # Half of a month's target, a plausible bill, or any where there is no target.
        target = self.declared.cost
        self.stores.source.shown = each_day(
            {environment: (target.low + target.high) / 2 / 30 if target else 20.0}
        )
        kept = {each.name: getattr(self.stores, each.name) for each in fields(self.stores)}
        for store in kept.values():
            if hasattr(store, "between"):
                store.between = self.boundary.give_way
        self.ports: dict[str, Any] = kept | {
            "journal": kept["journal_store"],
            "channel": kept["channels"]["sns"],
        }
        self.ports |= self.ground.ports()
        self.ports |= {
            "executions": MachineExecutions(
                self.machines, {each.name: each.arn for each in self.stack.machines.values()}
            ),
            "bus": self.delivery,
            "queue": self.queue,
        }
        self._code.boundary.bind(self.kernel, self.ports, self.forecast)
        # Services of which something broke that was no release's doing.
        self.broke: set[str] = set()
        # Deployments that somebody scaled to 0, and nobody has noticed yet.
        self.by_hand: set[str] = set()

    def __enter__(self) -> Site:
        self._deployed.enter_context(deployment.as_deployed(self.environment, self._log))
        self._deployed.enter_context(self._code.wired())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deployed.__exit__(kind, error, trace)

    # --- how it moves -------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.kernel.run(self.kernel.now() + seconds)

    def until(self, done: Callable[[], Any], what: str = "", within: float = PATIENCE) -> Any:
        """Let time pass until something is so; what `done` then says.

        Raises
        ------
        NotReached
            It is not after `within` seconds, or nothing is due any more.
        """
        limit = self.kernel.now() + within
        while not (found := done()):
            due = self.kernel.next_at()
            if due is None or due > limit:
                raise NotReached(f"{what or 'what was waited for'} did not happen within {within:.0f} s")
            self.kernel.step()
        return found

    def _announced(self, event: Mapping[str, Any]) -> None:
        self.delivery.put(event["source"], event["detail-type"], event["detail"])

    def _lost(self, source: str, body: Any) -> None:
        self.delivery.lose(source, body)

    @property
    def boundary(self) -> Boundary:
        """Where the functions meet the ports."""
        return self._code.boundary

    def bring_up(self, services: Iterable[str]) -> None:
        """Onboard services and release their first versions, as people do it.

        Raises
        ------
        NotReached
            One was not promoted.
        """
        for service in services:
            self.call("onboard", {"service": service})
            self.publish(service, FIRST_VERSION)
            if self.record(service).balanced:
                self.ground.traffic.add(self.record(service).rule, self.rate)
            else:
                self.ground.jobs.add(service, self._every)
        # Whatever day it is: also while the environment is frozen.
        why = {"by": self.approvers[0], "break_glass": "its first version"}
        releases = [self.release(service, FIRST_VERSION, **why) for service in services]
        for release in releases:
            ended = self.ended(release)
            if ended.status != "SUCCEEDED":
                raise NotReached(f"{release} could not be brought up: {ended.error}: {ended.cause}")

    def start_clockwork(self) -> None:
        """Let schedules fire from now on."""
        self.delivery.start_schedules()

    # --- what people do -----------------------------------------------------------------------

    def call(self, function: str, event: Any) -> Any:
        """Call a function by its folder's name and wait for its answer.

        Raises
        ------
        FunctionError
            It failed.
        """
        return self.lambdas.call(self._arn(function), event)

    def post(self, function: str, body: Any, person: str) -> tuple[int, Any]:
        """POST JSON to a function's URL, signed by a person; status and answer."""
        event = {
            "requestContext": {
                "http": {"method": "POST"},
                "authorizer": {"iam": {"userArn": f"arn:aws:iam::{self.declared.account}:user/{person}"}},
            },
            "headers": {"content-type": "application/json"},
            "body": json.dumps(body),
        }
        answer = self.call(function, event)
        return answer["statusCode"], json.loads(answer["body"] or "null")

    def ask(self, machine: str, name: str, request: Any, person: str) -> str:
        """Have a machine started by the endpoint that knows its caller; the execution's name.

        Raises
        ------
        NotReached
            The endpoint refused.
        """
        status, said = self.post(
            "request_release", {"start": machine, "name": name, "input": request}, person
        )
        if status != 200:
            raise NotReached(f"{person} could not start {machine} {name}: {said}")
        return name

    def start(self, machine: str, name: str, value: Any) -> str:
        """Start a machine by its short name, past the endpoint; the execution's name."""
        self.machines.start(self.stack.machines[machine].arn, name, value)
        return name

    def release(self, service: str, version: str, *, by: str = "", **more: Any) -> str:
        """Start a release of a version that was published; its id."""
        self._names += 1
        name = more.pop("name", "") or f"{service}-{version}-{self._names}".replace(".", "-")
        request = {
            "service": service,
            "image": self.image(service, version),
            "reason": "scenario",
            "environment": self.environment,
            "label": version,
            **more,
        }
        return self.ask("release", name, request, by or self.requester)

    def release_configuration(self, service: str, *, by: str = "") -> str:
        """Start a release of what is live with the configuration that the stack carries; its id.

        Raises
        ------
        NotReached
            Nothing is live.
        """
        live = self.record(service).stable_version
        if live is None:
            raise NotReached(f"nothing of {service} is live, so there is nothing to configure")
        self._names += 1
        request = {
            "service": service,
            "image": live.image,
            "label": live.label,
            "reason": "another configuration",
            "environment": self.environment,
        }
        return self.ask("release", f"{service}-configured-{self._names}", request, by or self.requester)

    def train(self, versions: Mapping[str, str], by: str = "") -> str:
        """Start a train; its name."""
        self._names += 1
        cars = [
            {"service": service, "image": self.image(service, version), "label": version}
            for service, version in versions.items()
        ]
        request = {"releases": cars, "reason": "a protocol that all speak"}
        return self.ask("train", f"train-{self._names}", request, by or self.requester)

    def roll_back(self, service: str, *, by: str = "", **more: Any) -> str:
        """Start a rollback by hand; the execution's name."""
        self._names += 1
        name = more.pop("id", "") or f"{service}-by-hand-{self._names}"
        request = {"service": service, "reason": "a person asks for it", **more}
        return self.ask("rollback", name, request, by or self.approvers[0])

    def answer(
        self, release: str, decision: str, person: str, question: str | None = None
    ) -> tuple[int, Any]:
        """Answer a release's question, the open one where none is named; status and answer."""
        asked = self.ports["approvals"].stored.get(release)
        shown = question if question is not None else asked.question if asked else ""
        body = {"release": release, "question": shown, "answer": decision, "reason": "scenario"}
        return self.post("decide_approval", body, person)

    def publish(self, service: str, version: str, behaviour: str | Behaviour = "good") -> str:
        """Put a version into the registry, with what it does; its image."""
        self.ground.versions.register(service, version, behaviour)
        image = self.image(service, version)
        signer = SigningWorkflow(*(builder(self.catalog) or BUILDER))
        known = Image(
            platforms=("linux/amd64", "linux/arm64"),
            provenance=(signer,),
            scans=(Scan(at=self.kernel.now(), signer=signer),),
        )
        self.stores.registry.push(image, known)
        return image

    def alertmanager(self, alerts: Sequence[Mapping[str, Any]], **more: Any) -> int:
        """Deliver alerts as Alertmanager does, to the webhook with its token; the status."""
        body = {"version": "4", "groupKey": "{}", "status": "firing", "alerts": list(alerts), **more}
        event = {
            "requestContext": {"http": {"method": "POST"}},
            "headers": {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"},
            "body": json.dumps(body),
        }
        status: int = self.call("receive_alerts", event)["statusCode"]
        return status

    def configure(self, service: str, note: str) -> None:
        """The stack is updated with another configuration of a service: a variable more. Back when the site ends."""
        known = self.catalog.services[service]
        # The functions have the catalog in their hands, and the next site in this process gets it as it was.
        self._deployed.callback(self.catalog.services.__setitem__, service, known)
        self.catalog.services[service] = msgspec.structs.replace(known, env={**known.env, "DAY": note})

    def image(self, service: str, version: str) -> str:
        """A version's image, by digest."""
        return f"{self.catalog.services[service].image}@{digest_of(service, version)}"

    # --- what is so ---------------------------------------------------------------------------

    def execution(self, name: str, machine: str = "release") -> Execution | None:
        """A machine's execution of that name."""
        return self.machines.find(self.stack.machines[machine].arn, name)

    def ended(self, name: str, machine: str = "release") -> Execution:
        """Wait until an execution has ended; how it did."""

        def over() -> Execution | None:
            run = self.execution(name, machine)
            return run if run is not None and run.status != "RUNNING" else None

        found: Execution = self.until(over, f"the end of {machine} {name}")
        return found

    def approved(self, release: str, person: str = "") -> Execution:
        """Say yes to every question of a release until it has ended; how it did."""
        person = person or self.approvers[0]

        def asked_or_over() -> Execution | None:
            run = self.execution(release)
            asked = self.ports["approvals"].stored.get(release)
            waits = asked is not None and asked.status == "pending"
            return run if run is not None and (waits or run.status != "RUNNING") else None

        while True:
            run: Execution = self.until(asked_or_over, f"a question or the end of {release}")
            if run.status != "RUNNING":
                return run
            status, said = self.answer(release, "approved", person)
            if status != 200:
                raise NotReached(f"{person} could not approve {release}: {said}")

    def record(self, service: str) -> ServiceRecord:
        """A service's record."""
        found: ServiceRecord = self.ports["records"].get(service)
        return found

    def entries(self, release: str) -> list[ReleaseEntry]:
        """A release's timeline."""
        found: list[ReleaseEntry] = self.ports["journal"].entries(release)
        return found

    def kinds(self, release: str) -> list[str]:
        """The kinds of a release's entries."""
        return [entry.kind for entry in self.entries(release)]

    def weights(self, rule: str) -> dict[str, int]:
        """A rule's weights by target group, as they are configured."""
        found: dict[str, int] = self.ports["rules"].read(rule)
        return found

    @property
    def bugs(self) -> list[str]:
        """What the functions logged as bugs of their own."""
        return self._log.bugs

    @property
    def told(self) -> list[Notification]:
        """What people were told, oldest first."""
        found: list[Notification] = self.ports["channel"].got
        return found

    @property
    def asleep(self) -> bool:
        """Whether the environment is anything but awake."""
        return self.stores.store.record.phase != "awake"

    def applied(self, rule: str) -> dict[str, int]:
        """The largest weight by target group that any node of the load balancer has."""
        if not is_balanced(rule):
            return self.weights(rule)
        found: dict[str, int] = {}
        for weights in self.ground.balancer.applied(rule):
            for group, weight in weights.items():
                found[group] = max(weight, found.get(group, 0))
        return found

    def healthy(self, record: ServiceRecord, slot: Slot) -> int:
        """How many healthy targets a slot has."""
        found: int = self.ports["rules"].health(record.slots[slot].target_group).healthy
        return found

    def replicas(self, name: str) -> int:
        """How many Pods a Deployment asks for."""
        return self.ground.replicas(name)

    def lose_pods(self, service: str, count: int) -> None:
        """Some Pods of the stable slot are gone at once."""
        record = self.record(service)
        if record.stable:
            self.ground.lose_pods(runner_name(record, record.stable), count)

    def meddle(self, service: str, thing: Literal["autoscaler", "replicas", "image"]) -> None:
        """Somebody with kubectl changes what the stable slot runs."""
        record = self.record(service)
        if record.stable is None:
            return
        name = runner_name(record, record.stable)
        match thing:
            case "autoscaler":
                self.ground.delete_autoscaler(name)
            case "replicas":
                self.by_hand.add(name)
                self.ground.scale(name, 0)
            case "image":
                self.ground.set_image(name, self.image(service, FIRST_VERSION))

    def differs(self, record: ServiceRecord) -> str:
        """What a service runs that its record does not say; empty when it runs as recorded, or rests on purpose."""
        if self.asleep or record.stable is None:
            return ""
        for slot in SLOTS:
            name, each = runner_name(record, slot), record.slots[slot]
            running = self.ground.running(name)
            if slot != record.stable:
                if running and running.replicas and not each.running:
                    return f"{name} has {running.replicas} Pods, its record says none"
                continue
            assert each.version
            if running is None or running.image != each.version.image:
                return f"{name} does not run {each.version.short}"
            if not running.replicas or not (running.autoscaled or record.stateful):
                return f"{name} asks for {running.replicas} Pods, autoscaled: {running.autoscaled}"
        return ""

    def wake_bug(self, service: str, errors: float, lasts: float) -> None:
        """The version that serves begins to fail, for a while."""
        self.broke.add(service)
        if (back := self.turn(service, error_rate=errors)) is not None:
            self.kernel.later(lasts, back, "the bug sleeps")

    def break_shared(self, service: str, errors: float, lasts: float) -> None:
        """What all versions of a service share is broken for a while: so many of all its requests fail.

        Of what no load balancer hands out, nothing is shared here.
        """
        rule = self.record(service).rule
        if not is_balanced(rule):
            return
        self.broke.add(service)
        self.ground.traffic.break_shared(rule, errors)
        self.kernel.later(lasts, partial(self.ground.traffic.break_shared, rule, 0.0), "the outage is over")

    def turn(self, service: str, **behaviour: Any) -> Callable[[], None] | None:
        """The version that serves behaves otherwise from now on; what turns it back. None without one."""
        version = self.record(service).stable_version
        if version is None:
            return None
        known = self.ground.versions.of_image(version.image)
        assert known is not None
        self.ground.pods.behave(version.image, msgspec.structs.replace(known, **behaviour))
        return partial(self.ground.pods.behave, version.image, known)

    def _arn(self, function: str) -> str:
        return next(each.arn for each in self.stack.functions.values() if each.name == function)
