"""Where a function meets the world: each call of a port takes time, and may go wrong.

The functions hold proxies of their ports. A call lets the others go on before and after it, and does what
the weather says: it is refused, its answer is lost, it takes effect only when nobody waits any more, or
the function's process dies around it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, Protocol

import msgspec

from candlefish.adapters.aws.api import ATTEMPTS, LAST_WORDS, URGENT, URGENT_PAUSE
from candlefish.errors import Throttled, Unavailable
from lab.quotas import Buckets
from lab.simulator.kernel import Kernel, Killed, Task
from lab.simulator.requests import Action, calls_of

Kind = Literal["throttled", "refused", "lost", "late", "slow", "dies_before", "dies_after"]
# What a call usually takes, in seconds, each way.
LEAST, USUAL = 0.002, 0.01


class Fault(msgspec.Struct, frozen=True):
    """What one call meets. `seconds` is how long a slow one takes, and how late the effect of a late one comes."""

    kind: Kind
    seconds: float = 0.0


class Weather(Protocol):
    """Says what goes wrong."""

    def strikes(self, port: str, method: str, function: str) -> Fault | None:
        """What this call meets; None when it goes well."""


class Fair:
    """The weather in which nothing goes wrong."""

    def strikes(self, port: str, method: str, function: str) -> Fault | None:
        return None


class Invocation(Task):
    """One run of a function's handler."""

    function = ""
    # When its time is up, epoch seconds: nothing that it sent arrives later.
    deadline = 0.0
    # Its process died, by a fault.
    died = False


class Boundary:
    """Hands out proxies; lets each call meet the ports and the weather of the run that it is bound to.

    Functions are loaded once and live through many runs, so their proxies look the run up at each call.
    """

    def __init__(self) -> None:
        self._kernel: Kernel | None = None
        self._ports: Mapping[str, Any] = {}
        self._weather: Weather = Fair()
        self._chance = random.Random(0)
        # What each call takes, in seconds; as usual when it is None.
        self.latency: float | None = None
        # What the account may ask of AWS; nothing is refused while there are none.
        self.buckets: Buckets | None = None
        # By function: how many requests were throttled and sent again, and how many calls ended so.
        self.waited: Counter[str] = Counter()
        self.gave_up: Counter[str] = Counter()
        # Told of each call that takes effect: the function, the port, the method and its arguments.
        self.watchers: list[Callable[[str, str, str, tuple[Any, ...]], None]] = []

    def bind(self, kernel: Kernel, ports: Mapping[str, Any], weather: Weather) -> None:
        """From now on calls go to these ports, in this kernel's time."""
        self._kernel, self._ports, self._weather = kernel, ports, weather
        self._chance = kernel.chance("boundary")
        self.watchers = []
        self.latency, self.buckets = None, None
        self.waited, self.gave_up = Counter(), Counter()

    def now(self) -> float:
        """The time of the run."""
        assert self._kernel is not None, "the functions are bound to no run"
        return self._kernel.now()

    def port(self, name: str, *, urgent: bool = False) -> Any:
        """What stands in for a port; one whose client is `urgent` asks on where AWS wants fewer requests."""
        return _Proxy(partial(self._call, name, urgent))

    def beside(self, name: str) -> Any:
        """What stands in for a port that nobody goes by: its calls take no time and meet no weather."""
        return _Proxy(lambda method, *args, **more: getattr(self._ports[name], method)(*args, **more))

    def give_way(self) -> None:
        """Let the others go on for a moment; inside of a port, between a read and the write that depends on it."""
        if self._kernel is not None and isinstance(self._kernel.current, Invocation):
            self._kernel.sleep(self._moment())

    def _call(self, port: str, urgent: bool, method: str, *args: Any, **more: Any) -> Any:
        do = partial(self._do, port, method, args, more)
        kernel = self._kernel
        assert kernel is not None
        task = kernel.current
        if not isinstance(task, Invocation):
            return do()
        if task.killed:
            raise Killed
        fault = self._weather.strikes(port, method, task.function)
        for action in calls_of(port, method, args) if self.buckets else ():
            self._let_through(action, task, urgent=urgent)
        kernel.sleep(self._moment())
        if fault is not None:
            before = _BEFORE.get(fault.kind)
            if before is not None:
                before(self, fault, kernel, task, f"{port}.{method}", do)
        answer = do()
        if fault is not None and fault.kind == "lost":
            raise Unavailable(f"{port}.{method}: the connection was lost before the answer came")
        if fault is not None and fault.kind == "dies_after":
            _die(task)
        kernel.sleep(self._moment())
        return answer

    def _let_through(self, action: Action, task: Invocation, *, urgent: bool) -> None:
        """Wait as the client does until AWS takes a request.

        Raises
        ------
        Throttled
            It does not, for as long as the client tries.
        """
        kernel, buckets = self._kernel, self.buckets
        assert kernel is not None and buckets is not None
        attempt = 0
        while not buckets.take(*action):
            attempt += 1
            if urgent and action[1] in URGENT and task.deadline - kernel.now() > LAST_WORDS:
                pause = self._chance.uniform(*URGENT_PAUSE)
            elif attempt < ATTEMPTS:
                pause = self._chance.random() * 2 ** (attempt - 1)
            else:
                self.gave_up[task.function] += 1
                raise Throttled(f"{action[1]}: asked to slow down, and went on being asked")
            self.waited[task.function] += 1
            kernel.sleep(pause)

    def _do(self, port: str, method: str, args: tuple[Any, ...], more: dict[str, Any]) -> Any:
        assert self._kernel is not None
        task = self._kernel.current
        for watch in self.watchers:
            watch(task.function if isinstance(task, Invocation) else "", port, method, args)
        return getattr(self._ports[port], method)(*args, **more)

    def _moment(self) -> float:
        if self.latency is not None:
            return self.latency / 2
        return LEAST + self._chance.expovariate(1 / USUAL)


