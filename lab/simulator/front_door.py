"""The load balancers as a user reaches them: one request, answered by what really runs."""

from __future__ import annotations

from collections.abc import Mapping

from candlefish.release.model import HttpResponse
from candlefish.traffic.rules import SMOKE_HEADER
from lab.simulator.kernel import Kernel
from lab.simulator.load_balancer import LoadBalancer
from lab.simulator.pods import Pods
from lab.simulator.sampling import pick
from lab.simulator.versions import shares


class FrontDoor:
    """`release.ports.Web`."""

    def __init__(self, kernel: Kernel, balancer: LoadBalancer, pods: Pods) -> None:
        self._kernel, self._balancer, self._pods = kernel, balancer, pods
        self._chance = kernel.chance("front door")

    def get(self, listener: str, host: str, path: str, headers: Mapping[str, str]) -> HttpResponse:
        rule = self._balancer.rule_for(listener, host, headers)
        if rule is None:
            return HttpResponse(404, "Not Found")
        arn = pick(self._chance, self._chance.choice(self._balancer.applied(rule)))
        targets = self._balancer.groups[arn].eligible() if arn else []
        if not targets:
            return HttpResponse(503, "Service Temporarily Unavailable")
        process = self._pods.at(self._chance.choice(targets)[0])
        if process is None or process.behaviour is None or process.listens is None:
            return HttpResponse(502, "Bad Gateway")
        behaviour = process.behaviour
        if behaviour.smoke_fails and SMOKE_HEADER in {name.lower() for name in headers}:
            return HttpResponse(500, "Internal Server Error")
        errors, _, lost = shares(behaviour, self._kernel.now() - process.listens)
        if lost and self._chance.random() < lost:
            return HttpResponse(502, "Bad Gateway")
        if self._chance.random() < errors:
            return HttpResponse(behaviour.error_status, "Error")
        return HttpResponse(200, "OK")
