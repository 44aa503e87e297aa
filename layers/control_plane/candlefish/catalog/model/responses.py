"""What signals lead to, and the limits of what happens without a person."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from candlefish.catalog.model.scalars import Count, Duration, HttpsUrl, Model, text

Severity = Literal["P0", "P1", "P2"]
Subject = Literal["service", "database", "cache", "other"]
Act = Literal["rollback", "hold", "failover", "notify", "nothing"]
# Where an alert comes from.
Source = Literal["alertmanager", "cloudwatch", "finding", "guardduty", "securityhub"]
# What an action can be done to.
FITS: dict[Act, tuple[Subject, ...]] = {
    "rollback": ("service",),
    "hold": ("service",),
    "failover": ("database", "cache"),
    "notify": get_args(Subject),
    "nothing": get_args(Subject),
}
SlackName = Annotated[
    str, text(r"[A-Za-z0-9._-]{0,80}", "write the name that Slack's secret has for it, like payments")
]
TopicName = Annotated[
    str, text(r"[A-Za-z0-9_-]{0,200}", "write the topic's name without its ARN, like payments-alerts")
]
Pattern = Annotated[str, text(r".{1,200}", "write a regular expression of at most 200 characters")]


class Clue(Model, frozen=True):
    """A label that may say what an alert is about; the pattern's first group is what it says."""

    # The alert's label.
    label: str
    pattern: Pattern = "(.+)"


class Clues(Model, frozen=True):
    """How the labels that alerts really carry lead to names of the catalog. The first that fits decides.

    A value counts as a service by its name or host, as an environment by its name, namespace or
    cluster, as a database or cache by its name or identifier.
    """

    service: tuple[Clue, ...] = (Clue(label="service"),)
    slot: tuple[Clue, ...] = (Clue(label="slot"),)
    environment: tuple[Clue, ...] = (Clue(label="environment"),)
    database: tuple[Clue, ...] = (Clue(label="database"),)
    cache: tuple[Clue, ...] = (Clue(label="cache"),)
    # Whose an alert is that is about no service: a name of `owners`, or of the owner of a service.
    owner: tuple[Clue, ...] = (Clue(label="owner"), Clue(label="team"))


class ResponseRule(Model, frozen=True):
    """What alerts whose labels all match lead to. Patterns must match the whole value.

    Beside the alert's own labels, `source`, `environment`, `service` and `subject` can be matched.
    """

    name: str
    match: dict[str, Pattern]
    severity: Severity
    # Overrides what the severity leads to.
    do: Act | None = None
    runbook: HttpsUrl = ""


class PublishedAlert(Model, frozen=True):
    """What alerts of one name lead to where no rule names them."""

    name: str
    # What it leads to. A hold concerns alerts about a service, a failover those about a database or cache; about
    # anything else they tell.
    do: Act
    # How loud it is; empty: as the label `severity` says.
    severity: Severity | None = None
    # Why, for people who ask what an alert leads to.
    why: str = ""


class Owner(Model, frozen=True):
    """Where an owner of services reads what is told of them. What is left out goes where everybody's news goes."""

    name: str
    # The name under which Slack's secret has this owner's channel, or the webhook of it.
    slack: SlackName = ""
    # The SNS topic, by name: it is in the account and region of each environment's stack.
    topic: TopicName = ""


class Cooldowns(Model, frozen=True):
    """How long after an action the same action on the same subject is refused."""

    # Of one service.
    rollback: Duration = Duration(900)
    # Of one service's release.
    hold: Duration = Duration(600)
    # Of one database or cache.
    failover: Duration = Duration(3600)
    # Of messages about one subject for one reason.
    notify: Duration = Duration(1800)


class GuardPolicy(Model, frozen=True):
    """The limits of what alarms may do without a person. See docs/signals.md."""

    # A signal older than this when it arrives leads to nothing.
    stale_after: Duration = Duration(900)
    # A delivery about more subjects than this, or with more alerts, is a storm: a person decides.
    storm_subjects: Count = 3
    # More alerts than this in one delivery are a storm too.
    storm_alerts: Count = 500
    cooldown: Cooldowns = Cooldowns()
    # Actions of all kinds together that may be taken within `budget_window`.
    budget: Count = 3
    # The window that `budget` counts in.
    budget_window: Duration = Duration(1800)
    # How long an action may take to show in the world before it is tried once more.
    verify_within: Duration = Duration(30)


class Responses(Model, frozen=True):
    """What signals lead to. What the product ships is added to it: rules and clues of your own come first."""

    # Whether what ships with the product counts as well: its clues, levels, rules, actions, and its list of known alerts.
    defaults: bool = True
    clues: Clues = Clues()
    # How loud an alert is that no rule names, by its `severity` label in whatever letters; anything else is P2.
    # Such an alert tells and never acts.
    levels: dict[str, Severity] = {}
    # Rules are tried in the order they are written.
    rules: dict[str, ResponseRule] = {}
    # What published alerts lead to, by name, where no rule names them; docs/alerts.md lists what ships.
    alerts: dict[str, PublishedAlert] = {}
    # What the severity of a rule leads to for each kind of subject; what is not written notifies.
    actions: dict[Severity, dict[Subject, Act]] = {}
    guard: GuardPolicy = GuardPolicy()
    # Where the news of a service goes, by the `owner` that the service names. Whoever is not here reads everybody's.
    owners: dict[str, Owner] = {}
