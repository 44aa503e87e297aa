"""What the catalog says: services, environments, strategies.

These are the only definitions of the catalog's shape. `catalog.load` reads YAML into them (at
build time, with errors that name file and line), `catalog.schema` derives the JSON Schema that
editors use, and functions decode the compiled JSON into them at import (`catalog.read`).

Durations are written as `90s`, `5m`, `1h30m` and held as seconds. Every field is described in
docs/catalog.md; a test says that none is missing there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from candlefish.errors import UnknownService

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


class Duration(float):
    """A length of time in seconds; written `90s`, `5m`, `1h30m`, `2d` in the catalog."""

    @classmethod
    def parse(cls, value: Any) -> Duration:
        """Read a duration from its written form, or from a number of seconds.

        Raises
        ------
        ValueError
            When the text is not a duration.
        """
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
            return cls(value)
        match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
        if match is None:
            raise ValueError(f"{value!r} is not a duration; write it like 90s, 5m, 1h30m or 2d")
        days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
        return cls(days * 86400 + hours * 3600 + minutes * 60 + seconds)

    def __str__(self) -> str:
        """The written form, the shortest that `parse` reads back to the same number."""
        minutes, seconds = divmod(float(self), 60)
        hours, minutes = divmod(int(minutes), 60)
        days, hours = divmod(hours, 24)
        parts = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
        return "".join(f"{value:g}{unit}" for value, unit in parts if value) or "0s"


def _text(pattern: str, fix: str) -> Any:
    """What a string must look like, and what to tell somebody whose does not.

    In `extra`, for the loader and the schema: functions read what was checked at build time and
    should not pay for compiling two dozen patterns.
    """
    return msgspec.Meta(extra={"pattern": pattern, "fix": fix})


def _number(fix: str, low: float, high: float | None = None) -> Any:
    """The range a number must lie in, both ends included."""
    return msgspec.Meta(ge=low, le=high, extra={"fix": fix})


_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"

# Names end up in Kubernetes object names with a slot behind them, so RFC 1035 labels with room.
Name = Annotated[
    str, _text("[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?", "write a name like api-gateway, at most 40 characters")
]
Label = Annotated[str, _text("[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", "write a name like candlefish-dev")]
Host = Annotated[
    str, _text(rf"(?:{_LABEL}\.)+[a-z]{{2,63}}", "write a lower-case DNS name like api.candlefish.ai")
]
Port = Annotated[int, _number("write a TCP port from 1 to 65535", 1, 65535)]
UrlPath = Annotated[str, _text(r"/[^\s?#]*", "write an absolute path like /health")]
FilePath = Annotated[str, _text(r"/[^\s:]*[^\s:/]", "write an absolute path like /tmp")]
HttpsUrl = Annotated[str, _text(r"(?:https://[^\s]+)?", "write an https:// address")]
EnvName = Annotated[str, _text("[A-Za-z_][A-Za-z0-9_]*", "write a variable like LOG_LEVEL")]
Image = Annotated[
    str,
    _text(
        r"[a-z0-9.-]+(?::\d+)?(?:/[a-z0-9._-]+)+",
        "write the repository alone, like ghcr.io/candlefish-ai/website; a release adds the digest",
    ),
]
Cpu = Annotated[str, _text(r"[1-9]\d*m|\d+(?:\.\d{1,3})?", "write cores, like 250m or 1.5")]
Memory = Annotated[str, _text(r"[1-9]\d*(?:Ki|Mi|Gi)", "write bytes with a binary unit, like 512Mi or 2Gi")]
Account = Annotated[str, _text(r"\d{12}", "write the account's 12 digits, in quotes")]
Region = Annotated[str, _text(r"[a-z]{2}(?:-[a-z]+)+-\d", "write a region like us-west-2")]
Day = Annotated[
    str, _text(r"(?:\d{4}-)?\d{2}-\d{2}", "write a date like 2026-12-25, or 12-25 for every year")
]
Cidr = Annotated[str, _text(r"[0-9a-f.:]+/\d{1,3}", "write a network like 10.0.0.0/16")]
Identifier = Annotated[
    str, _text("[a-z](?:[a-z0-9]|-(?!-)){0,61}[a-z0-9]", "write an identifier like candlefish-production")
]
SecretName = Annotated[
    str, _text(r"[A-Za-z0-9/_+=.@-]{1,512}", "write the secret's name, like candlefish/database")
]
HostedZone = Annotated[str, _text("Z[A-Z0-9]{3,31}", "write the hosted zone's id, like Z0123456789ABC")]
SecurityGroup = Annotated[str, _text("(?:sg-[0-9a-f]{8,17})?", "write a security group like sg-0a1b2c3d")]
Count = Annotated[int, _number("write a whole number of 1 or more", 1)]
Percent = Annotated[int, _number("write a percentage from 0 to 100", 0, 100)]
Dollars = Annotated[float, _number("write US dollars a month, 0 or more", 0)]


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of everything in the catalog: immutable, and strict about unknown fields."""


