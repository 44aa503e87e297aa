"""Virtual time: everything in one thread, one thing after the other, by one clock and from one seed.

A *task* is synchronous code in a greenlet. It goes on until it sleeps or waits; then the kernel goes to
whatever is due next, and moves the clock there. Nothing takes time but sleeping, so a day passes as fast
as its events can be computed, and the same seed does the same things in the same order.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")
# Times are kept to the millisecond, so that the last bit of a platform's floating point decides nothing.
PRECISION = 3


class Killed(BaseException):
    """Thrown into a task that shall not go on. No `except Exception` of the code inside holds it."""


class Late(Exception):
    """What was waited for did not come in time."""


class Stuck(Exception):
    """Nothing is due any more, so what is waited for can never come."""


class Promise(Generic[T]):
    """A value, or an error, that comes later; once."""

    def __init__(self) -> None:
        self.done = False
        self.value: T | None = None
        self.error: BaseException | None = None
        self._then: list[Callable[[], None]] = []

    def keep(self, value: T) -> None:
        """Give the value; later calls change nothing."""
        self._settle(value, None)

    def fail(self, error: BaseException) -> None:
        """Give an error instead of a value; later calls change nothing."""
        self._settle(None, error)

    def then(self, do: Callable[[], None]) -> None:
        """Do something when it is done, at once if it is."""
        if self.done:
            do()
        else:
            self._then.append(do)

    def result(self) -> T:
        """The value; the error is raised."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]

    def _settle(self, value: T | None, error: BaseException | None) -> None:
        if self.done:
            return
        self.done, self.value, self.error = True, value, error
        waiting, self._then = self._then, []
        for do in waiting:
            do()


class Timer:
    """Something that is due at a time, unless it is cancelled before."""

    __slots__ = ("at", "do", "name")

    def __init__(self, at: float, do: Callable[[], object], name: str) -> None:
        self.at = at
        self.do: Callable[[], object] | None = do
        self.name = name

    def cancel(self) -> None:
        self.do = None


class Task(Promise[Any]):
    """Code that runs in virtual time; the promise of what it returns."""

    def __init__(self, kernel: Kernel, body: Callable[[], Any], name: str) -> None:
        super().__init__()
        self.name, self.killed = name, False
        self._kernel = kernel
        self._body = body
        self.greenlet: Any = greenlet(self._run, parent=kernel.hub)
        self.greenlet.task = self

    def kill(self) -> None:
        """Let it end where it stands: it fails with `Killed`, now, and nothing of it happens any more."""
        if self.done:
            return
        self.killed = True
        self.fail(Killed())
        # Its code is unwound as soon as nobody else is in the middle of something.
        self._kernel.later(0, self._unwind, f"unwind {self.name}")

    def _unwind(self) -> None:
        if self.greenlet and not self.greenlet.dead:
            self.greenlet.throw(Killed)

    def _run(self) -> None:
        try:
            value = self._body()
        except Killed:
            self.fail(Killed())
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            self.fail(error)
        else:
            self.keep(value)

    def resume(self) -> None:
        """Let it go on; for the kernel."""
        if not self.killed and not self.greenlet.dead:
            self.greenlet.switch()


class Kernel:
    """The clock, what is due, and chance.

    Parameters
    ----------
    seed
        Of all chance. The same seed and the same calls give the same run.
    start
        When it begins, epoch seconds.
    """

    def __init__(self, seed: int = 0, start: float = 1_800_000_000.0) -> None:
        self.seed = seed
        self.hub: Any = getcurrent()
        self.events = 0
        # Called after each event with its name.
        self.watchers: list[Callable[[str], None]] = []
        self._now = start
        self._due: list[tuple[float, int, Timer]] = []
        self._made = 0
        self._streams: dict[str, random.Random] = {}

    def now(self) -> float:
        """The time, epoch seconds."""
        return self._now

    def chance(self, stream: str) -> random.Random:
        """The chance of one purpose, so that what one thing draws moves nothing of another."""
        if stream not in self._streams:
            self._streams[stream] = random.Random(f"{self.seed}/{stream}")
        return self._streams[stream]

    def later(self, seconds: float, do: Callable[[], object], name: str = "") -> Timer:
        """Do something after that many seconds. Of what is due together, what was asked for first comes first."""
        self._made += 1
        timer = Timer(round(self._now + max(0.0, seconds), PRECISION), do, name)
        heapq.heappush(self._due, (timer.at, self._made, timer))
        return timer

    def at(self, when: float, do: Callable[[], object], name: str = "") -> Timer:
        """Do something at a time, epoch seconds; now if that is over."""
        return self.later(when - self._now, do, name)

    def every(self, seconds: float, do: Callable[[], object], name: str = "") -> None:
        """Do something again and again, for ever, each time that many seconds after the last."""

        def again() -> None:
            do()
            self.later(seconds, again, name)

        self.later(seconds, again, name)

    def spawn(self, body: Callable[[], Any], name: str) -> Task:
        """Start a task; it begins when whoever runs now sleeps or waits."""
        task = Task(self, body, name)
        self.later(0, task.resume, name)
        return task

    @property
    def current(self) -> Task | None:
        """The task that runs now; None outside of any."""
        return getattr(getcurrent(), "task", None)

    def sleep(self, seconds: float) -> None:
        """Let time pass; in a task everybody else goes on meanwhile."""
        task = self.current
        if task is None:
            self.run(until=self._now + seconds)
            return
        if task.killed:
            raise Killed
        self.later(seconds, task.resume, task.name)
        self.hub.switch()

    def wait(self, promise: Promise[T], timeout: float | None = None) -> T:
        """What a promise gives.

        Raises
        ------
        Late
            It gave nothing within the time, in seconds.
        """
        task = self.current
        if task is None:
            self._run_for(promise, timeout)
        elif task.killed:
            raise Killed
        elif not promise.done:
            woken = [False]

            def wake() -> None:
                if not woken[0]:
                    woken[0] = True
                    self.later(0, task.resume, task.name)

            timer = None if timeout is None else self.later(timeout, wake, task.name)
            promise.then(wake)
            self.hub.switch()
            if timer is not None:
                timer.cancel()
        if not promise.done:
            raise Late
        return promise.result()

    def _run_for(self, promise: Promise[Any], timeout: float | None) -> None:
        limit = None if timeout is None else self._now + timeout
        while not promise.done:
            following = self.next_at()
            if following is None:
                raise Stuck
            if limit is not None and following > limit:
                self._now = limit
                return
            self.step()

    def next_at(self) -> float | None:
        """When the next thing is due; None when nothing is."""
        while self._due and self._due[0][2].do is None:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def step(self) -> None:
        """Let the next thing happen."""
        at, _, timer = heapq.heappop(self._due)
        do = timer.do
        if do is None:
            return
        self._now = at
        timer.do = None
        do()
        self.events += 1
        for watch in self.watchers:
            watch(timer.name)

    def run(self, until: float) -> None:
        """Let everything happen that is due until a time, epoch seconds; then it is that time."""
        while (following := self.next_at()) is not None and following <= until:
            self.step()
        self._now = max(self._now, until)
