"""Route 53 as it refuses: moto takes record sets that cannot stand beside each other.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

from typing import Any

from moto.route53.exceptions import Route53ClientError
from moto.route53.models import Route53Backend

from lab.moto import replace


class InvalidChangeBatch(Route53ClientError):
    """Nothing of the batch is changed."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidChangeBatch", message)


def install() -> None:
    """Refuse what Route 53 refuses before anything is changed."""
    change = Route53Backend.change_resource_record_sets

    def refusing(backend: Any, zoneid: str, change_list: list[dict[str, Any]]) -> None:
        zone = backend.get_hosted_zone(zoneid)
        # What the batch itself deletes is in nobody's way.
        gone = [_key(each["ResourceRecordSet"]) for each in change_list if each["Action"] == "DELETE"]
        for each in change_list:
            if each["Action"] != "DELETE":
                _refuse(zone, each["ResourceRecordSet"], gone)
        change(backend, zoneid, change_list)

    replace(Route53Backend, "change_resource_record_sets", refusing)


def _key(record: dict[str, Any]) -> tuple[str, str, str | None]:
    return record["Name"].rstrip(".") + ".", record["Type"], record.get("SetIdentifier")


def _refuse(zone: Any, asked: dict[str, Any], gone: list[tuple[str, str, str | None]]) -> None:
    name, kind, policy = _key(asked)
    there = [
        each
        for each in zone.rrsets
        if each.name.rstrip(".") + "." == name and (name, each.type, each.set_identifier) not in gone
    ]
    what = f"RRSet with DNS name {name}, type {kind}"
    if any((each.set_identifier is None) != (policy is None) for each in there if each.type == kind):
        raise InvalidChangeBatch(
            f"[{what}, SetIdentifier {policy} cannot be created as other RRSets exist with the same name and type.]"
        )
    if any((each.type == "CNAME") != (kind == "CNAME") for each in there):
        raise InvalidChangeBatch(
            f"[{what} is not permitted as it conflicts with other records with the same DNS name in zone]"
        )
    if ("AliasTarget" in asked) == ("ResourceRecords" in asked):
        raise InvalidChangeBatch(
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords]]"
        )