# --- services -----------------------------------------------------------------------------


class Replicas(Model, frozen=True):
    """The range a HorizontalPodAutoscaler may move in."""

    # Never fewer.
    min: Count
    # Never more.
    max: Count
    # CPU use, of the request, that the autoscaler aims for.
    target_cpu_percent: Annotated[int, _number("write a percentage from 1 to 100", 1, 100)] = 70


class Resources(Model, frozen=True):
    """CPU and memory of one container, in Kubernetes quantities."""

    cpu: Cpu
    memory: Memory
    cpu_limit: Cpu
    memory_limit: Memory


class Secret(Model, frozen=True):
    """A Secrets Manager secret that a service reads through its own role (IRSA)."""

    # In Secrets Manager, in the environment's account and region.
    name: SecretName
    # The variable that carries its value.
    env: EnvName


class Service(Model, frozen=True):
    """One service: what runs, how it is reached, how large it is, who owns it."""

    name: Name
    # The repository of its images; a release adds the digest.
    image: Image
    # The port that the container listens on. Below 1024 is fine: see `low_port`.
    port: Port
    # What the load balancer and Kubernetes ask for health.
    health_path: UrlPath
    # The host name that leads to it, as production has it.
    host: Host
    # The autoscaler's range; environments may cap it.
    replicas: Replicas
    resources: Resources
    # The team that is told.
    owner: str
    # Where people read what to do.
    runbook: HttpsUrl = ""
    # Environment variables; every value is text.
    env: dict[EnvName, str] = {}
    # Read through the service's own role.
    secrets: tuple[Secret, ...] = ()
    # Services that it calls; a train releases these first.
    depends_on: tuple[Name, ...] = ()
    # Paths that must answer 2xx or 3xx at weight 0; the health path when empty.
    smoke_paths: tuple[UrlPath, ...] = ()
    # Directories that must stay writable under a read-only root file system (emptyDir).
    writable_paths: tuple[FilePath, ...] = ("/tmp",)
    # The judge policy for steps that name none.
    judge: str = "default"
    # Business counters that the judge may look at as well, by name.
    metrics: tuple[str, ...] = ()

    @property
    def low_port(self) -> bool:
        """Whether the port is below 1024, which a non-root container may bind only with the
        (safe) sysctl `net.ipv4.ip_unprivileged_port_start`.
        """
        return self.port < 1024


class Override(Model, frozen=True):
    """What one environment changes about one service."""

    # Instead of the host with the environment's prefix.
    host: Host | None = None
    # Instead of the service's range; the environment's cap does not apply.
    replicas: Replicas | None = None
    # Instead of the service's.
    resources: Resources | None = None
    # Added to the service's and the environment's; this one wins.
    env: dict[EnvName, str] = {}
    # Instead of the service's judge policy.
    judge: str = ""


# --- strategies ---------------------------------------------------------------------------


class Watch(Model, frozen=True):
    """A stretch of time in which the version is watched: `judge` decides early, `bake` sits it out."""

    # How long it is watched at most.
    at_most: Duration
    # The judge policy; the service's when it is not written.
    policy: str = ""
    # When nobody can tell at the end, for want of traffic or of metrics: ask a person, or go on. Evidence
    # against the version rolls back either way.
    unclear: Literal["ask", "go_on"] = "ask"


class Approve(Model, frozen=True):
    """A person must say yes within the time."""

    # No answer by then rolls back.
    within: Duration = Duration(86400)
    # Nobody approves their own release.
    four_eyes: bool = True


