"""Moves a live service to the control plane and back under load, as docs/deploy.md (step 7) says.

    candlefish lab move-in

The old world is what the Load Balancer Controller makes of an Ingress: a load balancer of its own with one
target group, and a Deployment behind it. Weighted DNS is imitated by as many clients on each load balancer as the
weights say; clients that hold old answers for a while are not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from candlefish.catalog.model import Environment, Service
from candlefish.catalog.read import effective
from lab.choices import bare, judged
from lab.kube.pod_security import RESTRICTED
from lab.looks import looks
from lab.scenes.bring_up import release_first_versions
from lab.scenes.ingress import binding, led_to, listening
from lab.traffic.load import Load, Sample
from lab.world import FIRST_VERSION, World

RATE, PHASE = 200.0, 4.0
# Share of the new load balancer: over, and all the way back.
SHARES = (0, 10, 50, 100, 50, 0)


def run(directory: Path, say: Callable[[str], None]) -> int:
    """Say how each phase goes; how many requests failed."""
    with World(directory, say=say) as world:
        environment, name = judged(world.catalog), bare(world.catalog)
        world.up((environment.name,))
        port = world.sites[environment.name].port
        service = effective(world.catalog.services[name], environment)
        old_port = live_service(world, environment, service)
        wait_until_served(old_port, service.host)
        users = Users(service.host, old_port, port)
        users.share(0)
        release_first_versions(world, environment.name, (name,))
        wait_until_served(port, service.host)
        for share in SHARES:
            users.share(share)
            time.sleep(PHASE)
            say(f"{share:3}% on the new load balancer, {users.failed()} failed so far")
        users.leave()
        say(f"{len(users.samples)} requests, {users.failed()} failed")
        for sample in [sample for sample in users.samples if sample.failed][:5]:
            say(f"  {sample}")
        return users.failed()


class Users:
    """Who asks for the host, on the old load balancer and on the new one."""

    def __init__(self, host: str, old_port: int, new_port: int) -> None:
        self._host, self._old_port, self._new_port = host, old_port, new_port
        self._running: list[Load] = []
        self.samples: list[Sample] = []

    def lead_to(self, port: int) -> None:
        """Say where the new load balancer listens, for shares from now on."""
        self._new_port = port

    def share(self, percent: int) -> None:
        """Let this share of them ask the new load balancer."""
        parts = ((self._old_port, 100 - percent), (self._new_port, percent))
        following = [Load(port, [self._host], RATE * part / 100) for port, part in parts if part]
        for load in following:
            load.start()
        # Those who follow the new answer are there before the last who had the old one leave.
        self.leave()
        self._running = following

    def leave(self) -> None:
        """Let all of them end what they asked."""
        self.samples += [sample for load in self._running for sample in load.stop()]
        self._running = []

    def failed(self) -> int:
        return sum(sample.failed for sample in self.samples)


def live_service(world: World, environment: Environment, service: Service) -> int:
    """A Deployment behind a load balancer that knows nothing of the control plane; where it listens."""
    site = world.sites[environment.name]
    elbv2 = world.clients(site.region)("elbv2")
    _, listener = listening(elbv2, "k8s-live", list(site.network.subnets))
    group = {
        "Name": f"k8s-live-{service.name}"[:32],
        "Port": service.port,
        "VpcId": site.network.vpc,
        "HealthCheckPath": service.health_path,
    }
    made = led_to(elbv2, listener, service.host, group, Priority=1)
    image = world.image(service.name, FIRST_VERSION)
    site.cluster.apply(_objects(service, image, made), namespace=environment.namespace)
    return world.traffic.listen(listener)


def _objects(service: Service, image: str, group: str) -> list[dict[str, Any]]:
    old, port = f"{service.name}-live", service.port
    labels = {"app": old}
    container = {
        "name": "web",
        "image": image,
        "ports": [{"containerPort": port}],
        "readinessProbe": {"httpGet": {"path": service.health_path, "port": port}, "periodSeconds": 5},
        # The namespace enforces Pod Security.
        "securityContext": RESTRICTED,
    }
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    deployment = {"replicas": 2, "selector": {"matchLabels": labels}, "template": pods}
    before = {"selector": labels, "ports": [{"port": port, "targetPort": port}]}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": old}, "spec": deployment},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": old}, "spec": before},
        binding(old, old, port, group),
    ]


def wait_until_served(port: int, host: str, seconds: float = 60) -> None:
    """Wait until the load balancer at a port answers for the host, as one looks before users do."""
    for _ in looks(seconds):
        look = Load(port, [host], 50)
        look.start()
        time.sleep(0.5)
        if not any(sample.failed for sample in look.stop()):
            return
    raise TimeoutError(f"{host} is not served on port {port} after {seconds:.0f} s")