class _Proxy:
    __slots__ = ("_through",)

    def __init__(self, through: Callable[..., Any]) -> None:
        self._through = through

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_"):
            raise AttributeError(method)
        return partial(self._through, method)


def _die(task: Invocation) -> None:
    task.died = True
    task.kill()
    raise Killed


Before = Callable[[Boundary, Fault, Kernel, Invocation, str, Callable[[], Any]], None]


def _throttled(
    boundary: Boundary, fault: Fault, kernel: Kernel, task: Invocation, what: str, do: Callable[[], Any]
) -> None:
    # Whatever keeps a metrics store from being read, its port says that it does not answer (`analysis/ports.py`).
    error = Unavailable if what.partition(".")[0].endswith("windows") else Throttled
    raise error(f"{what}: asked to slow down, and went on being asked")


def _refused(
    boundary: Boundary, fault: Fault, kernel: Kernel, task: Invocation, what: str, do: Callable[[], Any]
) -> None:
    raise Unavailable(f"{what}: did not answer")


def _late(
    boundary: Boundary, fault: Fault, kernel: Kernel, task: Invocation, what: str, do: Callable[[], Any]
) -> None:
    """Whoever asked gave up; what was asked for happens all the same, later, whether it still can or not."""

    def land() -> None:
        try:
            do()
        except Exception:  # noqa: BLE001 - nobody is there to be told
            return

    at = min(kernel.now() + fault.seconds, task.deadline)
    kernel.at(at, partial(kernel.spawn, land, f"late {what}"), f"late {what}")
    raise Unavailable(f"{what}: timed out")


def _slow(
    boundary: Boundary, fault: Fault, kernel: Kernel, task: Invocation, what: str, do: Callable[[], Any]
) -> None:
    kernel.sleep(fault.seconds)


def _dies(
    boundary: Boundary, fault: Fault, kernel: Kernel, task: Invocation, what: str, do: Callable[[], Any]
) -> None:
    _die(task)


_BEFORE: Mapping[str, Before] = {
    "throttled": _throttled,
    "refused": _refused,
    "late": _late,
    "slow": _slow,
    "dies_before": _dies,
}