class Smoke(Model, frozen=True):
    """HTTP checks through the header rule, at weight 0."""

    # All paths must have answered rightly by then.
    within: Duration = Duration(60)


class Hook(Model, frozen=True):
    """A call that may veto: a Lambda function name or an HTTPS URL."""

    # What the timeline calls it.
    name: str
    # A Lambda function's name, or an https:// address.
    target: str
    # No answer by then is a no.
    within: Duration = Duration(60)


class Step(Model, frozen=True):
    """One step of a strategy; exactly one field is set."""

    weight: Percent | None = None
    judge: Watch | None = None
    bake: Watch | None = None
    approve: Approve | None = None
    smoke: Smoke | None = None
    hook: Hook | None = None

    @property
    def kind(self) -> str:
        return next(name for name in self.__struct_fields__ if getattr(self, name) is not None)

    def __post_init__(self) -> None:
        chosen = [name for name in self.__struct_fields__ if getattr(self, name) is not None]
        if len(chosen) != 1:
            raise ValueError(
                f"a step does exactly one thing, this one has {chosen or 'nothing'}; "
                f"write one of {', '.join(self.__struct_fields__)}"
            )


class Strategy(Model, frozen=True):
    """How a version takes over. `in_place` updates the stable slot; the others use the idle one."""

    name: str
    # What the steps mean: in place, all at once, or by shares of the traffic.
    kind: Literal["rolling", "blue_green", "canary"]
    # In the order they run. What is in docs/catalog.md about their order is checked.
    steps: tuple[Step, ...] = ()
    # How long the previous version stays at capacity after promotion, ready to take traffic back.
    rollback_window: Duration = Duration(0)
    # How long a Deployment may take to become available, and targets to become healthy.
    ready_within: Duration = Duration(600)
    # How long a hold may last before a person is asked.
    hold_at_most: Duration = Duration(3600)
    # How long a slot waits for metrics that show it drained before its capacity goes all the same.
    # Longer than any deregistration delay.
    drain_within: Duration = Duration(600)
    # How long a person has when the judge cannot tell or a hold has lasted too long.
    ask_within: Duration = Duration(28800)

    @property
    def in_place(self) -> bool:
        return self.kind == "rolling"


# --- judging ------------------------------------------------------------------------------


class Budget(Model, frozen=True):
    """An objective of its own: a share of requests above `over` for `lasting` is bad in any case."""

    # Failed requests, or slow ones.
    metric: Literal["errors", "slow"]
    # The share of requests, from 0 to 1.
    over: float
    # How long it must be above; 0s is a single window that leaves no doubt.
    lasting: Duration
    # When the baseline is over it as well, going back will not help: hold, or roll back all the same.
    shared: Literal["hold", "rollback"] = "hold"

    def __post_init__(self) -> None:
        if not 0 < self.over < 1:
            raise ValueError(
                f"over: {self.over:g} is not a share of requests; write a number between 0 and 1"
            )


class Counter(Model, frozen=True):
    """A business counter that is judged like errors: events of this name among the requests."""

    # As the metrics store calls it.
    name: str
    # Whether more of it or less of it is bad.
    bad: Literal["more", "less"] = "more"


class Reading(Model, frozen=True):
    """How one metrics source is read."""

    # How long one look's counts are collected.
    window: Duration
    # How long after its end a window is taken as complete.
    settle: Duration


