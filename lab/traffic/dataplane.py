"""The process that carries the traffic: load balancer and Pods in one event loop.

Apart from the process that plays AWS, so that neither disturbs the other. The two speak over a
socket in lines of JSON: down come configurations, Pods to start and stop and behaviours; up go target
health, Pod states, which configuration is in effect and, at the end of every period, what was counted.
"""

from __future__ import annotations

import asyncio
import gc
import math
import os
import random
import signal
import socket
import sys
import time
from functools import partial
from typing import Any

import msgspec

from lab.traffic.alb import LoadBalancer
from lab.traffic.behaviour import Behaviour
from lab.traffic.checks import Checks
from lab.traffic.database import Database, SharedDatabase
from lab.traffic.lateness import Lateness
from lab.traffic.pods import Pod, PodSpec, PodStatus
from lab.traffic.routing import Config


class Settings(msgspec.Struct, frozen=True):
    """How the data plane runs. Times are seconds."""

    # Listener ARN -> its load balancer's address, and the port there and on 127.0.0.1; more come with `ports`.
    ports: dict[str, tuple[str, int]] = {}
    # A configuration takes effect this long after it was written.
    propagation: float = 0.2
    # Counts are reported per period of this length, aligned to the clock.
    period: float = 1.0
    # A load balancer gives a target up that is silent for so long in the middle of a request.
    idle: float = 60.0


class DataPlane:
    """Does what the lines say that come down, and sends those that go up."""

    def __init__(self, settings: Settings, writer: asyncio.StreamWriter) -> None:
        self._settings = settings
        self._writer = writer
        self._ports = dict(settings.ports)
        self.lateness = Lateness()
        self._checks = Checks(self.lateness)
        self._balancer = LoadBalancer(
            self._ports, self._health_changed, self._checks, self.lateness, settings.idle
        )
        self._pods: dict[str, Pod] = {}
        self._behaviours: dict[str, Behaviour] = {}
        # By service.
        self._databases: dict[str, SharedDatabase] = {}
        self._applied = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def _up(self, kind: str, value: Any) -> None:
        self._writer.write(msgspec.json.encode({"kind": kind, "value": value}) + b"\n")

    def handle(self, message: dict[str, Any]) -> None:
        """Do what a line says; never waits."""
        kind, value = message["kind"], message["value"]
        if kind == "config":
            self._spawn(self._apply(value["number"], msgspec.convert(value["config"], Config)))
        elif kind == "ports":
            self._ports.update(msgspec.convert(value, dict[str, tuple[str, int]]))
        elif kind == "behaviours":
            self._behaviours.update(msgspec.convert(value, dict[str, Behaviour]))
        elif kind == "database":
            database = msgspec.convert(value["database"], Database)
            self._databases[value["service"]] = SharedDatabase(database, random.Random(value["service"]))
        elif kind == "start":
            self._start(msgspec.convert(value, PodSpec))
        elif kind == "pace":
            self._checks.stretch(value)
        elif kind == "stop":
            pod = self._pods.pop(value, None)
            if pod is not None:
                self._spawn(pod.stop(self._balancer.uses))

    def _start(self, spec: PodSpec) -> None:
        if spec.uid not in self._pods:
            behaviour = partial(self._behaviours.get, spec.digest)
            database = partial(self._databases.get, spec.service)
            self._pods[spec.uid] = Pod(spec, behaviour, self._pod_changed, self._checks, database)

    async def report(self) -> None:
        """Send what was counted, at the end of every period.

        When the machine was too busy for one, the next makes up for it: the state that nothing could change
        meanwhile is that of each of them, and what was counted belongs to the last.
        """
        period = self._settings.period
        number = math.floor(time.time() / period)
        while True:
            await asyncio.sleep((number + 1) * period - time.time())
            ended = range(number, max(number + 1, math.floor(time.time() / period)))
            counted = [
                {"balancer": balancer, "group": arn, "counts": counts}
                for balancer, arn, counts in self._balancer.take_counts()
            ]
            hosts = [
                {"balancer": balancer, "group": arn, "healthy": healthy, "unhealthy": unhealthy}
                for balancer, arn, healthy, unhealthy in self._balancer.host_counts()
            ]
            made, self._checks.made = self._checks.made, 0
            for number in ended:
                last = number == ended[-1]
                value = {
                    "at": number * period,
                    "until": (number + 1) * period,
                    "groups": counted if last else [],
                    "hosts": hosts,
                    "checks": made if last else 0,
                }
                self._up("counts", value)
            number = ended.stop

    async def _apply(self, number: int, config: Config) -> None:
        await asyncio.sleep(self._settings.propagation)
        async with self._applied:
            await self._balancer.apply(config)
            self._up("applied", {"number": number, "at": time.time()})

    def _health_changed(self) -> None:
        self._up("health", self._balancer.health())

    def _pod_changed(self, status: PodStatus) -> None:
        self._up("pod", status)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _serve(connection: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=connection, limit=1 << 24)
    plane: DataPlane | None = None
    while True:
        try:
            line = await reader.readline()
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            # The lab is gone; there is nobody left to serve.
            os._exit(0)
        message = msgspec.json.decode(line)
        if plane is None:
            plane = DataPlane(msgspec.convert(message, Settings), writer)
            working = [asyncio.create_task(work) for work in (plane.report(), plane.lateness.watch())]
            for task in working:
                task.add_done_callback(lambda _: os._exit(1))
        else:
            plane.handle(message)


def main() -> None:
    """Run on the socket whose file descriptor is on the command line, until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    asyncio.run(_serve(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
