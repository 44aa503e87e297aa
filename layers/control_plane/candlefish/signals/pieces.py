"""Pieces of what sources send, each bounded: labels, times, links, and a fingerprint where a source sends none."""

from __future__ import annotations

import hashlib
from datetime import datetime

from candlefish.errors import InvalidInput
from candlefish.signals.clues import TELLING as WORKLOADS
from candlefish.signals.things import READS as THINGS

# What is kept of one label's name, its value, and a text, in characters, and of one alert, in labels.
# A response carries its signal into a state machine, which takes 256 KiB.
LONGEST_NAME = 128
LONGEST_LABEL = 512
LONGEST_TEXT = 2000
MOST_LABELS = 96
# Labels that say what an alert is about, and lead somewhere; of too many labels these are kept.
TELLING = frozenset(
    [
        *THINGS,
        *WORKLOADS,
        "severity",
        "category",
        "owner",
        "team",
        "slot",
        "environment",
        "cluster",
        "ClusterName",
        "account",
        "region",
        "database",
        "DBInstanceIdentifier",
        "DBClusterIdentifier",
        "dbinstance_identifier",
        "cache",
        "CacheClusterId",
        "ReplicationGroupId",
    ]
)


def fingerprint_of(labels: dict[str, str]) -> str:
    """A fingerprint of labels for sources that send none."""
    return fingerprint("\0".join(f"{name}\0{labels[name]}" for name in sorted(labels)))


def fingerprint(text: str) -> str:
    """A fingerprint of what a source calls one alert: an ARN, a finding's id."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def kept_labels(labels: dict[str, str]) -> dict[str, str]:
    names = sorted(labels, key=lambda name: (name not in TELLING, name))[:MOST_LABELS]
    return {name[:LONGEST_NAME]: labels[name][:LONGEST_LABEL] for name in names}


def moment(text: str, where: str) -> float:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError
        return at.timestamp()
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{where} is {text[:40]!r}; write a time like 2026-11-24T10:00:00Z") from error


def web_link(link: str) -> str:
    return link[:LONGEST_TEXT] if link.startswith(("https://", "http://")) else ""