class JudgePolicy(Model, frozen=True):
    """How a canary is judged. See docs/judge.md for what each number means."""

    name: str
    # Chance of rolling back a canary that is no worse than its baseline.
    alpha: float = 0.01
    # The odds ratio up to which a canary counts as no worse.
    margin: float = 1.2
    # The odds ratio that must be ruled out before a canary is promoted early ...
    tolerance: float = 2.0
    # ... or the share of requests below which errors do not matter.
    negligible: float = 0.005
    # Chance of promoting early a canary that is worse than tolerated.
    promote_alpha: float = 0.05
    # What is compared: odds, or (with a fresh baseline slot as large as the canary) only who is worse.
    comparison: Literal["odds", "sign"] = "odds"
    # How long one look's counts are collected.
    window: Duration = Duration(60)
    # How long after its end a window is taken as complete.
    settle: Duration = Duration(60)
    # Sources that are read otherwise, by name.
    sources: dict[str, Reading] = {}
    # A request slower than this counts as slow, in seconds.
    slow_over: Duration = Duration(2)
    # With fewer canary requests than this nobody is promoted.
    min_requests: int = 50
    # Windows to look at before a canary is promoted early.
    min_windows: int = 3
    # How far back the service's own history is read, for its burstiness and for a baseline at 100%.
    history: Duration = Duration(10800)
    # Business counters beside errors and slow requests.
    counters: tuple[Counter, ...] = ()
    # Objectives beside the comparison with the baseline.
    budgets: tuple[Budget, ...] = ()

    def __post_init__(self) -> None:
        for name in ("alpha", "promote_alpha", "negligible"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name):g} is not between 0 and 1")
        if self.margin < 1:
            raise ValueError(
                f"margin: {self.margin:g} rolls back canaries as good as their baseline; write 1 or more"
            )
        if self.tolerance <= self.margin:
            raise ValueError(f"tolerance: {self.tolerance:g} must be above the margin, {self.margin:g}")
        if self.window <= 0:
            raise ValueError("window: 0 seconds hold no requests; write 15s, 1m or the like")

    def reading(self, source: str) -> Reading:
        """How the source of this name is read."""
        return self.sources.get(source) or Reading(window=self.window, settle=self.settle)


# --- environments -------------------------------------------------------------------------


class Endpoint(Model, frozen=True):
    """A CNAME record that clients connect to and that a failover points at whatever serves."""

    zone: HostedZone
    name: Host


class Replica(Model, frozen=True):
    """A cross-region read replica (or a global database's secondary cluster) that can be promoted."""

    identifier: Identifier
    region: Region
    # As `groups` and `fence_group` of Database, for this copy.
    groups: tuple[SecurityGroup, ...] = ()
    fence_group: SecurityGroup = ""


class Scratch(Model, frozen=True):
    """Where a drill restores to: away from everything live."""

    # A DB subnet group that leads nowhere live.
    subnet_group: str
    security_group: Annotated[str, _text("sg-[0-9a-f]{8,17}", "write a security group like sg-0a1b2c3d")]
    # What the restored instance runs on.
    instance_class: str = "db.t4g.medium"


class Database(Model, frozen=True):
    """A PostgreSQL database: an RDS instance or an Aurora cluster."""

    # What people call it.
    name: Name
    # The DB instance's (or cluster's) identifier.
    identifier: Identifier
    kind: Literal["rds", "aurora"] = "rds"
    # The secret with its credentials and host.
    secret: str = ""
    # Where it can be promoted to when the region fails.
    replica: Replica | None = None
    # A replica further behind than this is not promoted without consent to the loss.
    max_lag: Duration = Duration(300)
    # The Aurora global database that both clusters are in; RDS instances have none.
    global_cluster: str = ""
    # The security groups its clients come through, and one without inbound rules that fences it.
    groups: tuple[SecurityGroup, ...] = ()
    fence_group: SecurityGroup = ""
    endpoint: Endpoint | None = None
    scratch: Scratch | None = None


class Cache(Model, frozen=True):
    """A Redis replication group, optionally in a Global Datastore."""

    # What people call it.
    name: Name
    replication_group: Identifier
    # The Global Datastore's identifier, when there is one.
    global_datastore: str = ""
    endpoint: Endpoint | None = None


class Routing(Model, frozen=True):
    """How users are led to another region: alias records in `zone`, or ARC routing controls.

    `controls` maps each region to its routing control's ARN. `endpoints` are the ARC cluster's five
    regional endpoints, which answer when whole regions do not.
    """

    zone: HostedZone | None = None
    # Region to the ARN of its ARC routing control.
    controls: dict[Region, str] = {}
    endpoints: dict[Region, HttpsUrl] = {}


