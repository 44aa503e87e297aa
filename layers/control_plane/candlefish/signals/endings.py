"""Executions that ended badly, as Step Functions itself says: what ended, what it means, what to do next.

Every machine has a row. An end that people are told of by whoever decided it is quiet here, by the name of its error.
The end of a release is told here as well as by who refused it or rolled it back, under one key: whichever comes first
is told, so a refusal or a rollback whose own event was lost is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from candlefish.again import AGAIN
from candlefish.bounds import fit_line, message_of
from candlefish.release.news import NEWS, STATUS_COMMAND
from candlefish.signals.notification import (
    ConsoleLinks,
    Detail,
    Filled,
    Notification,
    facts_of,
    finite_number,
    page_of,
    sentence,
    utc_clock,
)

STATUS_CHANGE = "Step Functions Execution Status Change"
# What the release machine says first of an end that its rollback has completed.
ROLLED_BACK = "rolled back: "
# An error is quoted as far as that.
MOST_WORDS = 1000
# What is told once is told under a key, which is a part of a key of the table; in characters.
LONGEST_KEY = 200


class Ending(msgspec.Struct, frozen=True):
    """How the bad end of a machine's execution reads. Templates take its input, its name and the environment."""

    title: str
    means: str
    command: str
    # What its ends have in common: told once, and again after an hour while executions go on ending so.
    about: str = "{name}"
    # Errors of ends that others tell of.
    quiet: frozenset[str] = frozenset()


ENDINGS: dict[str, Ending] = {
    "release": Ending(
        "Release {name} of {service} in {environment} ended before it was done",
        "It changes nothing any more. What it had begun is rolled back by the reconciler within a minute",
        STATUS_COMMAND,
        # Stopped by its rollback, or overtaken by it; that is told.
        quiet=frozenset({"RolledBack", "Superseded"}),
    ),
    "rollback": Ending(
        "A rollback of {service} in {environment} ended before it was done",
        "Traffic goes back first, so users may be well; the service takes no release until it is done. "
        "The reconciler starts it again within a minute",
        STATUS_COMMAND,
        about="{service}",
        quiet=frozenset({"NothingToRollBack"}),
    ),
    "watch": Ending(
        "Nobody watches over {service} in {environment}",
        "What was promoted serves, and no metric rolls it back. The reconciler starts the watch again within a "
        "minute; until then roll back by hand what is bad",
        'candlefish rollback {service} -e {environment} --reason "..."',
        about="{service}",
        # It asked for a rollback, which tells.
        quiet=frozenset({"JudgedBad"}),
    ),
    "train": Ending(
        "Train {name} to {environment} ended before it was done",
        "What it had promoted was taken back, unless the error says otherwise",
        "candlefish status -e {environment}",
        # Queued until the environment is awake.
        quiet=frozenset({"EnvironmentAsleep"}),
    ),
    "respond": Ending(
        "A response to a signal in {environment} ended before it was done",
        "Whether it took effect is not known; act by hand where the signal still fires",
        "candlefish signals -e {environment}",
        quiet=frozenset({"ResponseFailed"}),
    ),
    "capacity": Ending(
        "Bringing {environment} to sleep or awake ended before it was done",
        "The reconciler starts it again within five minutes",
        "candlefish capacity show -e {environment}",
        about="{environment}",
        quiet=frozenset({"CapacityIncomplete"}),
    ),
    "failover": Ending(
        "Failover of {target} in {environment} ended before it was done",
        "Nothing moves it any more. Ask for the same failover again: it goes on from where it stopped",
        "candlefish recovery report {target} -e {environment}",
        about="{target}",
        quiet=frozenset({"FailoverStopped"}),
    ),
    "drill": Ending(
        "A restore drill of {environment} ended before it was done",
        "Nothing is proved by it. What it restored is deleted by the next sweep, at half past six",
        "candlefish recovery audit -e {environment}",
        about="{environment}",
        quiet=frozenset({"BackupUnusable"}),
    ),
}
# Of a machine that has no row.
ANY = Ending(
    "{machine} {name} in {environment} ended before it was done",
    "What that means is not known; look at the execution",
    "candlefish status -e {environment}",
)


def end_of(release: str) -> str:
    """The key under which the end of a release is told, whoever tells it."""
    return fit_line(f"end/{release}", LONGEST_KEY)


def release_ended(key: str) -> str:
    """The release whose end is told under a key; empty where the key is another's."""
    head, _, release = key.partition("/")
    return release if head == "end" else ""


def ending_of(detail: Detail, places: ConsoleLinks) -> Notification | None:
    """The message of an execution that ended badly, from Step Functions' own event; None where others tell of it."""
    machine = str(detail.get("stateMachineArn", "")).split(":")[6:7]
    name = machine[0].removeprefix(f"candlefish-{places.environment}-") if machine else ""
    error, cause = str(detail.get("error") or detail.get("status")), str(detail.get("cause") or "")
    ending = ENDINGS.get(name, ANY)
    if error in ending.quiet:
        return None
    known = started_with(detail)
    about = {**known, "name": detail.get("name", "?"), "machine": name, "environment": places.environment}
    link = page_of(str(detail["executionArn"])) if detail.get("executionArn") else ""
    at = finite_number(detail.get("stopDate")) / 1000
    if name == "release" and detail.get("status") == "FAILED" and _decided(error):
        return _end_of_release(about, cause, at, link)
    fill = Filled(about)
    words = message_of(cause)[:MOST_WORDS]
    return Notification(
        title=f"{fill(ending.title)}: {error}",
        text=" ".join(filter(None, (sentence(words), sentence(ending.means)))),
        tone="bad",
        facts=facts_of(
            ("Asked for by", known.get("requested_by") or known.get("by")),
            ("Execution", detail.get("name")),
            ("Ended", detail.get("status")),
            ("At", utc_clock(at)),
        ),
        link=link,
        command=fill(ending.command),
        key=fit_line(f"ended/{name}/{fill(ending.about)}", LONGEST_KEY),
        again=AGAIN,
    )


def _decided(error: str) -> bool:
    """Whether a release ended as it was decided: refused, or rolled back to its end."""
    return error != "RollbackIncomplete" and not error.startswith("States.")


def _end_of_release(about: Mapping[str, Any], cause: str, at: float, link: str) -> Notification:
    """What `release.refused` or `release.rolled_back` said, unless it was lost."""
    words = NEWS["rolled_back" if cause.startswith(ROLLED_BACK) else "refused"]
    release, image = str(about["name"]), str(about.get("image", ""))
    fill = Filled({**about, "version": about.get("label") or image.rpartition(":")[2][:12] or "?"})
    return Notification(
        title=fill(words.title),
        text=sentence(message_of(cause.removeprefix(ROLLED_BACK))[:MOST_WORDS]),
        tone=words.tone,
        facts=facts_of(
            ("Asked for by", about.get("requested_by")), ("Release", release), ("At", utc_clock(at))
        ),
        link=link,
        command=fill(words.command),
        key=end_of(release),
    )


def started_with(detail: Detail) -> dict[str, Any]:
    """What the execution was started with; a large input is not in the event."""
    try:
        return msgspec.json.decode(str(detail.get("input") or "{}"), type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return {}
