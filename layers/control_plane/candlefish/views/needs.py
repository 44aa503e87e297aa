"""In which states of the control plane a person must act: where each is seen, and what the log of signals adds (pure).

`SEEN` has a line for everything that people are told, by the tables that tell it. What is told and needs a person stands
among the fleet's needs for as long as it is so; what does not says here why not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from candlefish.again import AGAIN
from candlefish.bounds import fit_line
from candlefish.signals.model import PASSIVE, LoggedSignal
from candlefish.signals.news import BY_HAND, SIGNALS
from candlefish.signals.own_alarms import OWN_ALARM_RULE, OWN_ALARMS, own_alarm_called
from candlefish.views.model import NeedView, Tone
from candlefish.views.words import DAY, HOUR, many

# Where a state is seen in the fleet. A need: from the service's record, from the release under way, from the newest
# failovers, from the capacity record, from the log of signals. `environment`: above its column. `nobody`: there is
# nothing that a person must do. `told`: people are told, and the fleet does not show it (docs/limits.md).
Place = Literal[
    "question",
    "pause",
    "rolled_back",
    "slot",
    "remnant",
    "quarantine",
    "unreadable",
    "failover",
    "capacity",
    "signal",
    "environment",
    "nobody",
    "told",
]
SEEN: dict[str, Place] = {
    # Entries of releases (release/news.py).
    "release.started": "nobody",
    # By a signal, which lifts it when it is over; a person's is `paused`. Both stand in the cell.
    "release.held": "nobody",
    "release.paused": "pause",
    "release.promote_now": "nobody",
    "release.resumed": "nobody",
    "release.experiment": "nobody",
    "release.experiment_ended": "nobody",
    "release.approval_requested": "question",
    "release.approval_given": "question",
    "release.approved": "nobody",
    "release.denied": "nobody",
    "release.promoted": "nobody",
    # It goes on by itself; one that lasts is the finding `rollback-overdue`.
    "release.rolling_back": "nobody",
    "release.rolled_back": "rolled_back",
    "release.traffic_left": "remnant",
    "release.capacity_left": "slot",
    "release.not_restored": "remnant",
    # Whoever asked is answered so; the alarm that asked goes on firing in the log of signals.
    "release.rollback_refused": "signal",
    # Whoever asked for it is answered so, and nothing was changed.
    "release.refused": "nobody",
    "release.superseded": "nobody",
    # Done by the reconciler in the place of who died.
    "release.roll_back": "nobody",
    "release.resume_rollback": "nobody",
    "release.resume_watch": "nobody",
    "release.drift_repaired": "nobody",
    "release.cluster_repaired": "nobody",
    # Sleep (capacity/news.py). What was changed is left as somebody set it.
    "capacity.asked": "nobody",
    "capacity.sleeping": "nobody",
    "capacity.asleep": "environment",
    "capacity.waking": "environment",
    "capacity.awake": "nobody",
    "capacity.postponed": "nobody",
    "capacity.queued": "nobody",
    "capacity.changed": "nobody",
    "capacity.incomplete": "capacity",
    # Failovers (failover/news.py).
    "failover.requested": "failover",
    "failover.approval_requested": "failover",
    "failover.approved": "nobody",
    "failover.resumed": "nobody",
    "failover.stopped": "failover",
    "failover.given_up": "nobody",
    "failover.abandoned": "nobody",
    "failover.done": "nobody",
    # Costs (cost/news.py): for the cost's page, where a month is to be decided about and nothing waits for an answer.
    "cost.warn": "told",
    "cost.propose": "told",
    "cost.sleep": "environment",
    "cost.report": "nobody",
    # Signals (signals/news.py). More than can be told are in the log, which is where they are read from.
    "signal.decided": "signal",
    "signal.responded": "signal",
    "signal.lifted": "nobody",
    "signal.flood": "signal",
    "signal.switched": "environment",
    # Findings about records (release/news.py) and the rest of the control plane's own. The record says itself what
    # `record-older-than-world` and `record-unreadable` say.
    "finding.record-unreadable": "unreadable",
    "finding.record-older-than-world": "quarantine",
    "finding.record-missing": "signal",
    "finding.record-differs": "signal",
    "finding.drift-not-repaired": "signal",
    "finding.automation-off": "signal",
    "finding.rule-in-front": "signal",
    "finding.load-balancer-changed": "signal",
    "finding.rollback-overdue": "signal",
    "finding.cluster-differs": "signal",
    "finding.alert-token-expired": "signal",
    "finding.backup-drill": "signal",
    "finding.backup-": "signal",
    # Executions that ended badly (signals/endings.py): the reconciler begins releases' and capacity's again; what does
    # not end then is a finding, or a run that lasts.
    "ended.release": "nobody",
    "ended.rollback": "signal",
    "ended.watch": "nobody",
    "ended.train": "told",
    "ended.respond": "signal",
    "ended.capacity": "capacity",
    "ended.failover": "failover",
    "ended.drill": "told",
    # CloudWatch's alarms about the control plane itself (signals/own_alarms.py).
    "alarm.dead-letters": "signal",
    "alarm.signals-late": "signal",
    "alarm.reconciler": "signal",
    "alarm.throttles": "signal",
    # What people did.
    "freeze.asked": "environment",
    "freeze.lifted": "nobody",
    "record.rebuilt": "nobody",
}
# The log of signals is looked at so far back, in seconds: audits of backups say each day what is not well.
STRETCH = DAY + 2 * HOUR
# So many of its newest lines are looked at, and so many needs are made of them at most.
LINES, MOST = 100, 10
# What is said of one, in characters.
LONGEST = 500
# Findings of these categories are said again each hour while they last: one that was not is over.
HOURLY = frozenset({"record", "signals"})
LASTS = 1.5 * AGAIN
# How a response ended is written down sooner, in seconds: acting, looking and acting again each have their time.
UNHEARD = 1800.0
# How urgent an alert is that tells and leads to nothing, for a person to have to look at it now.
URGENT: Mapping[str, Tone] = {"P0": "bad", "P1": "warning"}
# What to type about findings, by what their names begin with; the first that fits.
COMMANDS = {
    "record-": "candlefish records verify {service} -e {environment}",
    "backup-": "candlefish recovery audit -e {environment}",
    "rollback-overdue": "candlefish status {service} -e {environment}",
    "cluster-differs": "candlefish status {service} -e {environment}",
    "drift-not-repaired": "candlefish status {service} -e {environment}",
    "automation-off": "candlefish automation -e {environment} on",
    "alert-token-expired": "candlefish signals -e {environment} rotate-token",
}


def signal_needs(
    lines: Sequence[LoggedSignal], environment: str, left_astray: Collection[str], now: float
) -> list[NeedView]:
    """What still fires, that nothing was done about and a person has to: from lines of the log, newest first.

    `left_astray` are services whose record says itself that their traffic is not where it belongs.
    """
    by_alert: dict[str, list[LoggedSignal]] = defaultdict(list)
    for line in lines:
        if line.is_current:
            by_alert[line.signal.alert.fingerprint].append(line)
    found: dict[tuple[str, str], NeedView] = {}
    for heard in by_alert.values():
        newest = next((line for line in heard if line.decision.gate != "duplicate"), None)
        if newest is None or _is_over(heard[0], now) or (tone := _asks(newest, now)) is None:
            continue
        name = newest.signal.name
        if name == "drift-not-repaired" and newest.signal.subject in left_astray:
            continue
        key = (newest.signal.about, name)
        need = _need(newest, _since(heard), tone, environment, now)
        found[key] = min(need, found.get(key, need), key=lambda each: each.at)
    worst = sorted(found.values(), key=lambda need: (need.tone != "bad", -need.at))
    if len(worst) <= MOST:
        return worst
    rest = worst[MOST - 1 :]
    says = f"{many(len(rest), 'more signal fires', 'more signals fire')} that nothing was done about"
    more = NeedView(
        rest[0].at, rest[0].tone, says, environment, command=SIGNALS.format(environment=environment)
    )
    return [*worst[: MOST - 1], more]


def _asks(line: LoggedSignal, now: float) -> Tone | None:
    """Whether the newest line about an alert leaves something to a person, and how urgent that is; None for nothing."""
    signal, decision = line.signal, line.decision
    if signal.alert.status != "firing":
        return None
    if line.outcome == "failed" or signal.rule == OWN_ALARM_RULE or _is_unheard_of(line, now):
        return "bad"
    if line.outcome or decision.action != "none" or not decision.notify:
        return None
    if signal.source == "finding":
        place = SEEN.get(f"finding.{signal.name}", "signal")
        return URGENT.get(signal.severity, "warning") if place == "signal" else None
    return URGENT.get(signal.severity)


def _is_unheard_of(line: LoggedSignal, now: float) -> bool:
    """Whether a response was started, and nobody wrote down how it ended."""
    return bool(line.response) and not line.outcome and now - line.at > UNHEARD


def missing_lines(lines: Sequence[LoggedSignal], older: str, now: float) -> str:
    """That the log says more than was looked at, where that hides what is said each hour; empty where it does not."""
    if not older or not lines or now - lines[-1].at >= LASTS:
        return ""
    return (
        f"the log of signals has more than {len(lines)} lines of the last hour: what needs a person may be among those "
        "that were not looked at"
    )


def _is_over(newest: LoggedSignal, now: float) -> bool:
    """Whether an alert that is said again and again was not."""
    signal = newest.signal
    hourly = signal.source == "finding" and signal.alert.labels.get("category") in HOURLY
    return hourly and now - newest.at > LASTS


def _since(heard: Sequence[LoggedSignal]) -> float:
    """Since when an alert fires without a break, as far as the lines go back, newest first."""
    since, before = heard[0].signal.alert.started_at, heard[0].at
    for line in heard:
        if line.signal.alert.status != "firing" or before - line.at > DAY + HOUR:
            break
        since, before = min(since, line.signal.alert.started_at), line.at
    return since


def _need(line: LoggedSignal, since: float, tone: Tone, environment: str, now: float) -> NeedView:
    signal, decision = line.signal, line.decision
    ours = signal.kind == "service" or signal.source == "finding"
    service = (signal.subject if signal.kind == "service" else signal.alert.labels.get("service", "")) * ours
    filled = {"service": service, "environment": environment, "about": signal.about}
    if own := OWN_ALARMS.get(own_alarm_called(signal.name, environment)):
        says = f"{own.title.format_map(filled)}: {own.means}"
        return NeedView(since, tone, says, environment, command=own.command.format_map(filled))
    head = f"{signal.name} on {signal.thing}" if signal.thing else signal.name
    plain = signal.do in PASSIVE and not decision.gate and not line.outcome
    why = (plain and signal.alert.summary) or decision.reason
    if _is_unheard_of(line, now):
        why = f"what came of the {decision.action} that it led to is not known: {why}"
    says = fit_line(f"{head}: {why}", LONGEST)
    command = _command(line) if ours or signal.kind != "other" else SIGNALS
    return NeedView(since, tone, says, environment, service, command=command.format_map(filled))


def _command(line: LoggedSignal) -> str:
    signal = line.signal
    if signal.source == "finding":
        fitting = (command for begins, command in COMMANDS.items() if signal.name.startswith(begins))
        return next(fitting, SIGNALS)
    return BY_HAND.get(line.decision.action if line.outcome else signal.do, SIGNALS)