class Recovery(Model, frozen=True):
    """What recovery promises, and what it may do without a person. See docs/recovery.md."""

    # Whether the control plane's stack is deployed in the recovery region too: it is told of promotions.
    standby: bool = False
    # How long it may take until users are served again.
    rto: Duration = Duration(4 * 3600)
    # How much of the newest data may be lost.
    rpo: Duration = Duration(3600)
    # In-region failovers that a signal may start: nothing is lost by them.
    automatic: tuple[Literal["database", "cache"], ...] = ()
    # How long after a failover the same one is refused.
    cooldown: Duration = Duration(3600)
    # No answer by then ends the failover before it began.
    approve_within: Duration = Duration(4 * 3600)
    # How long backups are kept.
    retention: Duration = Duration(30 * 86400)
    # How old the newest snapshot may be.
    snapshot_age: Duration = Duration(26 * 3600)
    # S3 buckets whose objects must be replicated to the recovery region.
    buckets: tuple[str, ...] = ()
    # Node groups of the recovery region's cluster, and the nodes each needs before services start.
    nodes: dict[str, Count] = {}
    routing: Routing | None = None


class Freeze(Model, frozen=True):
    """A window in which releases need break-glass. Times are local to the environment's time zone."""

    # What people call it.
    name: str
    # Local time, like 2026-12-23T00:00.
    start: str
    # Local time; the window ends before it.
    end: str
    # Shown to whoever is refused.
    reason: str


class Calendar(Model, frozen=True):
    """Days that schedules treat as holidays. The loader adds the days of `country` and `ical` to `days`."""

    name: Name
    # Each day's name: "2026-12-25" once, "12-25" every year.
    days: dict[Day, str] = {}
    # ISO 3166-1 code of the country whose public holidays count, like US.
    country: Annotated[str, _text("(?:[A-Z]{2})?", "write two capitals, like US")] = ""
    # The state or province, as the `holidays` package names it, like CA.
    subdivision: str = ""
    # An iCalendar file beside calendars.yaml; all-day events, also repeated ones.
    ical: str = ""
    # The last day that `country` and `ical` were expanded for; the loader writes it.
    known_until: str = ""


class Schedule(Model, frozen=True):
    """When a non-production environment is awake. See docs/catalog.md for the rules and what wins."""

    # An IANA time zone, like America/Los_Angeles.
    timezone: str
    # Each one like "Mon-Fri 07:00-20:00", "holidays 10:00-14:00" or "2026-12-24 off".
    awake: tuple[str, ...]
    # Names of calendars.
    holidays: tuple[Name, ...] = ()
    # Whether a release wakes the environment or waits for the morning.
    on_release_while_asleep: Literal["wake", "queue"] = "queue"
    # No override lasts longer than this.
    override_at_most: Duration = Duration(7 * 86400)


class Cost(Model, frozen=True):
    """Monthly target in US dollars."""

    # What it should cost at least, or somebody turned too much off.
    low: Dollars
    # The target that forecasts are held against.
    high: Dollars


class Allowance(Model, frozen=True):
    """A vulnerability that may be there for a while."""

    # Like CVE-2026-12345.
    id: str
    # The last day that it may be there, like 2026-12-31.
    until: Annotated[str, _text(r"\d{4}-\d{2}-\d{2}", "write a date like 2026-12-31")]
    # Why it may.
    reason: str


class Gates(Model, frozen=True):
    """What must be known of an image before it may be released. See docs/security.md."""

    # Every one must be in the manifest list.
    platforms: tuple[str, ...] = ("linux/amd64", "linux/arm64")
    # Repositories that may have built it, like https://github.com/candlefish-ai/candlefish; any when empty.
    sources: tuple[HttpsUrl, ...] = ()
    # An older scan does not count.
    scan_age: Duration = Duration(7 * 86400)
    # Critical vulnerabilities that may be there beside the allowed ones.
    critical: Annotated[int, _number("write 0 or more", 0)] = 0
    # High ones.
    high: Annotated[int, _number("write 0 or more", 0)] = 0
    # Each with a reason and a date.
    allow: tuple[Allowance, ...] = ()


