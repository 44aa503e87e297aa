"""Hands a service's users over to the control plane and back, and takes away what the control plane made for it.

By the credentials of whoever asks: the control plane itself may change no DNS for this, and deletes none of its own rules.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from candlefish.adapters.table import keys
from candlefish.errors import Misconfigured, ServiceBusy, Unavailable
from candlefish.release.manifests.model import SERVICE_LABEL
from candlefish.service.model import SLOTS, Quarantine
from candlefish.service.record import ServiceRecord
from cli.adopt import shares
from cli.adopt.clusters import Request
from cli.adopt.facts import Rule
from cli.adopt.look_aws import rules_of
from cli.stack import Stack

# Said in a record that is being closed, and looked for when it is closed once more.
GIVEN_BACK = "it is being given back to what ran before"
# How long a change of DNS is waited for, in seconds.
IN_SYNC = 180.0
# Kinds of a service's objects, those that let targets in first, and where they are.
OBJECTS = (
    "apis/elbv2.k8s.aws/v1beta1/namespaces/{}/targetgroupbindings",
    "apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "apis/apps/v1/namespaces/{}/deployments",
    "api/v1/namespaces/{}/services",
    "api/v1/namespaces/{}/configmaps",
    "apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "apis/batch/v1/namespaces/{}/cronjobs",
    "apis/batch/v1/namespaces/{}/jobs",
    "apis/external-secrets.io/v1/namespaces/{}/externalsecrets",
    "apis/secrets-store.csi.x-k8s.io/v1/namespaces/{}/secretproviderclasses",
)


class Dns:
    """The hosted zone that a host is in."""

    def __init__(self, route53: Any, host: str) -> None:
        self._api, self._host = route53, host
        zones = [
            zone
            for page in route53.get_paginator("list_hosted_zones").paginate()
            for zone in page["HostedZones"]
            if f".{host}".endswith(f".{zone['Name'].rstrip('.')}")
        ]
        if not zones:
            raise Misconfigured(
                f"no hosted zone of this account has {host}: lead its users by hand, where its DNS is, a share at a time; "
                "nothing was changed"
            )
        # Of several the one that says most, and the public one of two that say the same.
        best = max(zones, key=lambda zone: (len(zone["Name"]), not zone.get("Config", {}).get("PrivateZone")))
        self.zone = str(best["Id"]).rpartition("/")[2]

    def records(self) -> list[dict[str, Any]]:
        pages = self._api.get_paginator("list_resource_record_sets").paginate(HostedZoneId=self.zone)
        found = [each for page in pages for each in page["ResourceRecordSets"]]
        return list(map(dict, shares.followed(found, self._host)))

    def change(self, changes: Sequence[dict[str, Any]]) -> None:
        """Make changes, all or none; returns when Route 53 answers by them everywhere."""
        batch = {"Comment": "candlefish take-over", "Changes": list(changes)}
        made = self._api.change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch=batch)["ChangeInfo"]
        until = time.monotonic() + IN_SYNC
        while made["Status"] != "INSYNC":
            if time.monotonic() > until:
                raise Unavailable(
                    f"Route 53 has taken change {made['Id']} and does not answer by it after {IN_SYNC:.0f} s; "
                    "look with: aws route53 get-change, and go on when it says INSYNC"
                )
            time.sleep(1.0)
            made = self._api.get_change(Id=made["Id"])["ChangeInfo"]


def front_of(stack: Stack, record: ServiceRecord) -> dict[str, Any]:
    """The load balancer that a service of the control plane is behind."""
    name = record.load_balancer.split("/")[1]
    elbv2 = stack.client("elbv2")
    found: dict[str, Any] = elbv2.describe_load_balancers(Names=[name])["LoadBalancers"][0]
    return found


def require_ready(stack: Stack, record: ServiceRecord) -> None:
    """Refuse to lead users to a service that cannot serve them.

    Raises
    ------
    Misconfigured
        It has no version yet, its rule does not lead there, or no target is healthy.
    """
    if not record.balanced:
        raise Misconfigured(
            f"{record.service} is not behind a load balancer, so no users are moved to it; nothing to do"
        )
    if record.stable is None:
        raise Misconfigured(
            f"{record.service} has no version yet: candlefish deploy {record.service} IMAGE -e {record.environment}"
        )
    if record.quarantine:
        raise Misconfigured(f"the record of {record.name} is in quarantine: {record.quarantine.reason}")
    group = record.slots[record.stable].target_group
    if not healthy(stack, [group]):
        raise Misconfigured(
            f"no target of {record.service}'s {record.stable} slot is healthy on the load balancer; nothing was changed. "
            f"Look with: candlefish status {record.service} -e {record.environment}"
        )


def healthy(stack: Stack, groups: Sequence[str]) -> int:
    """How many targets of some target groups the load balancer says are healthy."""
    elbv2 = stack.client("elbv2")
    return sum(
        one["TargetHealth"]["State"] == "healthy"
        for group in groups
        for one in elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    )


def answers(rule: Rule, host: str) -> bool:
    """Whether a listener's rule takes requests for a host; * and ? stand for characters, and case is nothing."""
    return not rule.hosts or any(fnmatchcase(host.lower(), each.lower()) for each in rule.hosts)


