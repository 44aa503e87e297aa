"""What the reconciler of traffic reads: the rules of every listener, the marks on them, executions.

What a look costs does not grow with the services: the rules by one call for each listener. What would cost a call for
each service is asked for where something is wrong, and of the others by turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from candlefish.errors import ControlPlaneError, Retryable, Throttled
from candlefish.ports import Execution, Executions
from candlefish.service.model import RecordMark, other
from candlefish.service.record import AllRecords, ServiceRecord
from candlefish.traffic.ports import TAGS_AT_ONCE, Rules, RuleTags
from candlefish.traffic.rules import weights_of
from candlefish.traffic.shadow import Shadow, beside

# How many marks and executions a look asks for by turns, and how many marks when something is wrong.
BY_TURNS = TAGS_AT_ONCE
IN_DOUBT = 10 * TAGS_AT_ONCE
# Seconds that looking at one service and putting it right may take where AWS is slow.
ENOUGH = 1.5


class TrafficFacts(msgspec.Struct, frozen=True):
    """What the world says of one service. `weights` is None when the rule could not be read.

    `written` is the mark of the record that the rule followed last, None when it could not be read, and unset when it
    was not this service's turn. Step Functions knows nothing of an execution that is None; it was not `asked` when it
    was not their turn.
    """

    weights: Mapping[str, int] | None
    written: RecordMark | UnsetType | None = RecordMark()
    holder: Execution | None = None
    watch: Execution | None = None
    asked: bool = True

    def behind(self, record: ServiceRecord) -> bool:
        """Whether the rule is known to follow an older record."""
        return isinstance(self.written, RecordMark) and self.written < record.mark


# The rules of each listener by their ARN; None where they could not be read.
Listed = Mapping[str, Mapping[str, Mapping[str, Any]] | None]


def list_rules(listeners: Iterable[str], rules: Rules, left: Callable[[], float], now: float) -> Listed:
    """The rules of every listener. One that is gone has none: its services' rules are asked for by name.

    Whose turn it is comes first, so that one that does not answer keeps the others from being looked at only once.
    """
    found: dict[str, Mapping[str, Mapping[str, Any]] | None] = {}
    busy = False
    for listener in by_turns(list(dict.fromkeys(listeners)), 1, now):
        if busy or left() < ENOUGH:
            found[listener] = None
            continue
        try:
            found[listener] = {rule["RuleArn"]: rule for rule in rules.listed(listener)}
        except Throttled:
            # What is left of the load balancer's calls is for those who shift traffic; the next look is soon.
            found[listener], busy = None, True
        except Retryable:
            found[listener] = None
        except ControlPlaneError:
            found[listener] = {}
    return found


class ChangedBeside(msgspec.Struct, frozen=True):
    """That others changed what they have on the load balancer for a service; it is told, and left as it is."""

    now: tuple[str, ...]
    words: str


def changed_beside(
    record: ServiceRecord, ours: Mapping[str, Any], shadows: Iterable[Shadow]
) -> ChangedBeside | None:
    """What others changed since the last look: a login before the forward, a rule in front (pure)."""
    now = beside(ours, shadows)
    if now == record.beside:
        return None
    came = [each for each in now if each not in record.beside]
    went = [each for each in record.beside if each not in now]
    said = [f"new: {', '.join(came)}"] * bool(came) + [f"gone: {', '.join(went)}"] * bool(went)
    what = "; ".join(said) or f"in another order: {', '.join(now)}"
    return ChangedBeside(
        now,
        f"somebody changed what else is done with requests for {record.name}: {what}. Nothing was changed here",
    )


def by_turns(names: Sequence[str], at_once: int, now: float) -> list[str]:
    """All names, those whose turn it is in this minute first (pure)."""
    first = int(now // 60) * at_once % len(names) if len(names) > at_once else 0
    return [*names[first:], *names[:first]]


def executions_due(known: Iterable[ServiceRecord], now: float) -> set[str]:
    """The services whose executions Step Functions is asked about, by turns (pure).

    That an execution ended is news. Asking is for news that got lost; a lease that has run out needs no asking.
    """
    alive = [each.service for each in known if each.holder or needs_watch(each)]
    return set(by_turns(alive, BY_TURNS, now)[:BY_TURNS])


def executions_of(record: ServiceRecord) -> tuple[str, str]:
    """The names of the executions that are about a service: its release's and its watch's."""
    holder = record.holder.execution if record.holder else ""
    return holder.rpartition(":")[2], record.watcher


def needs_watch(record: ServiceRecord) -> bool:
    """Whether somebody has to watch over a service that nobody holds: its idle slot still has capacity.

    Whose retirement was begun is retired by the cluster's reconciler, should the watch not come to it.
    """
    if record.stable is None or record.holder:
        return False
    idle = record.slots[other(record.stable)]
    return bool(idle.running and not idle.retiring)


# What was asked of rules' tags: what they say, by the rule's ARN; None where they could not be read.
Asked = Mapping[str, RuleTags | None]


def read_tags(
    known: AllRecords,
    wrong: Sequence[str],
    listed: Listed,
    environment: str,
    rules: Rules,
    now: float,
) -> Asked:
    """The tags of the rules with which something is wrong, and of some others by turns.

    Of more others as soon as one shows that the record it followed was lost, or is newer than what is stored: then the
    whole table may be.
    """
    marks = {each.rule: each.mark for each in known}
    smoke = {each.smoke_rule for each in known}
    others = sorted({arn for each in listed.values() for arn in each or ()} - smoke - set(wrong))
    order = [*wrong, *by_turns(others, BY_TURNS, now)]
    unreadable = {each.service for each in known.unreadable}
    found: dict[str, RuleTags | None] = {}
    least = min(len(wrong) + BY_TURNS, IN_DOUBT)

    def doubtful(arn: str, said: RuleTags | None) -> bool:
        if said is None or said.environment != environment or said.service in unreadable:
            return False
        return arn not in marks or said.mark > marks[arn]

    for first in range(0, min(len(order), IN_DOUBT), TAGS_AT_ONCE):
        if first >= least and not any(doubtful(*each) for each in found.items()):
            break
        some = order[first : first + TAGS_AT_ONCE]
        try:
            found |= rules.tags(some)
        except ControlPlaneError:
            found |= dict.fromkeys(some)
    return found


def mark_on(rule: str, tags: Asked, *, needed: bool) -> RecordMark | UnsetType | None:
    """The mark on a rule; None where it could not be read, or is needed and was not."""
    if rule not in tags:
        return None if needed else UNSET
    said = tags[rule]
    return said.mark if said else None


def gather_facts(
    record: ServiceRecord, listed: Listed, rules: Rules, executions: Executions, *, asked: bool
) -> TrafficFacts:
    """What there is to know of a service without its mark; what cannot be read is None, never assumed.

    Step Functions is `asked` about its executions, or not. A rule that is not listed is asked for by its name, which
    says so where it is gone.
    """
    there = listed.get(record.listener)
    weights: Mapping[str, int] | None
    if not record.balanced:
        # Shares of Pods are the cluster's reconciler's to compare.
        weights = record.weights_by_target_group()
    elif there is None:
        weights = None
    elif record.rule in there:
        weights = weights_of(there[record.rule])
    else:
        try:
            weights = rules.read(record.rule)
        except Retryable:
            weights = None
    holder = record.holder.execution if record.holder else ""
    watcher = record.watcher if needs_watch(record) else ""
    return TrafficFacts(
        weights=weights,
        written=UNSET,
        holder=executions.status(holder) if holder and asked else None,
        watch=executions.find("watch", watcher) if watcher and asked else None,
        asked=asked,
    )