class Environment(Model, frozen=True):
    """One environment: where it runs and how strict it is."""

    name: Name
    # The AWS account's number.
    account: Account
    region: Region
    # Where it comes back when the region fails.
    recovery_region: Region
    # The EKS cluster's name.
    cluster: str
    # The Kubernetes namespace of all services.
    namespace: Label
    # How versions take over here.
    strategy: str
    # Monthly target.
    cost: Cost
    # Production never sleeps, and a second person approves what goes there.
    production: bool = False
    # An IANA time zone; freezes are in it.
    timezone: str = "America/Los_Angeles"
    # Networks the load balancer's addresses are in; Pods accept traffic from nowhere else outside.
    ingress_cidrs: tuple[Cidr, ...] = ()
    # Caps the service's replica range (non-production runs small).
    replicas: Replicas | None = None
    # Set for every service here; a service's own override wins.
    env: dict[EnvName, str] = {}
    # What is different about single services here.
    overrides: dict[Name, Override] = {}
    # When releases need break-glass.
    freezes: tuple[Freeze, ...] = ()
    # What must be known of an image before a release; nothing is asked when there are none.
    gates: Gates | None = None
    # When it is awake; always, when there is none. Never for production.
    schedule: Schedule | None = None
    # What recovery, drills and sleep look after.
    databases: tuple[Database, ...] = ()
    # What recovery and sleep look after.
    caches: tuple[Cache, ...] = ()
    recovery: Recovery = Recovery()
    # "" serves api.candlefish.ai, "staging" serves api.staging.candlefish.ai.
    host_prefix: Annotated[str, _text(f"(?:{_LABEL})?", "write one DNS label, like staging")] = ""


class Person(Model, frozen=True):
    """Somebody who can ask for and approve releases, and the names they go by."""

    name: str
    # Login on GitHub.
    github: str = ""
    # The IAM user's or role session's name.
    aws: str = ""
    # The member id, like U01ABCDEF.
    slack: str = ""
    # Whether this person may approve.
    approver: bool = False


# --- responses ----------------------------------------------------------------------------

Severity = Literal["P0", "P1", "P2"]
Subject = Literal["service", "database", "cache", "other"]
Act = Literal["rollback", "hold", "failover", "notify", "nothing"]
Pattern = Annotated[str, _text(r".{1,200}", "write a regular expression of at most 200 characters")]


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
    """What signals lead to."""

    clues: Clues = Clues()
    # What a `severity` label means where no rule matches; anything else is P2.
    levels: dict[str, Severity] = {}
    # Rules are tried in the order they are written.
    rules: dict[str, ResponseRule] = {}
    # What a severity leads to for each kind of subject; what is not written notifies.
    actions: dict[Severity, dict[Subject, Act]] = {}
    guard: GuardPolicy = GuardPolicy()


T = TypeVar("T")


def _look_up(things: dict[str, T], kind: str, name: str) -> T:
    if name in things:
        return things[name]
    raise UnknownService(f"the catalog has no {kind} {name!r}; {suggest(name, things)}")


def suggest(name: str, known: Iterable[str]) -> str:
    """What to do about an unknown name: the nearest known one, or all of them."""
    from difflib import get_close_matches  # Only whoever made a mistake pays for the import.

    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"it is one of {', '.join(names)}" if names else "there are none"


class Catalog(Model, frozen=True):
    """Everything, validated and cross-checked. The look-ups raise UnknownService."""

    services: dict[Name, Service]
    environments: dict[Name, Environment]
    strategies: dict[str, Strategy]
    policies: dict[str, JudgePolicy]
    people: dict[str, Person] = {}
    calendars: dict[Name, Calendar] = {}
    responses: Responses = Responses()

    def service(self, name: str) -> Service:
        return _look_up(self.services, "service", name)

    def environment(self, name: str) -> Environment:
        return _look_up(self.environments, "environment", name)

    def strategy(self, environment: str) -> Strategy:
        """The strategy that an environment releases with."""
        return _look_up(self.strategies, "strategy", self.environment(environment).strategy)

    def policy(self, name: str) -> JudgePolicy:
        return _look_up(self.policies, "judge policy", name)


def decode_hook(kind: type, value: Any) -> Any:
    """Teach msgspec to read the catalog's own scalar types."""
    if kind is Duration:
        return Duration.parse(value)
    raise NotImplementedError(kind)


def encode_hook(value: Any) -> Any:
    """Teach msgspec to write the catalog's own scalar types."""
    if isinstance(value, Duration):
        return float(value)
    raise NotImplementedError(type(value))