def require_old_way(stack: Stack, host: str, dns: str) -> None:
    """Refuse to lead users back to where nobody serves them.

    Raises
    ------
    Misconfigured
        The load balancer of before has no healthy target for the host, or is not in this account and region.
    """
    elbv2 = stack.client("elbv2")
    pages = elbv2.get_paginator("describe_load_balancers").paginate()
    found = [
        each
        for page in pages
        for each in page["LoadBalancers"]
        if each["DNSName"].lower().removeprefix("dualstack.") == dns
    ]
    if not found:
        raise Misconfigured(
            f"{host} led to {dns or 'nothing'} before, which is no load balancer of this account in {stack.region}: see "
            "that it serves, then say --unseen; nothing was changed"
        )
    listeners = elbv2.get_paginator("describe_listeners").paginate(
        LoadBalancerArn=found[0]["LoadBalancerArn"]
    )
    groups = [
        group
        for page in listeners
        for listener in page["Listeners"]
        for rule in rules_of(elbv2, listener["ListenerArn"])
        if answers(rule, host)
        for group in rule.groups
    ]
    if not healthy(stack, groups):
        raise Misconfigured(
            f"no target behind {found[0]['LoadBalancerName']} is healthy for {host}: what ran before has to run again "
            "first (its Deployment, its Ingress; helm rollback or kubectl scale); nothing was changed"
        )


def begin_closing(record: ServiceRecord, now: float) -> ServiceRecord:
    """The record by which nobody acts any more, because its service is given back (pure).

    Raises
    ------
    ServiceBusy
        A release, a rollback or a rollback window is under way.
    Misconfigured
        The record is in quarantine for another reason.
    """
    if record.quarantine:
        if record.quarantine.reason == GIVEN_BACK:
            return record
        raise Misconfigured(f"the record of {record.name} is in quarantine: {record.quarantine.reason}")
    if record.holder or record.rollback:
        raise ServiceBusy(
            f"{record.name} is being released or rolled back; give it back when that is over "
            f"(candlefish status {record.service} -e {record.environment})"
        )
    if record.window_until > now:
        raise ServiceBusy(
            f"the rollback window of {record.name} is open for {record.window_until - now:.0f} s more; give it back when it "
            "is closed, or take the version back first"
        )
    return msgspec.structs.replace(record, quarantine=Quarantine(GIVEN_BACK, now))


def take_away(
    stack: Stack, record: ServiceRecord, ask: Request, namespace: str, say: Callable[[str], None]
) -> None:
    """Delete a service's rules, objects, target groups and record, so that nothing of the control plane is left that acts.

    May be run again where it stopped. The ServiceAccount stays: what ran before may use it.
    """
    elbv2 = stack.client("elbv2")
    if record.balanced:
        for rule in filter(None, (record.smoke_rule, record.rule)):
            _gone(elbv2.delete_rule, RuleArn=rule)
        say("rules deleted")
    selector = f"?labelSelector={SERVICE_LABEL}%3D{record.service}"
    for path in OBJECTS:
        status, body = ask(f"/{path.format(namespace)}{selector}")
        if status == 404:
            continue
        if status != 200:
            raise Unavailable(
                f"the cluster answered {status} for {path.rpartition('/')[2]} of {record.service}; run give-back again"
            )
        for each in msgspec.json.decode(body).get("items") or []:
            name = each["metadata"]["name"]
            status, _ = ask(f"/{path.format(namespace)}/{name}?propagationPolicy=Background", "DELETE")
            if status not in (200, 202, 404):
                raise Unavailable(
                    f"the cluster answered {status} when {path.rpartition('/')[2]}/{name} was deleted; run give-back again"
                )
            say(f"{path.rpartition('/')[2]}/{name} deleted")
    if record.balanced:
        for slot in SLOTS:
            _gone(elbv2.delete_target_group, TargetGroupArn=record.slots[slot].target_group)
        say("target groups deleted")
    _forget(stack, record)
    say("record deleted")


def _forget(stack: Stack, record: ServiceRecord) -> None:
    """Delete a record that is as it was when it was closed."""
    try:
        stack.client("dynamodb").delete_item(
            TableName=stack.table,
            Key=keys.RECORD.key(environment=record.environment, service=record.service),
            ConditionExpression="revision = :seen",
            ExpressionAttributeValues={":seen": {"N": str(record.revision)}},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            raise ServiceBusy(
                f"somebody changed the record of {record.name} meanwhile; run give-back again"
            ) from error
        raise


def _gone(delete: Callable[..., Any], **which: str) -> None:
    """Delete something; that it is gone already is as good."""
    try:
        delete(**which)
    except ClientError as error:
        if "NotFound" not in error.response["Error"]["Code"]:
            raise
