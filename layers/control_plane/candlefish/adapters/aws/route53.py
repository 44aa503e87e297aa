"""DNS records in Route 53: the endpoint of a database, and where users of each host are led.

Of a record only where it leads is ours: its routing policy, health check, TTL and the rest stay. What could not be
changed in the middle of a failover is refused when it is read, before anything is cut off.

Route 53 answers queries everywhere, but changes are made through its control plane in us-east-1.
Where that region may be the one that fails, lead users by ARC routing controls (`routing_controls`)
and give databases addresses that need no record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from candlefish.adapters.aws.refusals import aws_call
from candlefish.errors import Misconfigured

# Of a record that is made; one that is there keeps its own.
TTL = 30
PAGE = "100"
# What users of a host follow. HTTPS records are followed too, and lead nowhere by themselves unless they have hints.
FOLLOWED = ("A", "AAAA", "CNAME")
HINTS = ("ipv4hint", "ipv6hint")
# The hosted zone of every CloudFront distribution.
CLOUDFRONT = "Z2FDTNDATAQYW2"

Records = dict[str, dict[str, Any]]


class Cnames:
    """`failover.ports.DnsRecords`."""

    def __init__(self, route53: Any) -> None:
        self._client = route53

    def read(self, zone: str, name: str) -> str:
        return _leads_to(self._cname(zone, name))

    def point(self, zone: str, name: str, value: str) -> None:
        there = self._cname(zone, name)
        made = {"Name": name, "Type": "CNAME"}
        changed = _led(there or made, {"TTL": TTL, "ResourceRecords": [{"Value": value}]})
        _upsert(self._client, zone, [changed], f"pointing {name} at {value}")

    def _cname(self, zone: str, name: str) -> dict[str, Any] | None:
        found = record_sets(self._client, zone, name)
        if other := [kind for kind in ("A", "AAAA") if kind in found]:
            raise Misconfigured(
                f"{name} in zone {zone} has {' and '.join(other)} records, and a failover points a CNAME: make it a "
                "CNAME that leads to the database's or cache's own address"
            )
        return found.get("CNAME")


class AliasRoutes:
    """`failover.ports.Routes` by the hosts' A, AAAA and CNAME records, all hosts in one change batch.

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
            followed = dict.fromkeys(_leads_to(each) for each in self._followed(host).values())
            here = list(followed) == [self._balancer.lower()]
            # Records of one host that lead to different places lead to neither.
            found[host] = self._balancer if here else " and ".join(followed)
        return found

    def lead(self, hosts: Sequence[str]) -> None:
        changes = [change for host in hosts for change in self._changes(host)]
        _upsert(self._client, self._zone, changes, f"leading {len(hosts)} hosts to {self._balancer}")

    def _changes(self, host: str) -> Iterable[dict[str, Any]]:
        there = self._followed(host) or {"A": {"Name": host, "Type": "A"}}
        for record in there.values():
            target = {
                "HostedZoneId": self._balancer_zone,
                "DNSName": self._balancer,
                "EvaluateTargetHealth": record.get("AliasTarget", {}).get("EvaluateTargetHealth", False),
            }
            if record["Type"] == "CNAME" and "AliasTarget" not in record:
                value = [{"Value": self._balancer}]
                yield _led(record, {"TTL": record.get("TTL", TTL), "ResourceRecords": value})
            else:
                yield _led(record, {"AliasTarget": target})

    def _followed(self, host: str) -> Records:
        """The records of a host that lead its users, by type.

        Raises
        ------
        Misconfigured
            One of them is not to be led to a load balancer.
        """
        found = record_sets(self._client, self._zone, host)
        for record in found.values():
            if why := _not_to_be_led(record):
                raise Misconfigured(
                    f"the {record['Type']} record of {host} in zone {self._zone} {why}; a failover leads aliases of "
                    "load balancers and CNAMEs: change it, or lead users by routing controls (docs/recovery.md)"
                )
        return {kind: found[kind] for kind in FOLLOWED if kind in found}


def _not_to_be_led(record: Mapping[str, Any]) -> str:
    alias = record.get("AliasTarget")
    if record["Type"] in ("A", "AAAA") and alias is None:
        return "holds addresses, which would be lost"
    if alias and alias["HostedZoneId"] == CLOUDFRONT:
        return "leads to CloudFront, which would be passed by"
    if record["Type"] == "HTTPS":
        values = " ".join(each["Value"] for each in record.get("ResourceRecords", ()))
        return "has hints of addresses" if any(hint in values for hint in HINTS) else ""
    return ""


def _leads_to(record: Mapping[str, Any] | None) -> str:
    if record is None:
        return ""
    alias, values = record.get("AliasTarget"), record.get("ResourceRecords") or [{"Value": ""}]
    # Route 53 shows names with a dot behind, and load balancers with "dualstack." before.
    name = str(alias["DNSName"] if alias else values[0]["Value"])
    return name.rstrip(".").lower().removeprefix("dualstack.")


def _led(record: Mapping[str, Any], to: Mapping[str, Any]) -> dict[str, Any]:
    """A record that leads elsewhere and is otherwise as it was."""
    kept = {
        key: value for key, value in record.items() if key not in ("AliasTarget", "ResourceRecords", "TTL")
    }
    ttl = {"TTL": record["TTL"]} if "TTL" in record and "TTL" in to else {}
    return {**kept, **to, **ttl}


def record_sets(client: Any, zone: str, name: str) -> Records:
    """The record sets of a name that say where it is found, by type.

    Raises
    ------
    Misconfigured
        There are several of one type, by a routing policy: which one counts cannot be told.
    """
    wanted, found = name.rstrip(".").lower(), list[dict[str, Any]]()
    start: dict[str, Any] = {"StartRecordName": name, "StartRecordType": "A"}
    while start:
        with aws_call(f"reading the records of {name} in zone {zone}"):
            page = client.list_resource_record_sets(HostedZoneId=zone, **start, MaxItems=PAGE)
        same = [each for each in page["ResourceRecordSets"] if each["Name"].rstrip(".").lower() == wanted]
        found += [each for each in same if each["Type"] in (*FOLLOWED, "HTTPS")]
        more = page.get("IsTruncated") and page["NextRecordName"].rstrip(".").lower() == wanted
        start = {f"Start{key}": page[f"Next{key}"] for key in PLACE if f"Next{key}" in page} if more else {}
    by_type: Records = {}
    for each in found:
        if each["Type"] in by_type:
            count = sum(other["Type"] == each["Type"] for other in found)
            raise Misconfigured(
                f"{name} has {count} {each['Type']} records in zone {zone}, by a routing policy; a failover changes a "
                "single one: leave one of them, or lead users by routing controls (docs/recovery.md)"
            )
        by_type[each["Type"]] = each
    return by_type


# Where a page begins.
PLACE = ("RecordName", "RecordType", "RecordIdentifier")


def _upsert(client: Any, zone: str, changed: Sequence[Mapping[str, Any]], what: str) -> None:
    changes = [{"Action": "UPSERT", "ResourceRecordSet": dict(each)} for each in changed]
    with aws_call(f"{what} (zone {zone})"):
        client.change_resource_record_sets(
            HostedZoneId=zone, ChangeBatch={"Comment": "candlefish failover", "Changes": changes}
        )
