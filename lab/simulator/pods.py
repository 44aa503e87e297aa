"""Pods in virtual time: `lab.kube.runtime.PodRuntime` on the clock, with the delays that Pods have.

Nothing is looked at again and again: a process tells when it changes. Backoff of a container that crashes:
10 s, doubled up to 5 minutes (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lab.kube.runtime import Object, PodState, unpullable
from lab.simulator.kernel import Kernel
from lab.simulator.versions import Behaviour, turns

# From and to, in seconds: to pull an image, of the start's length, to the next probe, to end once told so.
PULL = (0.5, 4.0)
START = (0.8, 1.6)
PROBE = (0.1, 3.0)
END = (0.05, 1.5)
FIRST_BACKOFF, LONGEST_BACKOFF = 10.0, 300.0
CREATING = PodState(waiting="ContainerCreating")


class Surroundings(Protocol):
    """What has to know of processes: the load balancer."""

    def before_address(self, host: str) -> None:
        """What answers at an address is about to change."""

    def answers(self, host: str, status: int) -> None:
        """What the health path at an address answers from now on; 0 when nobody does."""


class Process:
    """What runs, or shall run, in one Pod."""

    def __init__(self, host: str, image: str, behaviour: Behaviour | None, *, job: bool) -> None:
        self.host, self.image, self.behaviour = host, image, behaviour
        # It works and ends, and is not started again.
        self.job = job
        self.state = CREATING
        self.ready = self.told = self.gone = False
        # Since when it takes requests; None while it does not.
        self.listens: float | None = None


class Pods:
    """Runs Pods by what their image does.

    Parameters
    ----------
    behaviour_of
        What an image does; None for one that cannot be pulled.
    """

    def __init__(
        self, kernel: Kernel, behaviour_of: Callable[[str], Behaviour | None], around: Surroundings
    ) -> None:
        self._kernel, self._behaviour_of, self._around = kernel, behaviour_of, around
        self._chance = kernel.chance("pods")
        self._by_uid: dict[str, Process] = {}
        self._by_host: dict[str, Process] = {}
        self._addresses = 0
        # Called with a Pod's uid when a kubelet would see something new.
        self.changed: Callable[[str], None] = lambda uid: None

    def at(self, host: str) -> Process | None:
        """The process at an address."""
        return self._by_host.get(host)

    def of(self, pod: Object) -> Process | None:
        """The process of a Pod; None where nothing was started yet."""
        return self._by_uid.get(pod["metadata"]["uid"])

    def behave(self, image: str, behaviour: Behaviour) -> None:
        """What runs of an image behaves otherwise from now on: a bug that woke, or one that sleeps again."""
        for process in self._by_host.values():
            if process.image == image:
                self._around.before_address(process.host)
                process.behaviour = behaviour

    # --- lab.kube.runtime.PodRuntime -----------------------------------------------------------

    def start(self, pod: Object) -> None:
        process, uid = self._process(pod), pod["metadata"]["uid"]
        behaviour = process.behaviour
        if behaviour is None or not behaviour.pullable:
            image = pod["spec"]["containers"][0]["image"]
            state = unpullable(image)
            self._later(PULL, process, lambda: self._see(process, uid, state), "image cannot be pulled")
        else:
            self._later(PULL, process, lambda: self._run(process, uid, behaviour), "image is pulled")

    def stop(self, pod: Object, grace_seconds: float) -> None:
        process, uid = self._process(pod), pod["metadata"]["uid"]
        if process.told:
            return
        process.told = True

        def end() -> None:
            self._silence(process)
            process.gone = True
            self._by_host.pop(process.host, None)
            self.changed(uid)

        takes = min(self._chance.uniform(*END), grace_seconds) if process.listens is not None else 0.0
        self._kernel.later(takes, end, "process ends")

    def stopped(self, pod: Object) -> bool:
        process = self._by_uid.get(pod["metadata"]["uid"])
        return process is None or process.gone

    def address(self, pod: Object) -> str:
        return self._process(pod).host

    def ready(self, pod: Object) -> bool:
        return self._process(pod).ready

    def state(self, pod: Object) -> PodState:
        process = self._process(pod)
        if process.behaviour is not None and process.behaviour.unschedulable:
            return PodState(unschedulable="0/2 nodes are available: 2 Insufficient cpu.")
        return process.state

    # --- a process's life ----------------------------------------------------------------------

    def _process(self, pod: Object) -> Process:
        uid = pod["metadata"]["uid"]
        if uid not in self._by_uid:
            self._addresses += 1
            host = f"10.{244 + self._addresses // 62500}.{self._addresses // 250 % 250}.{self._addresses % 250 + 1}"
            image = pod["spec"]["containers"][0]["image"]
            job = pod["spec"].get("restartPolicy", "Always") != "Always"
            process = Process(host, image, self._behaviour_of(image), job=job)
            self._by_uid[uid] = self._by_host[host] = process
        return self._by_uid[uid]

    def _done(self, process: Process, uid: str, behaviour: Behaviour) -> None:
        code = behaviour.job_exit_code
        log = "column exists already\n" if code else "all done\n"
        self._see(process, uid, PodState(exit_code=code, done=True, log=log))

    def _run(self, process: Process, uid: str, behaviour: Behaviour) -> None:
        running = PodState(restarts=process.state.restarts, exit_code=process.state.exit_code)
        self._see(process, uid, running)
        if process.job:
            self._later(
                (behaviour.job_seconds,) * 2, process, lambda: self._done(process, uid, behaviour), "job ends"
            )
            return
        takes = behaviour.start_seconds
        span = (START[0] * takes, START[1] * takes)
        self._later(span, process, lambda: self._listen(process, uid, behaviour), "process listens")

    def _listen(self, process: Process, uid: str, behaviour: Behaviour) -> None:
        self._around.before_address(process.host)
        process.listens = self._kernel.now()
        healthy = behaviour.ready and not behaviour.balancer_unhealthy
        self._around.answers(process.host, 200 if healthy else 503)
        for after in turns(behaviour):
            self._later((after, after), process, lambda: self._around.before_address(process.host), "turns")
        if behaviour.crash_after is not None:
            span = (behaviour.crash_after, behaviour.crash_after)
            self._later(span, process, lambda: self._crash(process, uid, behaviour), "process crashes")
        if behaviour.ready:
            self._later(PROBE, process, lambda: self._probed(process, uid), "probe passes")

    def _probed(self, process: Process, uid: str) -> None:
        if process.listens is not None:
            process.ready = True
            self.changed(uid)

    def _crash(self, process: Process, uid: str, behaviour: Behaviour) -> None:
        self._silence(process)
        restarts = process.state.restarts + 1
        pause = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(restarts - 1, 5))
        words = f"back-off {pause:.0f}s restarting failed container"
        log = "no DATABASE_URL\n"
        state = PodState(waiting="CrashLoopBackOff", message=words, restarts=restarts, exit_code=1, log=log)
        self._see(process, uid, state)
        self._later((pause, pause), process, lambda: self._run(process, uid, behaviour), "restart")

    def _silence(self, process: Process) -> None:
        if process.listens is not None:
            self._around.before_address(process.host)
            process.listens, process.ready = None, False
            self._around.answers(process.host, 0)

    def _see(self, process: Process, uid: str, state: PodState) -> None:
        process.state = state
        self.changed(uid)

    def _later(self, span: tuple[float, float], process: Process, do: Callable[[], None], name: str) -> None:
        def unless_gone() -> None:
            if not process.gone:
                do()

        self._kernel.later(self._chance.uniform(*span), unless_gone, name)
