"""Load balancers that carry traffic: ELBv2's configuration goes to the data plane, its counts to CloudWatch."""

from __future__ import annotations

import itertools
import logging
import math
import socket
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from lab.aws.alb_metrics import put_counts
from lab.moto.alarms import LEAST_MINUTE
from lab.moto.elbv2 import Balancers
from lab.pace import Pace
from lab.traffic.behaviour import Behaviour, Version, version
from lab.traffic.database import Database
from lab.traffic.dataplane import Settings
from lab.traffic.pod_runtime import DataPlanePods
from lab.traffic.pods import PodStatus
from lab.traffic.process import DataPlaneProcess
from lab.traffic.routing import Config

LOG = logging.getLogger("lab")
_LOOK_SECONDS = 0.05
# A minute of idle timeout in the lab's time, but longer than any version of the lab is slow.
_IDLE_SECONDS, _LEAST_IDLE_SECONDS = 60.0, 4.0
# The nodes of a load balancer report a period one after the other: the first at its end, the others later.
_NODES = 3


class Traffic:
    """The data plane under moto's load balancers. `pods` runs the cluster's Pods in it."""

    def __init__(self, time_scale: float, propagation: float = 0.2, pace: Pace | None = None) -> None:
        self._pace = pace or Pace(time_scale)
        self.balancers = Balancers(time_scale)
        self.balancers.install()
        self._versions: dict[str, Version] = {}
        # The weights of all rules: of configurations that are on their way, and when which took effect.
        self._written: dict[int, list[dict[str, int]]] = {}
        self._in_effect: deque[tuple[float, list[dict[str, int]]]] = deque(maxlen=1000)
        self._stopped = threading.Event()
        # Health checks and readiness probes so far.
        self.checks = 0
        # Periods whose counts were reported.
        self.reported = 0
        # Load balancer -> region.
        self._regions: dict[str, str] = {}
        # Listener ARN -> port on 127.0.0.1.
        self.ports: dict[str, int] = {}
        self._process = DataPlaneProcess(
            Settings(
                propagation=propagation,
                period=max(60 / time_scale, LEAST_MINUTE),
                idle=max(_IDLE_SECONDS / time_scale, _LEAST_IDLE_SECONDS),
            )
        )
        # The reports of the last periods, of which not every node has told yet.
        self._late: deque[dict[str, Any]] = deque(maxlen=_NODES)
        self.pods = DataPlanePods(self._process, self._versions.get, time_scale)
        # A check that waits a second in compressed time waits a minute at rest.
        self._pace.changed.append(lambda resting: self._stretch(time_scale if resting else 1.0))

    def start(self) -> None:
        """Feed and listen in the background."""
        threading.Thread(target=self._listen, name="dataplane-reports", daemon=True).start()
        threading.Thread(target=self._feed, name="dataplane-config", daemon=True).start()

    def close(self) -> None:
        """End the data plane."""
        self._stopped.set()
        self.pods.close()
        self._process.close()

    def _stretch(self, factor: float) -> None:
        if not self._stopped.is_set():
            self._process.send("pace", factor)

    def frozen(self) -> AbstractContextManager[None]:
        """Holds the data plane still, as a machine does that is far too busy."""
        return self._process.frozen()

    def standing(self, weights: Mapping[str, int], since: float) -> tuple[float, float]:
        """From when until when a rule had these weights: of the spans that ended after `since`, the first.

        (inf, inf) when it never had, an end of inf when it still has.
        """
        began = math.inf
        for at, known in list(self._in_effect):
            if weights in known:
                began = min(began, at)
            elif at > since and began < math.inf:
                return began, at
            else:
                began = math.inf
        return began, math.inf

    def listen(self, listener: str, port: int = 0) -> int:
        """Serve a listener on a port of 127.0.0.1 (a free one for 0) and of its load balancer's address; the port."""
        if port == 0:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
        self.ports[listener] = port
        own = self.balancers.reached_at(listener, port)
        self._process.send("ports", {listener: [own, port]})
        return port

    # --- versions --------------------------------------------------------------------------------

    def register(self, service: str, name: str, behaviour: str | Behaviour = "good") -> Version:
        """Put a version of a service in the registry, or change what it does from now on."""
        made = version(service, name, behaviour)
        self._versions[made.digest] = made
        self._process.send("behaviours", {made.digest: made.behaviour})
        return made

    def versions(self) -> list[Version]:
        """The registry."""
        return list(self._versions.values())

    def database(self, service: str, database: Database) -> None:
        """Say from now on what the database can do that all versions of a service share; by default anything."""
        self._process.send("database", {"service": service, "database": database})

    # --- down and up -------------------------------------------------------------------------------

    def _feed(self) -> None:
        last, numbers = None, itertools.count()
        while not self._stopped.wait(self._pace.pause(_LOOK_SECONDS)):
            try:
                config = self.balancers.config()
            except Exception:
                LOG.exception("the load balancer's configuration could not be read")
                continue
            if config != last:
                last = config
                self._regions = {listener.load_balancer: listener.region for listener in config.listeners}
                number = next(numbers)
                self._written[number] = _weights(config)
                self._process.send("config", {"number": number, "config": config})

    def _listen(self) -> None:
        for kind, value in self._process.reports():
            self._keep(kind, value)
        if not self._stopped.is_set():
            LOG.error("the data plane ended; there is no traffic any more")

    def _keep(self, kind: str, value: Any) -> None:
        if kind == "health":
            self.balancers.set_health({arn: [tuple(row) for row in rows] for arn, rows in value.items()})
        elif kind == "pod":
            self._pace.stir()
            self.pods.update(msgspec.convert(value, PodStatus))
        elif kind == "applied":
            self._in_effect.append((value["at"], self._written.pop(value["number"])))
        elif kind == "counts":
            self.checks += value["checks"]
            self.reported += 1
            if value["groups"]:
                self._pace.stir()
            self._late.appendleft(value)
            for node, report in enumerate(self._late):
                put_counts(report, self._regions, node, _NODES)


def _weights(config: Config) -> list[dict[str, int]]:
    return [dict(rule.action.weights) for listener in config.listeners for rule in listener.rules]
