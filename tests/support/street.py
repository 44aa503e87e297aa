"""A street of the lab: a load balancer, target groups, Pods, and users who ask."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from lab.aws.load_balancing import Traffic
from lab.traffic.behaviour import Behaviour
from lab.traffic.load import Load, Sample
from tests.support.lab_account import REGION, Account
from tests.support.waiting import eventually

Pod = dict[str, Any]
# Why the load balancer answers in the place of a target that took a request.
UNANSWERED = ("timeout", "no-answer")


class Street:
    """A load balancer, target groups and Pods to put into them."""

    def __init__(self, account: Account, traffic: Traffic) -> None:
        self.elbv2, self.traffic, self.pods = account.client("elbv2"), traffic, traffic.pods
        ec2 = account.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")[
                "Subnet"
            ]["SubnetId"]
            for n, zone in enumerate("ab")
        ]
        self.balancer = self.elbv2.create_load_balancer(Name="street", Subnets=subnets)["LoadBalancers"][0]
        config = {"StatusCode": "404", "MessageBody": "nothing", "ContentType": "text/plain"}
        self.listener = self.elbv2.create_listener(
            LoadBalancerArn=self.balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": config}],
        )["Listeners"][0]["ListenerArn"]
        self.port = traffic.listen(self.listener)
        self._priority = iter(range(1, 1000))

    def group(self, name: str = "") -> str:
        made = self.elbv2.create_target_group(
            Name=name or f"g-{uuid.uuid4().hex[:8]}",
            Protocol="HTTP",
            Port=8000,
            VpcId=self.vpc,
            TargetType="ip",
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=10,
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def rule(self, host: str, weights: dict[str, int]) -> str:
        made = self.elbv2.create_rule(
            ListenerArn=self.listener,
            Priority=next(self._priority),
            Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [host]}}],
            Actions=[forward(weights)],
        )
        return str(made["Rules"][0]["RuleArn"])

    def pod(self, behaviour: Behaviour | str = "good", version: str = "") -> Pod:
        known = self.traffic.register("api", version or uuid.uuid4().hex[:6], behaviour)
        container = {
            "image": f"registry/api@{known.digest}",
            "ports": [{"containerPort": 8000}],
            "readinessProbe": {"httpGet": {"path": "/health"}, "periodSeconds": 5},
            "lifecycle": {"preStop": {"sleep": {"seconds": 10}}},
        }
        uid = uuid.uuid4().hex
        made = {
            "metadata": {"uid": uid, "name": f"api-{uid[:5]}", "namespace": "prod"},
            "spec": {"containers": [container]},
        }
        self.pods.start(made)
        return made

    def ready_pods(self, count: int, version: str, behaviour: Behaviour | str = "good") -> list[Pod]:
        made = [self.pod(behaviour, version) for _ in range(count)]
        eventually(lambda: all(self.pods.ready(pod) for pod in made))
        return made

    def register(self, group: str, pods: list[Pod]) -> None:
        self.elbv2.register_targets(TargetGroupArn=group, Targets=self._targets(pods))

    def deregister(self, group: str, pods: list[Pod]) -> None:
        self.elbv2.deregister_targets(TargetGroupArn=group, Targets=self._targets(pods))

    def _targets(self, pods: list[Pod]) -> list[dict[str, Any]]:
        return [{"Id": self.pods.address(pod), "Port": 8000} for pod in pods]

    def states(self, group: str) -> list[str]:
        found = self.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return sorted(row["TargetHealth"]["State"] for row in found)

    def serving(self, version: str, behaviour: Behaviour) -> tuple[str, Pod]:
        """One Pod behind a rule of its own that is in effect: the rule's host, and the Pod."""
        group = self.group()
        (pod,) = self.ready_pods(1, version, behaviour)
        self.register(group, [pod])
        host = f"{uuid.uuid4().hex}.test"
        self.rule(host, {group: 100})
        eventually(lambda: self.states(group) == ["healthy"])
        self.in_effect(host)
        return host, pod

    def in_effect(self, host: str) -> list[Sample]:
        """Ask until a rule that was just made is in effect; what reached a Pod meanwhile."""
        answered: list[Sample] = []

        def asked() -> bool:
            samples = self.send(host, 1)
            answered.extend(sample for sample in samples if sample.pod or sample.balancer in UNANSWERED)
            return all(sample.status != 404 for sample in samples)

        eventually(asked)
        return answered

    def send(
        self, host: str, count: int = 200, rate: float = 400, paths: Mapping[str, float] | None = None
    ) -> list[Sample]:
        load = Load(self.port, [host], rate, paths)
        load.start()
        eventually(lambda: load.sent >= count)
        return load.stop()


def forward(weights: dict[str, int]) -> dict[str, Any]:
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
