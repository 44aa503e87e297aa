"""The data plane of an Application Load Balancer: real HTTP, split by the rules' weights.

An asyncio reverse proxy. It is handed configuration (`lab.traffic.routing.Config`), checks the health of the
targets of every group that is in a rule, forwards requests, and counts what an ALB reports.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from lab.traffic import http
from lab.traffic.checks import TIMED_OUT, Checks
from lab.traffic.lateness import TAKES, Lateness, Timer
from lab.traffic.routing import Config, Group, Listener, State, Target, eligible, passes, pick_group, rule_for

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "upgrade", "transfer-encoding"}
)
_CONNECT_SECONDS = 10.0
# Whoever asks here asks from here.
HERE = "127.0.0.1"
# What the load balancer answers itself, and what for.
_WORDS = {
    502: "502 Bad Gateway\n",
    503: "503 Service Temporarily Unavailable\n",
    504: "504 Gateway Timeout\n",
}


class _NotConnected(Exception):
    """No connection to the target was made; `status` is what the user gets."""

    def __init__(self, status: int) -> None:
        self.status = status


class _CutOff(Exception):
    """The target closed in the middle of a body whose head is on its way to the user already."""

    def __init__(self, head: http.Head, part: bytes) -> None:
        self.head, self.part = head, part


class Health(msgspec.Struct):
    """What is known of one target of one group."""

    state: State = "initial"
    reason: str = "Elb.RegistrationInProgress"
    description: str = "Target registration is in progress"
    passed: int = 0
    failed: int = 0


class Counts(msgspec.Struct):
    """What one target group answered in one period.

    `requests` are those that a target was chosen for. What that target did not answer is in `own`, by code, and in
    nothing else; connections that were not made count as `connection_errors` besides.
    """

    requests: int = 0
    by_class: dict[str, int] = msgspec.field(default_factory=dict)
    own: dict[int, int] = msgspec.field(default_factory=dict)
    connection_errors: int = 0
    # Response times in seconds, rounded, with how often each occurred.
    times: dict[float, int] = msgspec.field(default_factory=dict)


class Upstream(msgspec.Struct):
    """A connection to a target."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: bool = False


