"""The real functions, as `functions/` wires them, on ports whose every call is a question to the exploration.

What a function did so far is the list of answers that it got. It is run again from the start with these, and
says what it asks next: so that a function can be gone on with from any moment in as many ways as there are answers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal, NamedTuple

import msgspec

from candlefish.adapters.kubernetes.cluster import KubernetesCluster
from candlefish.adapters.kubernetes.shares import ShareOfPods
from candlefish.analysis.judge_windows import Asking, judge_windows
from candlefish.analysis.model import Arm, MetricTarget, Window
from candlefish.catalog.model import Approve, Catalog, Duration, Job, Strategy, StrategyStep, Watch
from candlefish.catalog.read import effective
from candlefish.errors import ControlPlaneError, Retryable
from candlefish.measures import Uncounted
from candlefish.release.model import Judgement, PlannedJob
from candlefish.release.plan import plan_release
from candlefish.traffic.movers import Movers
from lab import ROOT
from lab.memory.requesters import MemoryRequesters
from lab.memory.signals import MemoryGuards, MemorySignalLog
from lab.simulator import wiring
from lab.simulator.boundary import Fair
from lab.simulator.deployment import Log, as_deployed
from lab.simulator.functions import Code, Context
from lab.simulator.template import Function, Machine, Stack
from tests.exploration import ports
from tests.exploration.jobs import MIGRATE, WARM, WITHIN
from tests.exploration.machines import UNANSWERED
from tests.exploration.subject import ENVIRONMENT, EXPERIMENT_AT, SERVICE, Op, decode, encode, stack
from tests.support.analysis import FakeWindows
from tests.support.catalogs import catalog

# Machines that are explored, and functions that no machine calls.
MACHINES = ("release", "rollback", "watch")
RECONCILERS = ("reconcile_traffic", "reconcile_cluster")
# Who takes users back for an alert, and for a person, before any machine begins.
DECIDER, ENDPOINT = "handle_signal", "request_release"
# Who steers a release, and who freezes releases.
STEERER, FREEZER = "steer_release", "freeze"
# Nothing is shared with anybody here, so that there is nothing to explore.
WITHOUT_EFFECT = {"check_image": encode({"requester": {"by": "ada"}, "looked": []})}
# Seconds: the rollback window, and long enough for everybody to get ready.
WINDOW, READY_WITHIN = 60.0, 600.0
# Percent that a worker's version gets before all.
HALF = 50


class Asks(NamedTuple):
    """It asks something of the world."""

    op: Op


class Returns(NamedTuple):
    """It has ended well."""

    answer: bytes


class Raises(NamedTuple):
    """It has ended badly. `bug`: with an error that is none of ours."""

    error: str
    cause: str
    retryable: bool
    bug: bool


Next = Asks | Returns | Raises
# How versions take over; a canary is judged and nothing is found; one whose judge finds both versions in trouble is guilty of it, or not.
# Of one that is asked about, a person says whether it goes on.
# A worker's version takes over by shares of Pods; a version may bring a migration, and what warms it up afterwards.
Way = Literal[
    "two slots",
    "in place",
    "canary",
    "guilty",
    "innocent",
    "shares",
    "jobs",
    "jobs in place",
    "frozen",
    "asked",
]
# What an experiment sees of the old version.
ALONE = {"guilty": Arm(6000, 6), "innocent": Arm(6000, 1200)}


class _Clock:
    """What the boundary wants of a kernel: a time, and nobody who could go on in between."""

    current = None

    def __init__(self, now: float) -> None:
        self.now = lambda: now

    def chance(self, name: str) -> random.Random:
        return random.Random(0)


class Product:
    """The functions and machines of one environment, loaded once. `way`: how versions take over."""

    def __init__(self, way: Way) -> None:
        self.shared, self._frozen, self.asks = way == "shares", way == "frozen", way == "asked"
        changes = {"shares": _as_worker, "jobs": _with_jobs, "jobs in place": _with_jobs}
        self.catalog = _with_strategy(changes.get(way, lambda shipped: shipped)(catalog()), way)
        deployed, wanted = stack(), _called(stack())
        self.functions: dict[str, Function] = {
            arn: each for arn, each in deployed.functions.items() if each.name in wanted
        }
        self.machines: dict[str, Machine] = {
            deployed.machines[name].arn: deployed.machines[name] for name in MACHINES
        }
        # In the order of `RECONCILERS`.
        named = {each.name for each in self.functions.values()}
        self.reconcilers = [self.arn(name) for name in RECONCILERS if name in named]
        # Pods that a running slot has at least.
        environment = self.catalog.environments[ENVIRONMENT]
        self.least = effective(self.catalog.service(SERVICE), environment).replicas.min
        strategy = self.catalog.strategies[environment.strategy]
        self._plan = plan_release(
            strategy,
            first=False,
            window=WINDOW,
            judge="default",
            asked=not self.shared,
            jobs=[
                PlannedJob(job.name, job.when, float(job.within))
                for job in self.catalog.service(SERVICE).jobs
            ],
        )
        self._alone = ALONE.get(way)
        self._known = _in_trouble(self.catalog) if self._alone else Judgement()
        explored = msgspec.structs.replace(deployed, functions=self.functions)
        with as_deployed(ENVIRONMENT, Log()):
            self._code = Code(
                ROOT, explored, lambda boundary: wiring.accessors(explored, self.catalog, boundary)
            )

    def arn(self, function: str) -> str:
        """A function's ARN by its name."""
        return next(arn for arn, each in self.functions.items() if each.name == function)

    @contextmanager
    def running(self) -> Iterator[None]:
        """What functions look up of their process; around everything that looks at them."""
        with as_deployed(ENVIRONMENT, Log()), self._code.wired():
            yield

    def next_of(self, arn: str, payload: bytes, now: float, answers: tuple[Any, ...]) -> Next:
        """What a function does next that was given these answers."""
        function = self.functions[arn]
        if function.name in WITHOUT_EFFECT:
            return Returns(WITHOUT_EFFECT[function.name])
        replay = ports.Replay(function.name, answers)
        clock: Any = _Clock(now)
        self._code.boundary.bind(clock, self._ports(replay), Fair())
        try:
            found = self._code.handlers[arn](decode(payload), Context("explored", function.name))
        except ports.Question as question:
            return Asks(question.op)
        except ControlPlaneError as error:
            return Raises(type(error).__name__, str(error), isinstance(error, Retryable), False)
        except Exception as error:  # noqa: BLE001 - it is told as a bug
            return Raises(type(error).__name__, str(error), False, True)
        return Returns(encode(found))

    def _ports(self, replay: ports.Replay) -> Mapping[str, Any]:
        carrier = ports.Carrier(replay)
        cluster = KubernetesCluster(carrier)
        return {
            "records": ports.Records(replay),
            "rules": Movers(ports.Rules(replay), lambda: ShareOfPods(cluster, carrier)),
            "cluster": cluster,
            "windows": ports.Windows(replay, self._alone),
            "own_windows": ports.Windows(replay, self._alone),
            "executions": ports.Executions(replay),
            # One alert, whose guard and log nobody else reads or writes.
            "guards": MemoryGuards(),
            "log": MemorySignalLog(),
            # Nobody asks twice: each names what they ask for.
            "requesters": MemoryRequesters(),
            "judgements": ports.Judgements(self._known),
            "journal_store": ports.Journal(replay, self._plan),
            "approvals": ports.Approvals(replay, self.asks),
            "asked_freezes": ports.Freezes(replay, self._frozen),
            "bus": ports.Bus(),
            "meter": Uncounted(),
            "switchboard": ports.Switchboard(),
        }


