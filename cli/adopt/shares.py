"""How the users of a host are shared between the way they came before and the control plane, in DNS. Pure.

Before it is shared a host has one record of a type. Shared, it has two by weight: BEFORE leads where the record led,
OURS to the control plane's load balancer. Given back, it has the one record again, letter for letter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from candlefish.errors import Misconfigured

BEFORE, OURS = "before-candlefish", "candlefish"
FOLLOWED = ("A", "AAAA", "CNAME")
# Resolvers keep an alias to a load balancer so long, in seconds.
ALIAS_TTL = 60

Record = Mapping[str, Any]
Change = dict[str, Any]


def followed(records: Sequence[Record], host: str) -> list[Record]:
    """The records of a host that lead its users."""
    return [
        each
        for each in records
        if each["Name"].rstrip(".").lower() == host.lower() and each["Type"] in FOLLOWED
    ]


def shared(records: Sequence[Record], host: str, dns: str, zone: str, share: int) -> list[Change]:
    """What to change so that `share` percent of a host's users come to the load balancer `dns` of hosted zone `zone`.

    Raises
    ------
    Misconfigured
        The host has no record, or some that are not two by weight of ours.
    """
    found = followed(records, host)
    if not found:
        raise Misconfigured(
            f"{host} has no A, AAAA or CNAME record in the hosted zone: make the one that its users follow, or lead them "
            f"by hand, where its DNS is, to {dns}; nothing was changed"
        )
    changes: list[Change] = []
    for kind in dict.fromkeys(each["Type"] for each in found):
        same = [each for each in found if each["Type"] == kind]
        before = _before(same, host)
        if "SetIdentifier" not in before:
            changes.append(_change("DELETE", before))
        changes.append(_change("UPSERT", _weighted(before, BEFORE, 100 - share)))
        changes.append(_change("UPSERT", _weighted(_led(before, dns, zone), OURS, share)))
    return changes


def given_back(records: Sequence[Record], host: str) -> list[Change]:
    """What to change so that a host has one record again, as before; nothing where it has.

    Raises
    ------
    Misconfigured
        Its users are still led to the control plane, or its records are none of ours.
    """
    changes: list[Change] = []
    found = followed(records, host)
    for kind in dict.fromkeys(each["Type"] for each in found):
        same = [each for each in found if each["Type"] == kind]
        before = _before(same, host)
        if "SetIdentifier" not in before:
            continue
        if any(each["Weight"] for each in same if each["SetIdentifier"] == OURS):
            raise Misconfigured(
                f"users of {host} are still led to the control plane; say --share 0 first; nothing was changed"
            )
        simple = {key: value for key, value in before.items() if key not in ("SetIdentifier", "Weight")}
        changes += [_change("DELETE", each) for each in same]
        changes.append(_change("UPSERT", simple))
    return changes


def is_shared(records: Sequence[Record], host: str) -> bool:
    """Whether a host has the two records by weight, whatever their weights are."""
    return any(each.get("SetIdentifier") == OURS for each in followed(records, host))


def share_of(records: Sequence[Record], host: str) -> int:
    """How many percent of a host's users are led to the control plane; 0 where nothing is shared."""
    ours = [each for each in followed(records, host) if each.get("SetIdentifier") == OURS]
    return max((int(each["Weight"]) for each in ours), default=0)


def ttl_of(records: Sequence[Record], host: str) -> int:
    """How long resolvers keep an answer, in seconds."""
    return max((int(each.get("TTL", ALIAS_TTL)) for each in followed(records, host)), default=ALIAS_TTL)


def leads_to(records: Sequence[Record], host: str) -> str:
    """Where the way of before leads: the name of a load balancer, or an address."""
    for each in followed(records, host):
        if each.get("SetIdentifier", BEFORE) == BEFORE:
            return _name(each)
    return ""


def _before(same: Sequence[Record], host: str) -> Record:
    """The record of the way of before."""
    simple = [each for each in same if "SetIdentifier" not in each]
    ours = {each.get("SetIdentifier"): each for each in same if "Weight" in each}
    if len(same) == 1 and simple:
        return simple[0]
    if set(ours) == {BEFORE, OURS} and len(same) == len(ours):
        return ours[BEFORE]
    raise Misconfigured(
        f"{host} has {len(same)} {same[0]['Type']} records by a policy of your own "
        f"({', '.join(str(each.get('SetIdentifier')) for each in same)}): lead its users by hand, or leave one record; "
        "nothing was changed"
    )


def _led(before: Record, dns: str, zone: str) -> Record:
    """A record that leads to a load balancer, of the same type as the one of before."""
    base = {"Name": before["Name"], "Type": before["Type"]}
    if before["Type"] == "CNAME" and "AliasTarget" not in before:
        return {**base, "TTL": before.get("TTL", ALIAS_TTL), "ResourceRecords": [{"Value": dns}]}
    alias = {"HostedZoneId": zone, "DNSName": dns, "EvaluateTargetHealth": False}
    return {**base, "AliasTarget": alias}


def _weighted(record: Record, identifier: str, weight: int) -> Record:
    return {**record, "SetIdentifier": identifier, "Weight": weight}


def _change(action: str, record: Record) -> Change:
    return {"Action": action, "ResourceRecordSet": dict(record)}


def _name(record: Record) -> str:
    values = record.get("ResourceRecords") or [{"Value": ""}]
    name = str(record["AliasTarget"]["DNSName"] if "AliasTarget" in record else values[0]["Value"])
    return name.rstrip(".").lower().removeprefix("dualstack.")