class LoadBalancer:
    """Serves every listener of a configuration, each on a port of 127.0.0.1 and of its load balancer's address."""

    def __init__(
        self,
        ports: dict[str, tuple[str, int]],
        on_health: Callable[[], None],
        checks: Checks,
        lateness: Lateness,
        idle_seconds: float = 60.0,
        seed: int | None = None,
    ) -> None:
        """`idle_seconds` is how long a target may be silent in the middle of a request."""
        self._ports = ports
        self._idle_seconds = idle_seconds
        self._checks, self._lateness = checks, lateness
        self._on_health = on_health
        self._chance = random.Random(seed)
        self._config = Config()
        self._listeners: dict[str, Listener] = {}
        self._groups: dict[str, Group] = {}
        self._health: dict[str, dict[Target, Health]] = {}
        self._states: dict[str, dict[Target, State]] = {}
        self._turn: dict[str, itertools.count[int]] = defaultdict(itertools.count)
        self._idle: dict[Target, deque[Upstream]] = defaultdict(deque)
        self._servers: dict[str, asyncio.Server] = {}
        self._checkers: dict[str, asyncio.Task[None]] = {}
        self._counts: dict[tuple[str, str], Counts] = defaultdict(Counts)

    # --- configuration ---------------------------------------------------------------------

    async def apply(self, config: Config) -> None:
        """Serve this configuration from now on."""
        self._config = config
        self._listeners = {listener.arn: listener for listener in config.listeners}
        self._groups = {group.arn: group for group in config.groups}
        for arn in list(self._health):
            if arn not in self._groups:
                self._stop_checking(arn)
        for arn, group in self._groups.items():
            self._reconcile(arn, group)
        for arn in self._listeners:
            if arn in self._ports and arn not in self._servers:
                own, port = self._ports[arn]
                server = await asyncio.start_server(
                    partial(self._client, arn),
                    ("127.0.0.1", own),
                    port,
                    limit=http.MAX_HEAD,
                    backlog=512,
                )
                self._servers[arn] = server
        self._on_health()

    def _reconcile(self, arn: str, group: Group) -> None:
        known = self._health.setdefault(arn, {})
        wanted = set(group.targets)
        for target in list(known):
            if target not in wanted:
                del known[target]
                for upstream in self._idle.pop(target, ()):
                    upstream.writer.close()
        for target in group.targets:
            health = known.setdefault(target, Health())
            if not group.in_use:
                known[target] = Health(
                    "unused",
                    "Target.NotInUse",
                    "Target group is not configured to receive traffic from the load balancer",
                )
            elif health.state == "unused":
                known[target] = Health()
        if group.in_use and arn not in self._checkers:
            self._checkers[arn] = asyncio.create_task(self._check(arn))
        elif not group.in_use and arn in self._checkers:
            self._checkers.pop(arn).cancel()
        self._states[arn] = {target: health.state for target, health in known.items()}

    def _stop_checking(self, arn: str) -> None:
        self._health.pop(arn, None)
        self._states.pop(arn, None)
        if task := self._checkers.pop(arn, None):
            task.cancel()

    def health(self) -> dict[str, list[tuple[str, int, str, str, str]]]:
        """By group: (host, port, state, reason, description) of each target."""
        return {
            arn: [(t.host, t.port, h.state, h.reason, h.description) for t, h in known.items()]
            for arn, known in self._health.items()
        }

    def uses(self, host: str, port: int) -> bool:
        """Whether requests may go to this address."""
        target = Target(host, port)
        return any(group.in_use and target in group.targets for group in self._groups.values())

    # --- health checks -----------------------------------------------------------------------

    async def _check(self, arn: str) -> None:
        while True:
            group = self._groups[arn]
            await asyncio.gather(*(self._check_one(group, target) for target in group.targets))
            await self._checks.pause(group.interval)

    async def _check_one(self, group: Group, target: Target) -> None:
        request = (
            f"GET {group.health_path} HTTP/1.1\r\nHost: {target.host}:{target.port}\r\n"
            "User-Agent: ELB-HealthChecker/2.0\r\nConnection: close\r\n\r\n"
        )
        status, problem = await self._checks.ask(target.host, target.port, request, group.timeout)
        health = self._health.get(group.arn, {}).get(target)
        if health is None or health.state == "unused":
            return
        before = health.state
        if problem == "" and passes(group.matcher, status):
            health.passed, health.failed = health.passed + 1, 0
            # A new target needs one pass, an unhealthy one the threshold.
            needed = 1 if health.state == "initial" else group.healthy_threshold
            if health.passed >= needed:
                health.state, health.reason, health.description = "healthy", "", ""
        else:
            health.passed, health.failed = 0, health.failed + 1
            if health.failed >= group.unhealthy_threshold:
                health.state = "unhealthy"
                if problem:
                    health.reason, health.description = (
                        problem,
                        "Request timed out" if problem == TIMED_OUT else "Health checks failed",
                    )
                else:
                    health.reason = "Target.ResponseCodeMismatch"
                    health.description = f"Health checks failed with these codes: [{status}]"
        if health.state != before:
            self._states[group.arn][target] = health.state
            self._on_health()

    # --- requests ------------------------------------------------------------------------------

    async def _client(self, arn: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (head := await http.read_head(reader)) is not None:
                body = await http.read_body(reader, head)
                try:
                    writer.write(await self._answer(self._listeners[arn], head, body))
                except _CutOff as cut:
                    # The status has been sent: all that is left is to end like the target.
                    writer.write(cut.part)
                    break
                if head.closes:
                    break
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _answer(self, listener: Listener, head: http.Head, body: bytes) -> bytes:
        method, path, _ = head.line.split(" ", 2)
        rule = rule_for(listener, head.headers.get("host", ""), path, method, head.headers, HERE)
        if rule is None:
            return http.response(404, b"no rule of this listener matches\n")
        action = rule.action
        if action.status:
            extra = {"Location": action.location} if action.location else None
            return http.response(action.status, action.body.encode(), action.content_type, extra)
        arn = pick_group(action.weights, self._chance)
        group = self._groups.get(arn or "")
        targets = eligible(group, self._states[group.arn]) if group is not None else ()
        counted = listener.load_balancer, arn or ""
        if group is None or not targets:
            return self._own(self._counts[counted], 503, "no-target")
        target = targets[next(self._turn[group.arn]) % len(targets)]
        return await self._forward(counted, target, head, method, path, body)

    async def _forward(
        self, counted: tuple[str, str], target: Target, head: http.Head, method: str, path: str, body: bytes
    ) -> bytes:
        """Forward a request; it is counted when it has been answered, all of it in that period."""
        lines = [f"{method} {path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in head.raw if name.lower() not in _HOP_BY_HOP]
        if body and head.chunked:
            lines.append(f"Content-Length: {len(body)}")
        lines += ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Port: 80"]
        request = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body
        timer = self._lateness.timer()
        try:
            async with asyncio.timeout(None) as limit:
                with _limited(limit, timer, self._idle_seconds):
                    answer, payload = await self._exchange(target, request, method)
        except _NotConnected as error:
            counts = self._answered(counted)
            counts.connection_errors += 1
            return self._own(counts, error.status, "connection")
        except TimeoutError:
            return self._own(self._answered(counted), 504, "timeout")
        except _CutOff as cut:
            # As far as anybody counts, it was answered.
            self._count(counted, cut.head, timer)
            raise _CutOff(cut.head, _forwarded(cut.head, cut.head.length, cut.part)) from None
        except (OSError, ValueError, asyncio.IncompleteReadError):
            return self._own(self._answered(counted), 502, "no-answer")
        self._count(counted, answer, timer)
        return _forwarded(answer, answer.length if method == "HEAD" else len(payload), payload)

    def _count(self, counted: tuple[str, str], answer: http.Head, timer: Timer) -> None:
        """Count a request that the target answered."""
        counts = self._answered(counted)
        seconds = float(f"{float(answer.headers.get(TAKES, timer.seconds)):.3g}")
        counts.times[seconds] = counts.times.get(seconds, 0) + 1
        kind = f"{answer.line.split(' ', 2)[1][0]}XX"
        counts.by_class[kind] = counts.by_class.get(kind, 0) + 1

    def _own(self, counts: Counts, status: int, why: str) -> bytes:
        """The load balancer's own answer; `why` is for the lab's users."""
        counts.own[status] = counts.own.get(status, 0) + 1
        return http.response(status, _WORDS[status].encode(), headers={"x-lab-elb": why})

    def _answered(self, counted: tuple[str, str]) -> Counts:
        """The counts of the period in which a request ends, with that request."""
        counts = self._counts[counted]
        counts.requests += 1
        return counts

    async def _exchange(self, target: Target, request: bytes, method: str) -> tuple[http.Head, bytes]:
        while True:
            upstream = await self._connect(target)
            try:
                upstream.writer.write(request)
                answer = await http.read_head(upstream.reader)
                if answer is None:
                    upstream.writer.close()
                    # A kept connection may have been closed between requests; a fresh one may not.
                    if upstream.used:
                        continue
                    raise ConnectionResetError(f"{target.host}:{target.port} closed the connection")
                until_close = "content-length" not in answer.headers and not answer.chunked
                payload = (
                    b""
                    if method == "HEAD"
                    else await http.read_body(upstream.reader, answer, until_close=until_close)
                )
            except asyncio.IncompleteReadError as error:
                upstream.writer.close()
                assert answer is not None
                raise _CutOff(answer, error.partial) from error
            except (OSError, ValueError, asyncio.CancelledError):
                upstream.writer.close()
                raise
            if answer.closes or until_close:
                upstream.writer.close()
            else:
                upstream.used = True
                self._idle[target].append(upstream)
            return answer, payload

    async def _connect(self, target: Target) -> Upstream:
        idle = self._idle[target]
        while idle:
            upstream = idle.pop()
            if not upstream.writer.is_closing() and not upstream.reader.at_eof():
                return upstream
            upstream.writer.close()
        try:
            async with asyncio.timeout(None) as limit:
                with _limited(limit, self._lateness.timer(), _CONNECT_SECONDS):
                    reader, writer = await asyncio.open_connection(
                        target.host, target.port, limit=http.MAX_HEAD
                    )
        except TimeoutError as error:
            raise _NotConnected(504) from error
        except OSError as error:
            raise _NotConnected(502) from error
        return Upstream(reader, writer)

    # --- metrics -------------------------------------------------------------------------------

    def take_counts(self) -> list[tuple[str, str, Counts]]:
        """(load balancer, group ARN, counts) since the last call; groups without requests are absent."""
        taken = [(balancer, arn, counts) for (balancer, arn), counts in self._counts.items()]
        self._counts.clear()
        return taken

    def host_counts(self) -> list[tuple[str, str, int, int]]:
        """(load balancer, group ARN, healthy, unhealthy) of every group that is in use."""
        found = []
        for listener in self._config.listeners:
            for arn in {arn for rule in listener.rules for arn, _ in rule.action.weights}:
                states = list(self._states.get(arn, {}).values())
                healthy = states.count("healthy")
                found.append((listener.load_balancer, arn, healthy, len(states) - healthy))
        return found


@contextlib.contextmanager
def _limited(limit: asyncio.Timeout, timer: Timer, seconds: float) -> Iterator[None]:
    """End what lies within after so many seconds; time in which the machine was late is not the target's."""
    loop = asyncio.get_running_loop()
    pending: list[asyncio.TimerHandle] = []

    def look() -> None:
        left = seconds - timer.seconds
        if left <= 0:
            limit.reschedule(loop.time())
        else:
            pending[:] = [loop.call_later(left + 0.01, look)]

    pending[:] = [loop.call_later(seconds, look)]
    try:
        yield
    finally:
        pending[0].cancel()


def _forwarded(answer: http.Head, length: int, payload: bytes) -> bytes:
    """A target's answer as the user gets it."""
    kept = [
        f"{name}: {value}"
        for name, value in answer.raw
        if name.lower() not in _HOP_BY_HOP and name.lower() not in ("content-length", TAKES)
    ]
    kept.append(f"Content-Length: {length}")
    return "\r\n".join([answer.line, *kept, "", ""]).encode("latin-1") + payload
