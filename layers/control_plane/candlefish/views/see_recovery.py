"""See whether we could recover: what is promised, what was measured, drills, the newest audit, failovers."""

from __future__ import annotations

from msgspec.structs import replace

from candlefish.backups.evidence import data_age, restore_time
from candlefish.backups.model import AuditReport
from candlefish.backups.ports import AuditReports, Drills
from candlefish.backups.record import Drill
from candlefish.catalog.model import Environment
from candlefish.failover.evidence import measure_run
from candlefish.failover.model import OPEN, FailoverStatus, Run
from candlefish.failover.ports import Runs
from candlefish.views.cells import moved_by_nobody
from candlefish.views.model import WORST_FIRST, EntryView, ObjectiveView, RecoveryView, RunView, Tone
from candlefish.views.people import who_is
from candlefish.views.ports import Looking
from candlefish.views.words import DAY, lasting, listing, many, spelled

# A drill or an audit that is older says nothing of today.
DRILL_OLD, AUDIT_OLD = 40 * DAY, 2 * DAY
# How many failovers and drills are shown, and entries of a failover.
RUNS, ENTRIES = 20, 100


def see_recovery(*, looking: Looking, runs: Runs, drills: Drills, audits: AuditReports) -> RecoveryView:
    """Recovery as it was shown to work, or not; what nobody tried is unknown."""
    now, environment = looking.now(), looking.catalog.environment(looking.environment)
    drilled, moved, audit = drills.recent(RUNS), runs.recent(limit=RUNS), audits.latest()
    told = [_of_drill(drill) for drill in drilled] + [_of_failover(run, looking) for run in moved]
    newest = {run.target: run for run in reversed(moved)}
    timelines = {run.id: _timeline(run, runs, looking) for run in newest.values()}
    told = [replace(each, timeline=timelines.get(each.id, ())) for each in told]
    if audit:
        told.append(_of_audit(audit))
    shown = sorted(told, key=lambda run: -run.started_at)
    objectives = _objectives(environment, shown, now)
    says, tone = _says(environment, audit, drilled, moved, now)
    return RecoveryView(now, says, tone, objectives, tuple(shown))


def _says(
    environment: Environment, audit: AuditReport | None, drills: list[Drill], runs: list[Run], now: float
) -> tuple[str, Tone]:
    if not (environment.databases or environment.caches or environment.recovery.buckets):
        return f"the catalog names nothing of {environment.name} that would have to be recovered", "info"
    under_way = [run for run in runs if run.status in OPEN]
    if under_way:
        run = under_way[0]
        said, tone = _how_it_is(run, now)
        return f"the failover of {run.target} {said}: {run.why or run.reason}", tone
    parts: list[str] = []
    tones: list[Tone] = []
    if audit is None:
        parts.append("nobody has audited its backups yet")
        tones.append("unknown")
    else:
        said, tone = _audit_words(audit)
        old = now - audit.at > AUDIT_OLD
        parts.append(f"{said}, {spelled(now - audit.at)} ago" if old else said)
        tones.append("unknown" if old and tone == "good" else tone)
    ended = next((drill for drill in drills if drill.outcome), None)
    if ended is None:
        parts.append("no restore was tried yet")
        tones.append("unknown")
    else:
        took = restore_time(ended) if ended.outcome == "passed" else None
        ago = f"{spelled(now - ended.started_at)} ago"
        if ended.outcome == "failed":
            parts.append(f"the last drill failed {ago}: {ended.why}")
            tones.append("bad")
        else:
            parts.append(
                f"the last drill, {ago}, restored {ended.database}" + (f" in {spelled(took)}" if took else "")
            )
            tones.append("unknown" if now - ended.started_at > DRILL_OLD else "good")
    return "; ".join(parts), next(tone for tone in WORST_FIRST if tone in tones)


def _audit_words(audit: AuditReport) -> tuple[str, Tone]:
    counts = audit.counts()
    if counts["fail"]:
        failed = sorted({finding.subject for finding in audit.findings if finding.verdict == "fail"})
        return f"{many(counts['fail'], 'thing is', 'things are')} not protected: {listing(failed[:4])}", "bad"
    if counts["unknown"]:
        return f"of {many(counts['unknown'], 'thing')} nobody knows whether it is protected", "unknown"
    return f"all of {many(counts['pass'], 'thing')} that were looked at are protected", "good"


