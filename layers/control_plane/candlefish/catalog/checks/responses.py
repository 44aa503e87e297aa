"""Responses whose patterns are sound, whose actions fit their subject, whose limits limit something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

from candlefish.catalog.checks.patterns import why_slow
from candlefish.catalog.model import FITS, Catalog, Responses, Source, Subject, suggest
from candlefish.catalog.problems import CatalogProblem, Path
from candlefish.catalog.stack_parameters import LONGEST

# What stands before a topic's name in its ARN, at most, in characters.
ARN_OF_TOPIC = 50
SOURCES, SUBJECTS = get_args(Source), get_args(Subject)
# What the secret has beside webhooks (adapters/http/slack_secret.py).
NOT_CHANNELS = frozenset({"token", "channels"})


def responses(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Patterns compile and can match, actions fit, limits are limits."""
    here: Path = ("responses",)
    yield from _owners(here, catalog)
    yield from _patterns(here, catalog.responses)
    yield from _actions(here, catalog.responses)
    guard = catalog.responses.guard
    for field in ("rollback", "hold", "failover", "notify"):
        if getattr(guard.cooldown, field) <= 0:
            what = f"without a cooldown one alert could lead to any number of {field} actions"
            yield CatalogProblem((*here, "guard", "cooldown", field), what, "write a length of time like 15m")
    for field in ("stale_after", "budget_window", "verify_within"):
        if getattr(guard, field) <= 0:
            yield CatalogProblem(
                (*here, "guard", field), "a limit of 0 lets nothing work", "write a length of time"
            )
    if guard.verify_within > 300:
        what = f"{guard.verify_within} is long to find out that a rollback did not work"
        yield CatalogProblem((*here, "guard", "verify_within"), what, "write 5m or less")


def _owners(here: Path, catalog: Catalog) -> Iterator[CatalogProblem]:
    owners = catalog.responses.owners
    for name, owner in owners.items():
        if not (owner.slack or owner.topic):
            what = f"{name} has neither a Slack channel nor a topic, so its news goes where everybody's goes"
            yield CatalogProblem((*here, "owners", name), what, "write slack, topic, or leave it out")
        if owner.slack in NOT_CHANNELS:
            what = f"{owner.slack} is what Slack's secret calls something else, and no channel"
            yield CatalogProblem((*here, "owners", name, "slack"), what, "give the channel another name")
    topics = {owner.topic for owner in owners.values() if owner.topic}
    if sum(ARN_OF_TOPIC + len(topic) for topic in topics) > LONGEST / 2:
        what = f"the ARNs of {len(topics)} topics in two regions are more than a parameter of the stack takes"
        yield CatalogProblem((*here, "owners"), what, "let owners share a topic, or read Slack")


def _patterns(here: Path, value: Responses) -> Iterator[CatalogProblem]:
    for field in value.clues.__struct_fields__:
        for index, clue in enumerate(getattr(value.clues, field)):
            path = (*here, "clues", field, index, "pattern")
            yield from _pattern(path, clue.pattern, group=True)
    for name, rule in value.rules.items():
        path = (*here, "rules", name, "match")
        if not rule.match:
            yield CatalogProblem(
                path, "a rule without patterns matches every alert", "write what it is about"
            )
        for label, pattern in rule.match.items():
            yield from _pattern((*path, label), pattern)
        for label, known in (("source", SOURCES), ("subject", SUBJECTS)):
            wanted = rule.match.get(label)
            if wanted is not None and not _sound(wanted):
                continue
            if wanted is not None and not any(re.fullmatch(wanted, each) for each in known):
                what = f"{wanted!r} matches no {label}, so the rule never applies"
                yield CatalogProblem((*path, label), what, suggest(wanted, known))


def _pattern(path: Path, pattern: str, *, group: bool = False) -> Iterator[CatalogProblem]:
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        what = f"{pattern!r} is no regular expression: {error}"
        yield CatalogProblem(path, what, "mend it; it must match a label's whole value")
        return
    if slow := why_slow(pattern):
        what = f"{pattern!r} {slow}: one alert could keep all others waiting"
        yield CatalogProblem(path, what, "write it simpler, like .*ErrorRateHigh.* or (.+)-blue")
    if group and not compiled.groups:
        what = f"{pattern!r} has no group, so it names nothing"
        yield CatalogProblem(path, what, "put the part that is the name in parentheses, like (.+)-blue")


def _sound(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return not why_slow(pattern)


def _actions(here: Path, value: Responses) -> Iterator[CatalogProblem]:
    for severity, table in value.actions.items():
        for subject, act in table.items():
            if subject not in FITS[act]:
                what = f"{act} cannot be done to {subject}"
                fix = f"write {act} for {' or '.join(FITS[act])}, or another action here"
                yield CatalogProblem((*here, "actions", severity, subject), what, fix)
    for name, rule in value.rules.items():
        wanted = rule.match.get("subject")
        if rule.do is None or len(FITS[rule.do]) == len(SUBJECTS):
            continue
        fitting = FITS[rule.do]
        if wanted is None or not _sound(wanted):
            what = f"{rule.do} can only be done to {' or '.join(fitting)}, and the rule matches any subject"
            yield CatalogProblem(
                (*here, "rules", name, "do"), what, f"add subject: {'|'.join(fitting)} to match"
            )
        elif any(re.fullmatch(wanted, each) for each in SUBJECTS if each not in fitting):
            what = f"{rule.do} can only be done to {' or '.join(fitting)}, and the rule matches {wanted!r}"
            yield CatalogProblem((*here, "rules", name, "do"), what, f"write subject: {'|'.join(fitting)}")
