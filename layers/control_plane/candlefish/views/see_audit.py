"""See who did what, to what and why: people and the control plane itself."""

from __future__ import annotations

from collections.abc import Sequence

from candlefish.failover.model import Run
from candlefish.failover.ports import Runs
from candlefish.release.model import ReleaseEntry
from candlefish.signals.model import LoggedSignal
from candlefish.views.entries import entry_view
from candlefish.views.look import glances_of
from candlefish.views.model import AuditLine, AuditPage, Who
from candlefish.views.people import who_is
from candlefish.views.ports import Looking, SignalHistory

# How many releases a page is about, how many entries of each are looked at, and how many signals a read of their log.
RELEASES_AT_ONCE, ENTRIES_EACH, SIGNALS_BESIDE = 10, 100, 100
# Reads of the log a page at most: in a storm most lines did nothing, and a read goes over some days only.
LOG_READS = 20
# What somebody decided or did; what only happened in between (ready, scaled, shifted) stands in the timeline.
AUDITED = frozenset(
    {
        "started",
        "refused",
        "paused",
        "resumed",
        "promote_now",
        "approval_given",
        "approved",
        "denied",
        "promoted",
        "held",
        "rolling_back",
        "rolled_back",
        "rollback_refused",
        "roll_back",
        "drift_repaired",
        "cluster_repaired",
        "record_rebuilt",
    }
)
# A timeline says what is going on, an audit what somebody did.
_DID = {"rolling_back": "began to roll back"}


def see_audit(before: str = "", *, looking: Looking, signals: SignalHistory, runs: Runs) -> AuditPage:
    """Part of what was done, newest first: a page is about some releases and what else was done meanwhile.

    Raises
    ------
    InvalidInput
        `before` is none of ours.
    """
    portion = looking.history.of_environment(RELEASES_AT_ONCE, before)
    glances = glances_of(portion.ids, looking)
    lines: list[AuditLine] = []
    oldest = looking.now()
    for id in portion.ids:
        release = glances[id].release
        if release is None:
            continue
        oldest = min(oldest, release.started_at)
        lines += _of_release(
            id, release.service, looking.history.entries_of(id, ENTRIES_EACH).entries, looking
        )
    newest = _moment(before) if before else looking.now()
    if portion.ids or not before:
        since = oldest if portion.older else 0.0
        logged = _signals_since(since, before, looking, signals)
        lines += [_of_signal(line) for line in logged if since <= line.at <= newest and _acted(line)]
        lines += [_of_failover(run, looking) for run in runs.recent() if since <= run.requested_at <= newest]
        if looking.capacity:
            lines += [
                AuditLine(
                    each.since,
                    who_is(each.by, looking.catalog, looking.environment),
                    each.kind.replace("_", " "),
                    looking.environment,
                    each.reason,
                )
                for each in looking.capacity.get().overrides
                if since <= each.since <= newest
            ]
    return AuditPage(portion.older, tuple(sorted(lines, key=lambda line: (-line.at, line.subject))))


def _of_release(id: str, service: str, entries: Sequence[ReleaseEntry], looking: Looking) -> list[AuditLine]:
    shown = [entry for entry in entries if entry.kind in AUDITED]
    views = [entry_view(entry, looking.catalog, looking.environment) for entry in shown]
    return [
        AuditLine(view.at, view.by, _DID.get(view.kind, view.word), service, view.says, id) for view in views
    ]


def _signals_since(since: float, before: str, looking: Looking, signals: SignalHistory) -> list[LoggedSignal]:
    """The log from where a page begins to `since`; on the last page (0) as far as a read goes that is not full."""
    logged: list[LoggedSignal] = []
    for _ in range(LOG_READS):
        found = signals.lines(SIGNALS_BESIDE, looking.now(), before)
        logged += found.lines
        before = found.older
        full = len(found.lines) >= SIGNALS_BESIDE
        if not before or _moment(before) <= since or not (since or full):
            break
    return logged


def _moment(cursor: str) -> float:
    """When what a cursor stands for was, epoch seconds: cursors begin with it."""
    return int(cursor.partition("#")[0]) / 1e6


def _acted(line: LoggedSignal) -> bool:
    return line.decision.action != "none" and not line.outcome


def _of_signal(line: LoggedSignal) -> AuditLine:
    word = {
        "rollback": "rolled back",
        "hold": "held",
        "lift": "let go on",
        "failover": "failed over",
        "join": "joined",
    }
    return AuditLine(
        line.at,
        Who(f"signal {line.signal.name}"),
        word.get(line.decision.action, line.decision.action),
        line.signal.subject,
        line.decision.reason,
        line.decision.release,
    )


def _of_failover(run: Run, looking: Looking) -> AuditLine:
    who = who_is(run.requested_by, looking.catalog, looking.environment)
    return AuditLine(
        run.requested_at, who, "failover", run.target, f"{run.status.replace('_', ' ')}: {run.reason}"
    )
