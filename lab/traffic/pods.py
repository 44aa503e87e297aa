"""The running Pods: every one listens on an address of its own and answers as its version behaves.

All Pods live in one event loop, so that hundreds are cheap; each still has its own socket, its own
start, its own readiness, and an end in which it serves what is in flight.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable

import msgspec

from lab.kube.runtime import unpullable
from lab.traffic import http
from lab.traffic.behaviour import Behaviour, seconds_of
from lab.traffic.checks import Checks
from lab.traffic.database import SharedDatabase
from lab.traffic.lateness import TAKES
from lab.traffic.pod_metrics import PodMetrics

_SMOKE_HEADER = "x-candlefish-smoke"
_FIRST_BACKOFF_SECONDS = 0.5
# How often a worker's Pod says what it did.
_TOIL_SECONDS = 0.2
# How long a busy machine may take: a probe, the load balancer to let go of a target, requests in flight.
_PROBE_SECONDS, _LET_GO_SECONDS, _IN_FLIGHT_SECONDS = 5.0, 60.0, 60.0


class PodSpec(msgspec.Struct, frozen=True):
    """What a Pod runs. `health_path` is its readiness probe's; times are seconds, in lab time."""

    uid: str
    name: str
    namespace: str
    service: str
    host: str
    port: int
    version: str
    digest: str
    image: str
    health_path: str
    probe_period: float
    # So many failed probes in a row make a ready Pod unready.
    failure_threshold: int
    # How long it goes on serving after it was told to stop.
    linger: float
    # It works and ends, and is not started again.
    job: bool = False


class PodStatus(msgspec.Struct, frozen=True):
    """What is reported of a Pod: see `lab.kube.runtime.PodState`."""

    uid: str
    ready: bool = False
    waiting: str = "ContainerCreating"
    message: str = ""
    restarts: int = 0
    exit_code: int | None = None
    stopped: bool = False
    log: str = ""
    done: bool = False


