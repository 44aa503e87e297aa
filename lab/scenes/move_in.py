"""Moves a live service to the control plane and back under load, as docs/deploy.md (step 7) says.

    python -m lab.scenes.move_in

The old world is what the Load Balancer Controller makes of an Ingress: a load balancer of its own with one
target group, and a Deployment behind it. Weighted DNS is imitated by as many clients on each load balancer as the
weights say; clients that hold old answers for a while are not.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from candlefish.catalog.read import effective
from lab.scenes import driver
from lab.traffic.load import Load, Sample
from lab.world import FIRST_VERSION, World

ENVIRONMENT, SERVICE, OLD = "production", "website", "website-live"
RATE, PHASE = 200.0, 4.0
# Share of the new load balancer: over, and all the way back.
SHARES = (0, 10, 50, 100, 50, 0)


def run(directory: Path) -> int:
    """Print each phase; how many requests failed."""
    with World(directory, say=print) as world:
        world.up((ENVIRONMENT,), ())
        site = world.sites[ENVIRONMENT]
        service = effective(world.catalog.services[SERVICE], world.catalog.environments[ENVIRONMENT])
        old_port = live_service(world, service.port, service.host, service.health_path)
        wait_until_served(old_port, service.host)
        samples: list[Sample] = []
        before = Load(old_port, [service.host], RATE)
        before.start()
        world.invoke(ENVIRONMENT, "onboard", {"service": SERVICE})
        release = driver.start_release(
            world, ENVIRONMENT, SERVICE, FIRST_VERSION, by="developer", reason="move in"
        )
        ended = driver.wait_for(world, ENVIRONMENT, release, seconds=90)
        if ended["status"] != "SUCCEEDED":
            raise RuntimeError(f"the first release ended as {ended['status']}: {ended.get('cause')}")
        wait_until_served(site.port, service.host)
        running = [before]
        for share in SHARES:
            parts = ((old_port, 100 - share), (site.port, share))
            phase = [Load(port, [service.host], RATE * part / 100) for port, part in parts if part]
            for load in phase:
                load.start()
            # Those who follow the new answer are there before the last who had the old one leave.
            samples += [sample for load in running for sample in load.stop()]
            running = phase
            time.sleep(PHASE)
            print(f"{share:3}% on the new load balancer, {sum(s.failed for s in samples)} failed so far")
        samples += [sample for load in running for sample in load.stop()]
        failed = [sample for sample in samples if sample.failed]
        print(f"{len(samples)} requests, {len(failed)} failed")
        for sample in failed[:5]:
            print(f"  {sample}")
        return len(failed)


def live_service(world: World, port: int, host: str, health_path: str) -> int:
    """A Deployment behind a load balancer that knows nothing of the control plane; where it listens."""
    site = world.sites[ENVIRONMENT]
    elbv2 = world.clients(site.region)("elbv2")
    balancer = elbv2.create_load_balancer(
        Name="k8s-live", Subnets=list(site.network.subnets), Type="application"
    )
    nothing = {"StatusCode": "404", "ContentType": "text/plain"}
    listener = elbv2.create_listener(
        LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": nothing}],
    )["Listeners"][0]["ListenerArn"]
    group = elbv2.create_target_group(
        Name="k8s-live-website",
        Protocol="HTTP",
        Port=port,
        VpcId=site.network.vpc,
        TargetType="ip",
        HealthCheckPath=health_path,
        HealthCheckIntervalSeconds=5,
    )["TargetGroups"][0]["TargetGroupArn"]
    elbv2.create_rule(
        ListenerArn=listener,
        Priority=1,
        Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [host]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    namespace = world.catalog.environments[ENVIRONMENT].namespace
    site.cluster.apply(
        _objects(world.image(SERVICE, FIRST_VERSION), port, health_path, group), namespace=namespace
    )
    return world.traffic.listen(listener)


def _objects(image: str, port: int, health_path: str, group: str) -> list[dict[str, Any]]:
    labels = {"app": OLD}
    container = {
        "name": "web",
        "image": image,
        "ports": [{"containerPort": port}],
        "readinessProbe": {"httpGet": {"path": health_path, "port": port}, "periodSeconds": 5},
    }
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    deployment = {"replicas": 2, "selector": {"matchLabels": labels}, "template": pods}
    service = {"selector": labels, "ports": [{"port": port, "targetPort": port}]}
    binding = {"serviceRef": {"name": OLD, "port": port}, "targetGroupARN": group, "targetType": "ip"}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": OLD}, "spec": deployment},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": OLD}, "spec": service},
        {
            "apiVersion": "elbv2.k8s.aws/v1beta1",
            "kind": "TargetGroupBinding",
            "metadata": {"name": OLD},
            "spec": binding,
        },
    ]


def wait_until_served(port: int, host: str, seconds: float = 60) -> None:
    """Wait until the load balancer at a port answers for the host, as one looks before users do."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        look = Load(port, [host], 50)
        look.start()
        time.sleep(0.5)
        if not any(sample.failed for sample in look.stop()):
            return
    raise TimeoutError(f"{host} is not served on port {port} after {seconds:.0f} s")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(1 if run(Path(scratch)) else 0)
