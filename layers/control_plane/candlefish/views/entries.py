"""What happened, as people say it: entries of a timeline in words, without the judge's arithmetic (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from candlefish.catalog.model import Catalog
from candlefish.release.model import ReleaseEntry
from candlefish.views.evidence import bad_words, without_state
from candlefish.views.model import EntryView, Tone
from candlefish.views.people import who_is
from candlefish.views.words import counted, percentage

# kind of entry -> how people call it, and how it stands.
WORDS: dict[str, tuple[str, Tone]] = {
    "started": ("started", "info"),
    "refused": ("refused", "bad"),
    "deployed": ("deployed", "info"),
    "ready": ("ready", "good"),
    "smoke_tested": ("smoke tests passed", "good"),
    "scaled": ("scaled", "info"),
    "shifted": ("shifted", "info"),
    "judged": ("judged", "info"),
    "experiment": ("experiment", "warning"),
    "experiment_ended": ("experiment ended", "info"),
    "hook_passed": ("hook passed", "good"),
    "job_started": ("job started", "info"),
    "job_done": ("job done", "good"),
    "job_unknown": ("job lost", "warning"),
    "held": ("held", "warning"),
    "paused": ("paused", "warning"),
    "resumed": ("resumed", "info"),
    "promote_now": ("promote now", "info"),
    "approval_requested": ("asked", "warning"),
    "approval_given": ("first yes", "info"),
    "approved": ("approved", "good"),
    "denied": ("denied", "warning"),
    "promoted": ("promoted", "good"),
    "window_closed": ("window closed", "info"),
    "superseded": ("superseded", "info"),
    "rolling_back": ("rolling back", "bad"),
    "rolled_back": ("rolled back", "bad"),
    "rollback_refused": ("rollback refused", "bad"),
    "traffic_left": ("users left there", "bad"),
    "capacity_left": ("Pods left", "warning"),
    "not_restored": ("not restored", "bad"),
    "restored": ("restored", "good"),
    "retired": ("retired", "info"),
    "freed": ("freed", "info"),
    "roll_back": ("rolled back for it", "bad"),
    "resume_rollback": ("rollback resumed", "warning"),
    "resume_watch": ("watched again", "warning"),
    "drift_repaired": ("put back", "warning"),
    "cluster_repaired": ("put right", "warning"),
    "cron_moved": ("CronJobs moved", "info"),
    "cron_left": ("CronJobs left", "warning"),
    "record_rebuilt": ("record made again", "warning"),
}
_JUDGED: dict[str, tuple[str, Tone]] = {
    "continue": ("no sign of harm", "info"),
    "hold": ("cannot tell", "unknown"),
    "promote": ("as good", "good"),
    "rollback": ("harmed", "bad"),
    "ask": ("cannot tell", "warning"),
    "experiment": ("both are in trouble", "warning"),
}
# The judge's own numbers at the end of its sentence, which stand under `evidence`.
_ARITHMETIC = re.compile(r"; evidence (?:over )?[\d.,e+]+ to 1 .*\Z", re.DOTALL)
_CAUSE = re.compile(r"\A(?:JudgedBad: )?\S+ in slot (?:blue|green): ")
# A verdict to roll back as `analysis/words.py` says it: of a comparison, and of a budget or gross failure. Its text is all
# that a record's bad version, a rollback and a timeline's "rolling back" have of it (it came as the machine's error), and
# what broke a budget or failed grossly is not in its evidence; so every place reads the text, and says the same.
_COMPARED = re.compile(
    r"\Asince \S+ \(\d+ windows?\) \S+% of the canary's (?P<what>.+?) \((?P<events>[\d,]+) of (?P<requests>[\d,]+), 95% "
)
_BEYOND = re.compile(
    r"\A(?:since \S+ )?(?P<events>[\d,]+) of (?P<requests>[\d,]+) \(\S+%\) requests of the canary (?P<what>failed|were slow)"
    r"(?:; the objective is| in one window, which is)"
)


def entry_view(entry: ReleaseEntry, catalog: Catalog, environment: str) -> EntryView:
    """One entry; what its words leave out stands in its evidence."""
    word, tone = WORDS.get(entry.kind, (entry.kind.replace("_", " "), "info"))
    says = without_arithmetic(entry.reason)
    if entry.kind == "judged":
        says, tone = judged_words(entry)
    evidence = dict(entry.evidence)
    if says != entry.reason:
        evidence = {"reason": entry.reason, **evidence}
    return EntryView(entry.at, entry.kind, word, tone, says, who_is(entry.by, catalog, environment), evidence)


def without_arithmetic(reason: str) -> str:
    """A judge's sentence without odds: those are for whoever opens it. What it took back is said by its share alone."""
    caught = _CAUSE.sub("", reason)
    return brief_harm(caught) or without_state(_ARITHMETIC.sub("", caught))


def brief_harm(verdict: str) -> str:
    """`17% of requests failed`: why the judge took a version back, by its own sentence; empty of any other sentence."""
    compared, beyond = _COMPARED.match(verdict), _BEYOND.match(verdict)
    match = compared or beyond
    if match is None:
        return ""
    events, requests = (int(match[name].replace(",", "")) for name in ("events", "requests"))
    if not requests:
        return ""
    return f"{percentage(events / requests)} of {'requests ' if beyond else ''}{match['what']}"


def judged_words(entry: ReleaseEntry) -> tuple[str, Tone]:
    """A verdict: what it is, and the counts that it rests on."""
    head, tone = _JUDGED.get(str(entry.evidence.get("action")), ("judged", "info"))
    if tone in ("unknown", "warning"):
        return f"{head}: {without_arithmetic(entry.reason)}", tone
    numbers = counts_in(entry.evidence)
    if numbers is None:
        # Nothing was counted: that is no good news.
        return without_arithmetic(entry.reason), tone if tone == "bad" else "info"
    before, before_events, requests, events = numbers
    told = counted(requests, events, bad_words(str(entry.evidence.get("metric") or "errors")))
    if before:
        told += f", {percentage(before_events / before)} on the old version"
    return f"{head}: {told}", tone


def counts_in(evidence: Mapping[str, Any]) -> tuple[int, int, int, int] | None:
    """Requests and bad ones of old and new version in a verdict's evidence; None where it has none."""
    found: list[int] = []
    for side in ("baseline", "canary"):
        each = evidence.get(side)
        if not isinstance(each, Mapping):
            return None
        for name in ("requests", "events"):
            number = each.get(name)
            if not isinstance(number, int) or isinstance(number, bool) or number < 0:
                return None
            found.append(number)
    if not found[2]:
        return None
    return found[0], found[1], found[2], found[3]
