"""What the catalog says: services, environments, strategies.

These are the only definitions of the catalog's shape. `catalog.load` reads YAML into them (at
build time, with errors that name file and line), `catalog.schema` derives the JSON Schema that
editors use, and functions decode the compiled JSON into them at import.

Durations are written as `90s`, `5m`, `1h30m` and held as seconds.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

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
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
            return cls(value)
        match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
        if match is None:
            raise ValueError(f"{value!r} is not a duration; write it like 90s, 5m, 1h30m or 2d")
        days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
        return cls(days * 86400 + hours * 3600 + minutes * 60 + seconds)


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of everything in the catalog: immutable, and strict about unknown fields."""


# --- services -----------------------------------------------------------------------------


class Replicas(Model):
    """The range a HorizontalPodAutoscaler may move in."""

    min: int
    max: int
    target_cpu_percent: int = 70


class Resources(Model):
    """CPU and memory of one container, in Kubernetes quantities."""

    cpu: str
    memory: str
    cpu_limit: str
    memory_limit: str


class Secret(Model):
    """A Secrets Manager secret that a service reads through its own role (IRSA)."""

    name: str
    env: str


class Service(Model):
    """One service: what runs, how it is reached, how large it is, who owns it."""

    name: str
    image: str
    port: int
    health_path: str
    host: str
    replicas: Replicas
    resources: Resources
    owner: str
    runbook: str = ""
    env: dict[str, str] = {}
    secrets: tuple[Secret, ...] = ()
    depends_on: tuple[str, ...] = ()
    # Paths that must answer 2xx or 3xx at weight 0; the health path when empty.
    smoke_paths: tuple[str, ...] = ()
    # Directories that must stay writable under a read-only root file system (emptyDir).
    writable_paths: tuple[str, ...] = ("/tmp",)
    judge: str = "default"
    metrics: tuple[str, ...] = ()


# --- strategies ---------------------------------------------------------------------------


class Watch(Model):
    """A stretch of time in which the version is watched: `judge` decides early, `bake` sits it out."""

    at_most: Duration
    policy: str = ""


class Approve(Model):
    """A person must say yes within the time."""

    within: Duration = Duration(86400)
    # Nobody approves their own release.
    four_eyes: bool = True


class Smoke(Model):
    """HTTP checks through the header rule, at weight 0."""

    within: Duration = Duration(60)


class Hook(Model):
    """A call that may veto: a Lambda function name or an HTTPS URL."""

    name: str
    target: str
    within: Duration = Duration(60)


class Step(Model):
    """One step of a strategy; exactly one field is set."""

    weight: int | None = None
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
        if self.weight is not None and not 0 <= self.weight <= 100:
            raise ValueError(f"weight {self.weight} is not a percentage; write 0 to 100")


class Strategy(Model):
    """How a version takes over. `in_place` updates the stable slot; the others use the idle one."""

    name: str
    kind: Literal["rolling", "blue_green", "canary"]
    steps: tuple[Step, ...] = ()
    # How long the previous version stays at capacity after promotion, ready to take traffic back.
    rollback_window: Duration = Duration(0)
    # How long a Deployment may take to become available, and targets to become healthy.
    ready_within: Duration = Duration(600)
    # How long a hold may last before a person is asked.
    hold_at_most: Duration = Duration(3600)

    @property
    def in_place(self) -> bool:
        return self.kind == "rolling"


# --- judging ------------------------------------------------------------------------------


class Budget(Model):
    """An absolute objective: more than `over` (share of requests) for `lasting` is bad whatever the baseline does."""

    metric: Literal["errors", "slow"]
    over: float
    lasting: Duration


class JudgePolicy(Model):
    """How a canary is judged. See docs/judge.md for what each number means."""

    name: str
    # Chance of rolling back a canary that is no worse than its baseline.
    alpha: float = 0.01
    # The odds ratio up to which a canary counts as no worse.
    margin: float = 1.2
    window: Duration = Duration(60)
    # A request slower than this counts as slow, in seconds.
    slow_over: Duration = Duration(2)
    min_requests: int = 50
    budgets: tuple[Budget, ...] = ()


# --- environments -------------------------------------------------------------------------


class Replica(Model):
    """A cross-region read replica that can be promoted."""

    identifier: str
    region: str


class Database(Model):
    """A PostgreSQL database: an RDS instance or an Aurora cluster."""

    name: str
    identifier: str
    kind: Literal["rds", "aurora"] = "rds"
    secret: str = ""
    replica: Replica | None = None
    max_lag: Duration = Duration(300)


class Cache(Model):
    """A Redis replication group, optionally in a Global Datastore."""

    name: str
    replication_group: str
    global_datastore: str = ""


class Freeze(Model):
    """A window in which releases need break-glass. Times are local to the environment's time zone."""

    name: str
    start: str
    end: str
    reason: str


class Schedule(Model):
    """When a non-production environment is awake."""

    timezone: str
    # Each span like "Mon-Fri 07:00-20:00".
    awake: tuple[str, ...]
    holidays: tuple[str, ...] = ()
    on_release_while_asleep: Literal["wake", "queue"] = "queue"


class Cost(Model):
    """Monthly target in US dollars."""

    low: float
    high: float


class Environment(Model):
    """One environment: where it runs and how strict it is."""

    name: str
    account: str
    region: str
    recovery_region: str
    cluster: str
    namespace: str
    strategy: str
    cost: Cost
    production: bool = False
    timezone: str = "America/Los_Angeles"
    # Caps the service's replica range (non-production runs small).
    replicas: Replicas | None = None
    freezes: tuple[Freeze, ...] = ()
    schedule: Schedule | None = None
    databases: tuple[Database, ...] = ()
    caches: tuple[Cache, ...] = ()
    # Extra host suffix: "" serves api.candlefish.ai, "staging" serves api.staging.candlefish.ai.
    host_prefix: str = ""


class Person(Model):
    """Somebody who can ask for and approve releases, and the names they go by."""

    name: str
    github: str = ""
    aws: str = ""
    slack: str = ""
    approver: bool = False


class Catalog(Model):
    """Everything, validated and cross-checked."""

    services: dict[str, Service]
    environments: dict[str, Environment]
    strategies: dict[str, Strategy]
    policies: dict[str, JudgePolicy]
    people: dict[str, Person] = {}


def decode_hook(kind: type, value: Any) -> Any:
    """Teach msgspec the catalog's own scalar types."""
    if kind is Duration:
        return Duration.parse(value)
    raise NotImplementedError(kind)
