"""DNS records in Route 53: the endpoint of a database, and where users of each host are led.

Route 53 answers queries everywhere, but changes are made through its control plane in us-east-1.
Where that region may be the one that fails, lead users by ARC routing controls (`routing_controls`)
and give databases addresses that need no record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from candlefish.adapters.aws.api import aws_call
from candlefish.errors import Misconfigured

TTL = 30


class Cnames:
    """`failover.ports.DnsRecords`."""

    def __init__(self, route53: Any) -> None:
        self._client = route53

    def read(self, zone: str, name: str) -> str:
        found = record(self._client, zone, name, "CNAME")
        return str(found["ResourceRecords"][0]["Value"]).rstrip(".") if found else ""

    def point(self, zone: str, name: str, value: str) -> None:
        change = {"Name": name, "Type": "CNAME", "TTL": TTL, "ResourceRecords": [{"Value": value}]}
        _upsert(self._client, zone, [change], f"pointing {name} at {value}")


class AliasRoutes:
    """`failover.ports.Routes` by alias records, all hosts in one change batch.

    `balancer` and `balancer_zone` are the DNS name and the hosted zone of this site's load balancer.
    """

    def __init__(self, route53: Any, zone: str, balancer: str, balancer_zone: str) -> None:
        self._client = route53
        self._zone = zone
        self._balancer = balancer
        self._balancer_zone = balancer_zone

    def read(self, hosts: Sequence[str]) -> dict[str, str]:
        found = {}
        for host in hosts:
            alias = record(self._client, self._zone, host, "A")
            name = str(alias["AliasTarget"]["DNSName"]) if alias and "AliasTarget" in alias else ""
            # Route 53 shows names with a dot behind, and load balancers with "dualstack." before.
            found[host] = name.rstrip(".").removeprefix("dualstack.")
        return found

    def lead(self, hosts: Sequence[str]) -> None:
        target = {
            "HostedZoneId": self._balancer_zone,
            "DNSName": self._balancer,
            "EvaluateTargetHealth": False,
        }
        changes = [{"Name": host, "Type": "A", "AliasTarget": target} for host in hosts]
        _upsert(self._client, self._zone, changes, f"leading {len(hosts)} hosts to {self._balancer}")


def record(client: Any, zone: str, name: str, kind: str) -> dict[str, Any] | None:
    """The record set of that name and type, None when there is none.

    Raises
    ------
    Misconfigured
        There are several (weighted or failover records): which one counts cannot be told.
    """
    with aws_call(f"reading record {name} in zone {zone}"):
        page = client.list_resource_record_sets(
            HostedZoneId=zone, StartRecordName=name, StartRecordType=kind, MaxItems="10"
        )
    same = [r for r in page["ResourceRecordSets"] if r["Name"].rstrip(".") == name and r["Type"] == kind]
    if len(same) > 1:
        raise Misconfigured(
            f"{name} has {len(same)} {kind} records in zone {zone}; a failover needs a single one without a policy"
        )
    return same[0] if same else None


def _upsert(client: Any, zone: str, records: list[dict[str, Any]], what: str) -> None:
    changes = [{"Action": "UPSERT", "ResourceRecordSet": each} for each in records]
    with aws_call(f"{what} (zone {zone})"):
        client.change_resource_record_sets(
            HostedZoneId=zone, ChangeBatch={"Comment": "candlefish failover", "Changes": changes}
        )
