"""What an alert is about and what it leads to, by the catalog's clues and rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import get_args

from candlefish.catalog.model import FITS, Act, Catalog, Clue, Environment, Severity, Subject
from candlefish.catalog.read import effective
from candlefish.names import former_target_group_name, target_group_name
from candlefish.service.model import SLOTS
from candlefish.signals.clues import missing_clue
from candlefish.signals.model import Alert, Delivery, Signal
from candlefish.signals.things import thing_of

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
# The `severity` of an alarm of which nobody is to hear yet, whatever rule names it (`signals.alarms`).
SILENT = "unproven"


def classify(alert: Alert, delivery: Delivery, *, catalog: Catalog, environment: str) -> Signal:
    """The signal of an alert that the control plane of `environment` got.

    Names are looked up in the environment that the alert names, or in ours when it names none.
    """
    responses = catalog.responses
    clues, labels = responses.clues, alert.labels
    environments = {
        value: env.name
        for env in catalog.environments.values()
        for value in (env.cluster, env.namespace, env.name)
    }
    named = find(clues.environment, labels, environments)
    env = catalog.environment(named or environment)
    kind, subject = _about(alert, catalog, env)
    slot = find(clues.slot, labels, {"blue": "blue", "green": "green"})
    service = catalog.services.get(subject) if kind == "service" else None
    known = {
        **labels,
        "source": delivery.source,
        "environment": named,
        "service": service.name if service else labels.get("service", ""),
        "subject": kind,
    }
    rule = next((r for r in responses.rules.values() if matches(r.match, known)), None)
    alertname = labels.get("alertname", "unnamed alert")
    listed = None if rule else responses.alerts.get(alertname)
    level: Severity = (
        rule.severity
        if rule
        else (listed.severity if listed else None) or level_of(labels.get("severity", ""), responses.levels)
    )
    # Only what is named may act: everybody's alerts arrive here, and few mean that a version is bad.
    do: Act = "notify"
    if rule:
        do = rule.do or responses.actions.get(level, {}).get(kind, "notify")
    elif listed and kind in FITS[listed.do]:
        do = listed.do
    if labels.get("severity") == SILENT:
        level, do = "P2", "nothing"
    return Signal(
        alert=alert,
        source=delivery.source,
        name=alertname,
        environment=named,
        kind=kind,
        subject=subject,
        severity=level,
        do=do,
        observed_at=delivery.observed_at,
        received_at=delivery.received_at,
        slot=slot,
        rule=rule.name if rule else listed.name if listed else "",
        owner=service.owner if service else find(clues.owner, labels, _owners(catalog)),
        runbook=alert.runbook or (rule.runbook if rule else "") or (service.runbook if service else ""),
        why=listed.why if listed else "",
        clue=missing_clue(labels, catalog.services) if kind == "other" else None,
    )


def _owners(catalog: Catalog) -> dict[str, str]:
    """Everybody who may be named as an owner."""
    named = (*catalog.responses.owners, *(service.owner for service in catalog.services.values()))
    return {owner: owner for owner in named if owner}


def level_of(written: str, levels: Mapping[str, Severity]) -> Severity:
    """What the word in a `severity` label means, in whatever letters; one that nobody knows is the lowest."""
    known: dict[str, Severity] = {level: level for level in SEVERITIES}
    said = {word.casefold(): level for word, level in {**known, **levels}.items()}
    return said.get(written.strip().casefold(), "P2")


def _about(alert: Alert, catalog: Catalog, env: Environment) -> tuple[Subject, str]:
    clues = catalog.responses.clues
    databases = {db.name: db.name for db in env.databases}
    databases |= {db.identifier: db.name for db in env.databases}
    databases |= {db.replica.identifier: db.name for db in env.databases if db.replica}
    caches = {cache.name: cache.name for cache in env.caches}
    caches |= {cache.replication_group: cache.name for cache in env.caches}
    services = {effective(s, env).host: s.name for s in catalog.services.values() if s.balanced}
    services |= dict(_target_groups(catalog.services, env.name))
    services |= {name: name for name in catalog.services}
    kinds: tuple[tuple[Subject, Iterable[Clue], Mapping[str, str]], ...] = (
        ("database", clues.database, databases),
        ("cache", clues.cache, caches),
        ("service", clues.service, services),
    )
    for kind, where, known in kinds:
        name = find(where, alert.labels, known)
        if name:
            return kind, name
    return "other", thing_of(alert.labels)


def _target_groups(services: Iterable[str], environment: str) -> Iterator[tuple[str, str]]:
    """What the target groups of services are called, without their slot; an environment's name may have hyphens too."""
    for service, slot in product(services, SLOTS):
        for called in (former_target_group_name, target_group_name):
            yield f"targetgroup/{called(service, environment, slot)}".removesuffix(f"-{slot}"), service


def find(clues: Iterable[Clue], labels: Mapping[str, str], known: Mapping[str, str]) -> str:
    """What the first clue that leads to something known says; empty when none does."""
    for clue in clues:
        match = re.fullmatch(clue.pattern, labels.get(clue.label, ""))
        value = match[1] if match and match.re.groups else match[0] if match else ""
        if value and value in known:
            return known[value]
    return ""


def matches(patterns: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether every pattern matches its label's whole value; a missing label is an empty one.

    Severities are words that every rule set writes in letters of its own.
    """
    return all(
        re.fullmatch(pattern, labels.get(label, ""), re.IGNORECASE if label == "severity" else 0)
        for label, pattern in patterns.items()
    )
