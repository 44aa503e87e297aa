"""Signals as values: what a source said, what the catalog makes of it, what was decided and done.

Times are epoch seconds.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from candlefish.catalog.model import Act, Severity, Source, Subject

# `unknown`: the source lost sight of it (a CloudWatch alarm without data). Unknown is not resolved.
Status = Literal["firing", "resolved", "unknown"]
Action = Literal["rollback", "hold", "join", "lift", "failover", "none"]
# Who refused, in the order in which they are asked.
Gate = Literal[
    "",
    "switch",
    "scope",
    "stale",
    "muted",
    "order",
    "duplicate",
    "storm",
    "cooldown",
    "budget",
    "precondition",
]


class Alert(msgspec.Struct, frozen=True, omit_defaults=True):
    """One alert as its source tells it, whatever the source.

    `as_of` orders what is said of one fingerprint: when it began to fire, or when it ended.
    """

    fingerprint: str
    status: Status
    labels: dict[str, str]
    started_at: float
    as_of: float
    summary: str = ""
    # What its rule says beside the summary.
    description: str = ""
    link: str = ""
    runbook: str = ""
    # It fires after a time of which its source knew nothing.
    resumed: bool = False


class Delivery(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message with the alerts in it.

    `observed_at` is when the source said that it is so; `total` counts the alerts of the whole
    message when it was cut into several, `truncated` those that the source left out.
    """

    source: Source
    alerts: tuple[Alert, ...]
    observed_at: float
    received_at: float
    total: int
    truncated: int = 0
    group: str = ""
    # The name of an archive replay, when it is one.
    replay: str = ""


class Signal(msgspec.Struct, frozen=True, omit_defaults=True):
    """An alert, and what the catalog says that it is about and leads to."""

    alert: Alert
    source: Source
    name: str
    environment: str
    kind: Subject
    # The service, database or cache; for other subjects the alert's own name and what it is about (`signals.things`).
    subject: str
    severity: Severity
    do: Act
    observed_at: float
    received_at: float
    slot: str = ""
    rule: str = ""
    owner: str = ""
    runbook: str = ""
    # Why it leads to what it leads to, where the list of known alerts says so.
    why: str = ""
    # The clue that would lead to a service of the catalog, where one is missing: a label and a pattern.
    clue: tuple[str, str] | None = None

    @property
    def about(self) -> str:
        """What cooldowns, mutes and messages are kept by: `service/website`."""
        return f"{self.kind}/{self.subject}"

    @property
    def key(self) -> str:
        """One firing of one alert, however often it is delivered."""
        return f"{self.alert.fingerprint}:{self.alert.started_at:.3f}"

    @property
    def thing(self) -> str:
        """What it is about, without its own name where that is all it is known by."""
        return self.subject.removeprefix(self.name).strip() if self.kind == "other" else self.subject

    @property
    def hold_key(self) -> str:
        return f"{HOLD_PREFIX}{self.alert.fingerprint}"


# Refusals of what is no news of an alert: another message of it counts.
NO_NEWS: frozenset[Gate] = frozenset({"stale", "order", "duplicate", "scope"})
# What a signal may lead to that changes nothing in the world.
PASSIVE = frozenset({"notify", "nothing"})
# Holds that signals placed; people's holds have other keys and no signal lifts them.
HOLD_PREFIX = "signal:"


class SignalDecision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What to do about a signal, why (a sentence for an operator), and the facts behind it."""

    action: Action
    reason: str
    gate: Gate = ""
    # Whether a person should hear of it.
    notify: bool = False
    release: str = ""
    # A hold that an experiment of the release may answer.
    trial: bool = False
    evidence: dict[str, Any] = {}


class KnownAlert(msgspec.Struct, frozen=True, omit_defaults=True):
    """The newest that is known of one fingerprint.

    `settled`: nothing is left to be decided about it. A refusal that may end (a cooldown, the
    switch) leaves it open, so that the next delivery is looked at afresh.
    """

    fingerprint: str
    status: Status
    as_of: float
    started_at: float
    settled: bool = False
    notified: bool = False


class LoggedSignal(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the log of signals. `count` is how many alerts the line stands for."""

    at: float
    signal: Signal
    decision: SignalDecision
    count: int = 1
    response: str = ""
    # How the response ended, on the line that says so.
    outcome: Literal["", "done", "moot", "failed"] = ""

    @property
    def is_current(self) -> bool:
        """Whether it says how its alert was at that time: a message that came again does, one that is old does not."""
        return self.decision.gate == "duplicate" or self.decision.gate not in NO_NEWS

    def __str__(self) -> str:
        decision = self.decision
        return f"{self.signal.about} {decision.gate or decision.action}: {decision.reason}"


class BearerToken(msgspec.Struct, frozen=True):
    """A token that the endpoint takes, and when it expires, epoch seconds; 0 is never."""

    token: str
    expires: float = 0.0
