"""Findings of AWS' own detectors, as EventBridge sends them: they tell, and never act.

- GuardDuty: https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings_eventbridge.html
- Security Hub CSPM (ASFF): https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html
- Security Hub, since December 2025 (OCSF, one finding an event):
  https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-cwe-event-formats.html

AWS WAF sends no findings; it counts in CloudWatch, whose alarms come in as any other (docs/signals.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from candlefish.catalog.model import Source
from candlefish.signals.model import Alert, Status
from candlefish.signals.pieces import LONGEST_TEXT, fingerprint, kept_labels, moment, web_link

# GuardDuty's numbers, and the words for them, from the highest on:
# https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-severity.html
LEVELS = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"))
LOWEST = "low"
# What an OCSF finding's status is once nothing is left to do about it.
OVER = frozenset({"resolved", "suppressed", "archived"})


class _Service(msgspec.Struct, frozen=True, rename="camel"):
    event_first_seen: str = ""
    archived: bool = False


class _GuardDuty(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    type: str
    severity: float
    updated_at: str
    created_at: str = ""
    title: str = ""
    description: str = ""
    account_id: str = ""
    region: str = ""
    resource: dict[str, Any] = {}
    service: _Service = _Service()


class _Label(msgspec.Struct, frozen=True, rename="pascal"):
    label: str = "INFORMATIONAL"


class _Workflow(msgspec.Struct, frozen=True, rename="pascal"):
    status: str = "NEW"


class _Resource(msgspec.Struct, frozen=True, rename="pascal"):
    id: str = ""


class _Asff(msgspec.Struct, frozen=True, rename="pascal"):
    id: str
    title: str
    updated_at: str
    created_at: str = ""
    first_observed_at: str = ""
    description: str = ""
    product_name: str = ""
    aws_account_id: str = ""
    region: str = ""
    severity: _Label = _Label()
    workflow: _Workflow = _Workflow()
    record_state: str = "ACTIVE"
    resources: list[_Resource] = []
    source_url: str = ""


class _Named(msgspec.Struct, frozen=True):
    name: str = ""
    uid: str = ""


class _Metadata(msgspec.Struct, frozen=True):
    product: _Named = _Named()


class _Cloud(msgspec.Struct, frozen=True):
    account: _Named = _Named()
    region: str = ""


class _FindingInfo(msgspec.Struct, frozen=True):
    uid: str
    title: str
    desc: str = ""
    src_url: str = ""
    first_seen_time_dt: str = ""
    created_time_dt: str = ""
    modified_time_dt: str = ""


class _Ocsf(msgspec.Struct, frozen=True):
    finding_info: _FindingInfo
    time_dt: str = ""
    severity: str = ""
    status: str = ""
    activity_name: str = ""
    metadata: _Metadata = _Metadata()
    cloud: _Cloud = _Cloud()
    resources: list[_Named] = []


class _ImportedV2(msgspec.Struct, frozen=True):
    findings: list[_Ocsf]


class _Imported(msgspec.Struct, frozen=True):
    findings: list[_Asff]


def from_guardduty(detail: Any) -> tuple[Alert, ...]:
    """The alert of a `GuardDuty Finding`; an archived one has ended.

    Raises
    ------
    msgspec.ValidationError, InvalidInput
        It lacks what a finding has.
    """
    found = msgspec.convert(detail, _GuardDuty)
    kind = str(found.resource.get("resourceType", ""))
    return (
        _alert(
            found.id,
            "resolved" if found.service.archived else "firing",
            {
                "alertname": found.type,
                "severity": next((word for least, word in LEVELS if found.severity >= least), LOWEST),
                "resource": " ".join(filter(None, (kind, _named(found.resource)))),
                "account": found.account_id,
                "region": found.region,
            },
            began=found.service.event_first_seen or found.created_at or found.updated_at,
            updated=found.updated_at,
            summary=found.title,
            description=found.description,
            link=f"https://{found.region}.console.aws.amazon.com/guardduty/home?region={found.region}#/findings?search=id%3D{found.id}"
            if found.region
            else "",
        ),
    )


def _named(resource: Mapping[str, Any]) -> str:
    """What a GuardDuty resource is called, for the kinds that have one name."""
    details = (
        ("instanceDetails", "instanceId"),
        ("accessKeyDetails", "userName"),
        ("eksClusterDetails", "name"),
        ("lambdaDetails", "functionName"),
        ("rdsDbInstanceDetails", "dbInstanceIdentifier"),
    )
    for part, name in details:
        if isinstance(said := resource.get(part), dict) and said.get(name):
            return str(said[name])
    return ""


def from_security_hub(detail: Any) -> tuple[Alert, ...]:
    """The alerts of `Security Hub Findings - Imported`; resolved, suppressed and archived findings have ended.

    Raises
    ------
    msgspec.ValidationError, InvalidInput
        They lack what ASFF findings have.
    """
    return tuple(
        _alert(
            found.id,
            "resolved"
            if found.record_state == "ARCHIVED" or found.workflow.status in ("RESOLVED", "SUPPRESSED")
            else "firing",
            {
                "alertname": found.title,
                "severity": found.severity.label.lower(),
                "resource": next((each.id for each in found.resources if each.id), ""),
                "product": found.product_name,
                "account": found.aws_account_id,
                "region": found.region,
            },
            began=found.first_observed_at or found.created_at or found.updated_at,
            updated=found.updated_at,
            summary=found.title,
            description=found.description,
            link=found.source_url,
        )
        for found in msgspec.convert(detail, _Imported).findings
    )


def from_security_hub_v2(detail: Any) -> tuple[Alert, ...]:
    """The alerts of `Findings Imported V2`; closed, resolved, suppressed and archived findings have ended.

    A finding that Security Hub CSPM tells as well, in ASFF, is the same alert.

    Raises
    ------
    msgspec.ValidationError, InvalidInput
        They lack what OCSF findings have.
    """
    return tuple(
        _alert(
            (about := found.finding_info).uid,
            "resolved"
            if found.activity_name.casefold() == "close" or found.status.casefold() in OVER
            else "firing",
            {
                "alertname": about.title,
                # OCSF has one word more than ASFF.
                "severity": {"fatal": "critical"}.get(word := found.severity.lower(), word),
                "resource": next((each.uid for each in found.resources if each.uid), ""),
                "product": found.metadata.product.name,
                "account": found.cloud.account.uid,
                "region": found.cloud.region,
            },
            began=about.first_seen_time_dt or about.created_time_dt or found.time_dt,
            updated=about.modified_time_dt or found.time_dt or about.created_time_dt,
            summary=about.title,
            description=about.desc,
            link=about.src_url,
        )
        for found in msgspec.convert(detail, _ImportedV2).findings
    )


def _alert(
    id: str,
    status: Status,
    labels: dict[str, str],
    *,
    began: str,
    updated: str,
    summary: str,
    description: str,
    link: str,
) -> Alert:
    started, as_of = moment(began, "the beginning of the finding"), moment(updated, "its last change")
    return Alert(
        fingerprint=fingerprint(id),
        status=status,
        labels=kept_labels({**{k: v for k, v in labels.items() if v}, "category": "security"}),
        started_at=min(started, as_of),
        as_of=as_of,
        summary=summary[:LONGEST_TEXT],
        description=description[:LONGEST_TEXT],
        link=web_link(link),
    )


class Findings(NamedTuple):
    """How the events of a detector are read, and what they are called as a source."""

    source: Source
    alerts: Callable[[Any], tuple[Alert, ...]]


# By the event's detail-type.
FINDINGS = {
    "GuardDuty Finding": Findings("guardduty", from_guardduty),
    "Security Hub Findings - Imported": Findings("securityhub", from_security_hub),
    "Findings Imported V2": Findings("securityhub", from_security_hub_v2),
}
