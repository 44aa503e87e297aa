"""Who asks another company's services: users who go where DNS leads them, and callers inside the cluster.

Each accounts for every request; none follows the control plane, all follow what it moves.
"""

from __future__ import annotations

import random
import threading

import msgspec
import urllib3

from lab.kube.cluster import FakeCluster
from lab.kube.controllers.endpoints import backends
from lab.kube.kinds import SERVICE
from lab.looks import looks
from lab.scenes.move_in import Users
from lab.world import World


class Old(msgspec.Struct, frozen=True):
    """What the controller made of an Ingress: where its load balancer listens, and what DNS calls it."""

    port: int
    dns: str


class Resolvers:
    """Users of a zone's host who go where DNS says, by the weights of its records. They follow a change within moments."""

    def __init__(self, world: World, region: str, host: str, old: Old) -> None:
        self._world, self._region, self._host, self._old = world, region, host, old
        self._users = Users(host, old.port, 0)
        self._share, self._stopping = -1, threading.Event()
        self._look()
        self._thread = threading.Thread(target=self._follow, name="resolvers", daemon=True)
        self._thread.start()

    def stop(self) -> Users:
        """Let all of them end what they asked."""
        self._stopping.set()
        self._thread.join()
        self._users.leave()
        return self._users

    def _follow(self) -> None:
        while not self._stopping.wait(0.2):
            self._look()

    def _look(self) -> None:
        route53 = self._world.clients(self._region)("route53")
        (zone,) = route53.list_hosted_zones()["HostedZones"]
        found = [
            each
            for each in route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
            if each["Name"].rstrip(".") == self._host and each["Type"] == "A"
        ]
        new = [each for each in found if each["AliasTarget"]["DNSName"].rstrip(".") != self._old.dns]
        share = int(new[0].get("Weight", 100)) if new else 0
        if share == self._share:
            return
        if share:
            self._users.lead_to(self._port(new[0]["AliasTarget"]["DNSName"].rstrip(".")))
        self._share = share
        self._users.share(share)

    def _port(self, dns: str) -> int:
        elbv2 = self._world.clients(self._region)("elbv2")
        for each in elbv2.describe_load_balancers()["LoadBalancers"]:
            if each["DNSName"] == dns:
                (listener,) = elbv2.describe_listeners(LoadBalancerArn=each["LoadBalancerArn"])["Listeners"]
                return self._world.traffic.ports[listener["ListenerArn"]]
        raise LookupError(f"nothing answers at {dns}")


class Callers:
    """Who calls a Service from inside the cluster, as kube-proxy leads them: to any of its ready Pods, by chance."""

    def __init__(self, cluster: FakeCluster, namespace: str, service: str, port: int) -> None:
        self._cluster, self._namespace, self._service, self._port = cluster, namespace, service, port
        for _ in looks(60):
            if endpoints(cluster, namespace, service):
                break
        self._pool = urllib3.PoolManager(retries=False, timeout=10.0)
        self._ended = threading.Event()
        self.asked, self.failed = 0, [""] * 0
        self._thread = threading.Thread(target=self._call, name="callers", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the last one end what it asked."""
        self._ended.set()
        self._thread.join()

    def _call(self) -> None:
        chance = random.Random(1)
        while not self._ended.wait(0.02):
            pods = endpoints(self._cluster, self._namespace, self._service)
            self.asked += 1
            if not pods:
                self.failed.append("the Service leads nowhere")
                continue
            # Connections are kept, and used while the Service leads to their Pod.
            try:
                answer = self._pool.request("GET", f"http://{chance.choice(pods)}:{self._port}/")
            except urllib3.exceptions.HTTPError as error:
                self.failed.append(f"{type(error).__name__}: {error}")
                continue
            if answer.status >= 500:
                self.failed.append(f"status {answer.status}")


def endpoints(cluster: FakeCluster, namespace: str, service: str) -> list[str]:
    """Addresses of the Pods that a Service leads to."""
    found = cluster.store.get(SERVICE, namespace, service)
    assert found, f"there is no Service {service}"
    return [each["status"]["podIP"] for each in backends(cluster.store, found)]