def _objectives(environment: Environment, runs: list[RunView], now: float) -> tuple[ObjectiveView, ...]:
    """What is promised against the newest that was measured, in a failover or a drill."""
    promised = environment.recovery
    found = []
    for what, target in (("RTO", float(promised.rto)), ("RPO", float(promised.rpo))):
        measured = [(run, run.rto if what == "RTO" else run.rpo) for run in runs if run.kind != "audit"]
        newest = next(((run, value) for run, value in measured if value is not None), None)
        if newest is None:
            says = f"{lasting(target)} are promised; nothing was measured yet"
            found.append(ObjectiveView(what, target, None, 0.0, says, "unknown"))  # type: ignore[arg-type]
            continue
        run, value = newest
        says = (
            f"{lasting(value)} of {lasting(target)}, in the {run.kind} of {spelled(now - run.started_at)} ago"
        )
        tone: Tone = "good" if value <= target else "bad"
        found.append(ObjectiveView(what, target, value, run.ended_at or run.started_at, says, tone))  # type: ignore[arg-type]
    return tuple(found)


def _of_drill(drill: Drill) -> RunView:
    passed = drill.outcome == "passed" and drill.evidence.get("beat_at") is not None
    took, age = (restore_time(drill), data_age(drill)) if passed else (None, None)
    words: dict[str, tuple[str, Tone]] = {
        "": (f"is under way: {drill.why}" if drill.why else "is under way", "info"),
        "passed": (f"restored{f' in {spelled(took)}' if took else ''}: {drill.why}", "good"),
        "failed": (f"failed: {drill.why}", "bad"),
    }
    says, tone = words[drill.outcome]
    return RunView(
        drill.id,
        "drill",
        drill.database,
        says,
        tone,
        drill.started_at,
        drill.ended_at,
        rto=took,
        rpo=age,
        evidence={**drill.evidence, "snapshot": drill.snapshot.identifier, "by": drill.requested_by},
    )


def _how_it_is(run: Run, now: float) -> tuple[str, Tone]:
    if left_alone := moved_by_nobody(run, now):
        return left_alone, "bad"
    words: dict[FailoverStatus, tuple[str, Tone]] = {
        "awaiting_approval": ("waits for people", "warning"),
        "running": ("is under way", "warning"),
        "stopped": ("has stopped, a person has to look", "bad"),
        "done": ("done", "good"),
        "abandoned": ("was given up", "warning"),
    }
    return words[run.status]


def _of_failover(run: Run, looking: Looking) -> RunView:
    measured = measure_run(run)
    said, tone = _how_it_is(run, looking.now())
    return RunView(
        run.id,
        "failover",
        run.target,
        f"{said}: {run.why or run.reason}",
        tone,
        run.requested_at,
        run.ended_at,
        rto=measured.rto,
        rpo=measured.rpo,
        evidence={
            "plan": run.plan,
            "to": run.to,
            "by": who_is(run.requested_by, looking.catalog, looking.environment).name,
            "detect": measured.detect,
            "decide": measured.decide,
            "execute": measured.execute,
            "steps": measured.steps,
            "rpo_from": measured.rpo_source,
        },
    )


def _timeline(run: Run, runs: Runs, looking: Looking) -> tuple[EntryView, ...]:
    """The newest entries of a failover, newest first."""
    found = sorted(runs.entries(run), key=lambda entry: entry.at, reverse=True)[:ENTRIES]
    return tuple(
        EntryView(
            entry.at,
            entry.kind,
            entry.kind.replace("_", " "),
            "info",
            entry.reason,
            who_is(entry.by, looking.catalog, looking.environment),
            entry.evidence,
        )
        for entry in found
    )


def _of_audit(audit: AuditReport) -> RunView:
    says, tone = _audit_words(audit)
    wrong = [
        {
            "subject": finding.subject,
            "rule": finding.rule,
            "verdict": finding.verdict,
            "reason": finding.reason,
            "fix": finding.fix,
        }
        for finding in audit.findings
        if finding.verdict != "pass"
    ]
    passed = [
        {"subject": finding.subject, "rule": finding.rule, "reason": finding.reason}
        for finding in audit.findings
        if finding.verdict == "pass"
    ]
    evidence = {"findings": wrong, "passed": passed}
    return RunView("audit", "audit", audit.environment, says, tone, audit.at, audit.at, evidence=evidence)