class Pod:
    """One Pod."""

    def __init__(
        self,
        spec: PodSpec,
        behaviour: Callable[[], Behaviour | None],
        report: Callable[[PodStatus], None],
        checks: Checks,
        database: Callable[[], SharedDatabase | None],
    ) -> None:
        self._checks = checks
        self.spec = spec
        self._behaviour = behaviour
        self._database = database
        self._report = report
        self._status = PodStatus(spec.uid)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._busy = 0
        self._listening_since = 0.0
        self._first_user_at: float | None = None
        self._chance = random.Random(spec.uid)
        self._tasks = [asyncio.create_task(self._live())]
        self._metrics = PodMetrics(spec.service, spec.version)

    def _set(self, **changes: object) -> None:
        status = msgspec.structs.replace(self._status, **changes)
        if status != self._status:
            self._status = status
            self._report(status)

    # --- life --------------------------------------------------------------------------------

    async def _live(self) -> None:
        behaviour = self._behaviour()
        if behaviour is None or not behaviour.pullable:
            state = unpullable(self.spec.image)
            self._set(waiting="ErrImagePull", message=state.message)
            await asyncio.sleep(_FIRST_BACKOFF_SECONDS)
            self._set(waiting=state.waiting, message=state.message)
            return
        if self.spec.job:
            await self._work(behaviour)
            return
        self._tasks.append(asyncio.create_task(self._probe()))
        self._tasks.append(asyncio.create_task(self._toil()))
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            behaviour = self._behaviour() or behaviour
            await asyncio.sleep(behaviour.start_seconds)
            self._server = await asyncio.start_server(
                self._client, self.spec.host, self.spec.port, limit=http.MAX_HEAD, backlog=512
            )
            self._listening_since = time.monotonic()
            # A process that starts again counts from zero.
            self._metrics = PodMetrics(self.spec.service, self.spec.version)
            self._set(waiting="", message="")
            await self._until_crash()
            await self._close()
            self._set(
                ready=False,
                waiting="CrashLoopBackOff",
                message=f"back-off restarting failed container in pod {self.spec.name}",
                restarts=self._status.restarts + 1,
                exit_code=1,
                log=f"{self.spec.service} {self.spec.version} stops: it was told to crash\n",
            )
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, 10.0)

    async def _toil(self) -> None:
        """What a worker does from when it is ready until it is told to stop: jobs, that nobody sends it."""
        since, owed = time.monotonic(), 0.0
        while True:
            await asyncio.sleep(_TOIL_SECONDS)
            behaviour, now = self._behaviour() or Behaviour(), time.monotonic()
            if self._status.ready:
                owed += behaviour.jobs_per_second * (now - since)
                jobs, owed = int(owed), owed % 1
                failed = sum(self._chance.random() < behaviour.error_rate for _ in range(jobs))
                self._metrics.did(jobs, failed)
            since = now

    async def _work(self, behaviour: Behaviour) -> None:
        """What a Job does: some lines of a log, and an end."""
        whose = f"{self.spec.service} {self.spec.version}"
        self._set(waiting="", message="", log=f"{whose}: begins\n")
        await asyncio.sleep(behaviour.job_seconds)
        failed = behaviour.job_exit_code
        last = "column orders.total exists already" if failed else "all done"
        log = f"{self._status.log}{whose}: {last}\n"
        self._set(done=True, exit_code=failed, log=log)

    async def _until_crash(self) -> None:
        while True:
            behaviour = self._behaviour()
            age = time.monotonic() - self._listening_since
            if behaviour is not None and behaviour.crash_after is not None and age >= behaviour.crash_after:
                return
            await self._checks.pause(0.05)

    async def _probe(self) -> None:
        request = (
            f"GET {self.spec.health_path} HTTP/1.1\r\nHost: {self.spec.host}\r\n"
            "User-Agent: kube-probe/1.33\r\nConnection: close\r\n\r\n"
        )
        failed = 0
        while True:
            if self._server is not None:
                status, _ = await self._checks.ask(self.spec.host, self.spec.port, request, _PROBE_SECONDS)
                failed = 0 if 200 <= status < 400 else failed + 1
                listening = self._server is not None
                kept = self._status.ready and failed < self.spec.failure_threshold
                self._set(ready=listening and (failed == 0 or kept))
            # Until it is ready it is looked at more often, as by a startup probe.
            await self._checks.pause(
                self.spec.probe_period if self._status.ready else min(0.1, self.spec.probe_period)
            )

    async def stop(self, used: Callable[[str, int], bool]) -> None:
        """Serve for the linger time, finish what is in flight, and end.

        On a busy machine the load balancer may hear of it late: a Pod that lingers waits for it, so that how
        busy the machine is costs no request.
        """
        for task in self._tasks:
            task.cancel()
        self._set(ready=False)
        if self._server is not None:
            if self.spec.linger:
                await asyncio.sleep(self.spec.linger)
                await self._until_unused(used)
            await self._close()
        self._set(stopped=True)

    async def _until_unused(self, used: Callable[[str, int], bool]) -> None:
        deadline = time.monotonic() + _LET_GO_SECONDS
        while used(self.spec.host, self.spec.port) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        deadline = time.monotonic() + _IN_FLIGHT_SECONDS
        while self._busy and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        for writer in list(self._open):
            writer.close()

    # --- requests ------------------------------------------------------------------------------

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (head := await http.read_head(reader)) is not None:
                self._busy += 1
                try:
                    await http.read_body(reader, head)
                    answer = await self._answer(head)
                finally:
                    self._busy -= 1
                if isinstance(answer, str):
                    await self._fail(answer, reader, writer)
                    break
                writer.write(answer)
                if head.closes or self._server is None:
                    break
        except (OSError, ValueError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _fail(self, how: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Leave a request without an answer."""
        if how == "hang":
            # Nothing is said until the other side has had enough.
            await reader.read()
        elif how == "reset":
            writer.transport.abort()
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: applica")

    async def _answer(self, head: http.Head) -> bytes | str:
        """What is answered; or how it is not: "hang", "reset" or "half-answer"."""
        behaviour = self._behaviour() or Behaviour()
        path = head.line.split(" ", 2)[1].partition("?")[0]
        agent = head.headers.get("user-agent", "")
        if path == "/metrics":
            return http.response(
                200, self._metrics.text().encode(), "text/plain; version=0.0.4", self._headers()
            )
        if path == self.spec.health_path and not head.headers.get(_SMOKE_HEADER):
            sick = not behaviour.ready or (
                behaviour.balancer_unhealthy and agent.startswith("ELB-HealthChecker")
            )
            return self._json(503 if sick else 200, {"status": "unhealthy" if sick else "ok"})
        if how := self._unanswered(behaviour):
            return how
        smoke = bool(head.headers.get(_SMOKE_HEADER))
        cold = not smoke and self._is_cold(behaviour)
        takes = seconds_of(behaviour, cold, self._chance)
        await asyncio.sleep(takes)
        status = 200
        if smoke and behaviour.smoke_fails:
            status = 500
        elif self._fails(behaviour, path, cold):
            status = behaviour.error_status
        self._metrics.count(path, status, takes)
        answer = {
            "service": self.spec.service,
            "version": self.spec.version,
            "pod": self.spec.name,
            "path": path,
        }
        return self._json(status, answer, {TAKES: str(takes)})

    def _unanswered(self, behaviour: Behaviour) -> str:
        rates = (behaviour.hang_rate, behaviour.reset_rate, behaviour.half_answer_rate)
        if not any(rates):
            return ""
        ways = ("hang", "reset", "half-answer", "")
        return self._chance.choices(ways, (*rates, max(0.0, 1.0 - sum(rates))))[0]

    def _is_cold(self, behaviour: Behaviour) -> bool:
        now = time.monotonic()
        if self._first_user_at is None:
            self._first_user_at = now
        return now - self._first_user_at < behaviour.cold_seconds

    def _fails(self, behaviour: Behaviour, path: str, cold: bool) -> bool:
        """Whether a request fails, for any of the reasons that there are."""
        age = time.monotonic() - self._listening_since
        leaks = behaviour.leak_after is not None and age >= behaviour.leak_after
        rates = (
            behaviour.leak_error_rate if leaks else behaviour.error_rate,
            dict(behaviour.error_rate_at).get(path, 0.0),
            behaviour.cold_error_rate if cold else 0.0,
        )
        if any(rate and self._chance.random() < rate for rate in rates):
            return True
        database = self._database()
        return database is not None and not database.answers(behaviour.queries)

    def _headers(self) -> dict[str, str]:
        return {"X-Version": self.spec.version, "X-Pod": self.spec.name, "X-Service": self.spec.service}

    def _json(self, status: int, value: dict[str, str], more: dict[str, str] | None = None) -> bytes:
        body = json.dumps(value).encode() + b"\n"
        return http.response(status, body, "application/json", self._headers() | (more or {}))