@cache
def product(way: Way = "two slots") -> Product:
    """The product as a scenario needs it, loaded once in this process."""
    return Product(way)


def _called(deployed: Stack) -> set[str]:
    """The functions that the explored machines call, and the reconcilers."""
    text = "".join(str(deployed.machines[name].definition) for name in MACHINES)
    return {each.name for each in deployed.functions.values() if f"'{each.arn}'" in text} | {
        *RECONCILERS,
        DECIDER,
        ENDPOINT,
        STEERER,
        FREEZER,
    }


def _in_trouble(of: Catalog) -> Judgement:
    """What a judge knows that has found both versions in trouble."""
    target = MetricTarget(ENVIRONMENT, SERVICE, "", "green", "blue", "green", "blue")
    hours = [Window(at, at + 60.0, Arm(6000, 6), Arm(0)) for at in range(-600, 0, 60)]
    bad = Window(0.0, 60.0, Arm(5400, 1080), Arm(600, 120))
    states, verdict = judge_windows(
        {"cloudwatch": FakeWindows([*hours, bad])},
        of.policies["default"],
        target,
        {},
        mode="judge",
        since=0.0,
        now=130.0,
        deadline=1800.0,
        asking=Asking(possible=True),
    )
    assert verdict.action == "experiment", verdict
    return Judgement(states)


def _as_worker(shipped: Catalog) -> Catalog:
    """The catalog in which the service is a worker."""
    worker = msgspec.structs.replace(shipped.services[SERVICE], kind="worker", host="")
    return msgspec.structs.replace(shipped, services={**shipped.services, SERVICE: worker})


def _with_jobs(shipped: Catalog) -> Catalog:
    """The catalog in which the service has a Job before and one after."""
    jobs = (
        Job(MIGRATE, within=Duration(WITHIN)),
        Job(WARM, when="after", within=Duration(WITHIN)),
    )
    service = msgspec.structs.replace(shipped.services[SERVICE], jobs=jobs)
    return msgspec.structs.replace(shipped, services={**shipped.services, SERVICE: service})


def _with_strategy(shipped: Catalog, way: Way) -> Catalog:
    """The shipped catalog with the shortest strategy there is: every step is one more factor of states."""
    whole = (StrategyStep(weight=100),)
    judged = StrategyStep(judge=Watch(at_most=Duration(5), unclear="go_on"))
    steps = {
        "two slots": whole,
        "frozen": whole,
        "jobs": whole,
        "in place": (),
        "jobs in place": (),
        "shares": (StrategyStep(weight=HALF), *whole),
        "asked": (
            StrategyStep(weight=EXPERIMENT_AT),
            StrategyStep(approve=Approve(within=Duration(UNANSWERED))),
            *whole,
        ),
    }
    strategy = Strategy(
        name="explored",
        kind="rolling" if way.endswith("in place") else "blue_green",
        steps=steps.get(way, (StrategyStep(weight=EXPERIMENT_AT), judged, *whole)),
        rollback_window=Duration(WINDOW),
        ready_within=Duration(READY_WITHIN),
    )
    environment = msgspec.structs.replace(shipped.environments[ENVIRONMENT], strategy="explored", gates=None)
    return msgspec.structs.replace(
        shipped,
        strategies={**shipped.strategies, "explored": strategy},
        environments={**shipped.environments, ENVIRONMENT: environment},
    )
