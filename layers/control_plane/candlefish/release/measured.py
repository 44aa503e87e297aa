"""What is counted of releases: the values that an entry of a timeline, or a new status, is measured by. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from candlefish.measures import Measure
from candlefish.release.model import Release, ReleaseEntry, Status

# What the judge says in the end, by the metric that counts it.
VERDICTS = {"promote": "JudgedGood", "rollback": "JudgedBad", "ask": "JudgeAsked", "experiment": "JudgeAsked"}
# What a reconciler writes down when it has put something right.
REPAIRED = frozenset(
    {
        "drift_repaired",
        "shift_completed",
        "cluster_repaired",
        "cluster_completed",
        "roll_back",
        "resume_rollback",
        "resume_watch",
    }
)


def measured_by(release: Release, entry: ReleaseEntry) -> list[Measure]:
    """What an entry counts for by itself, as often as it stands in the timeline."""
    if entry.kind == "judged":
        verdict = VERDICTS.get(str(entry.evidence.get("action", "")))
        return [Measure(verdict, service=release.service)] if verdict else []
    if entry.kind not in REPAIRED:
        return []
    found = [Measure("Repairs", service=release.service)]
    if entry.kind == "drift_repaired":
        found.append(Measure("ChangedByOthers", service=release.service))
    return found


def is_measured(kind: str) -> bool:
    """Whether an entry of a kind may count for anything by itself."""
    return kind == "judged" or kind in REPAIRED


def measured_at(
    release: Release, status: Status, entry: ReleaseEntry, before: Sequence[ReleaseEntry]
) -> list[Measure]:
    """What it counts for that a release has come to a status, by an entry after those `before`.

    The four measures of DORA are of what reached users: a release that never had weight is no change that was delivered,
    and one that people turned down is none that failed. A promoted release that is taken back was delivered already.
    """
    service = release.service
    match status:
        case "promoted":
            return [
                Measure("ReleasesPromoted", service=service),
                Measure("ChangesDelivered", service=service),
                Measure("LeadTime", max(0.0, entry.at - release.started_at), service),
            ]
        case "refused":
            return [Measure("ReleasesRefused", service=service)]
        case "rolled_back":
            return [Measure("ReleasesRolledBack", service=service), *_taken_back(release, before)]
        case _:
            return []


def _taken_back(release: Release, entries: Sequence[ReleaseEntry]) -> list[Measure]:
    reached = [each.at for each in entries if each.kind == "shifted" and _weight(release, each) > 0]
    back = next((each for each in entries if each.kind == "rolling_back"), None)
    if not reached or back is None:
        return []
    found = []
    if not any(each.kind == "promoted" for each in entries):
        found.append(Measure("ChangesDelivered", service=release.service))
    if back.evidence.get("disposition", "bad") == "bad":
        restored = back.at + float(back.evidence.get("took_seconds", 0.0))
        found.append(Measure("ChangesFailed", service=release.service))
        found.append(Measure("TimeToRestore", max(0.0, restored - min(reached)), release.service))
    return found


def _weight(release: Release, entry: ReleaseEntry) -> float:
    weights = entry.evidence.get("weights") or {}
    return float(weights.get(release.slot, 0))
