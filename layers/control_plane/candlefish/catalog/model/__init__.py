"""What the catalog says: services, environments, strategies and all that belongs to them.

These are the only definitions of the catalog's shape, one module for each thing that people write
about; everything is imported from here. `catalog.load` reads YAML into them (at build time, with errors
that name file and line), `catalog.schema` derives the JSON Schema that editors use, and functions decode
the compiled JSON into them at import (`catalog.read`).

What one model can check of itself stands in it (`__post_init__`, and the patterns of `scalars`); what
takes several is in `catalog.checks`.

Durations are written as `90s`, `5m`, `1h30m` and held as seconds. Every field is described in
docs/catalog.md; a test says that none is missing there.
"""

from __future__ import annotations

from candlefish.catalog.model.calendars import Calendar, Freeze, Schedule
from candlefish.catalog.model.cron import Cron
from candlefish.catalog.model.environments import Cost, Environment
from candlefish.catalog.model.gates import Allowance, Gates
from candlefish.catalog.model.jobs import Job
from candlefish.catalog.model.judging import CUSTOM, Budget, Counter, JudgePolicy, Reading, Timing
from candlefish.catalog.model.people import Person
from candlefish.catalog.model.pods import (
    Autoscale,
    Egress,
    ExternalMetric,
    Ingress,
    PodsMetric,
    Prometheus,
    RunAs,
    SecretStore,
)
from candlefish.catalog.model.queries import (
    DIMENSION_PLACEHOLDERS,
    NAMESPACE_PLACEHOLDERS,
    PLACEHOLDERS,
    PRESETS,
    CustomMetrics,
    Preset,
    Queries,
    fill,
)
from candlefish.catalog.model.recovery import (
    Cache,
    Database,
    Endpoint,
    Recovery,
    Replica,
    Routing,
    ScratchSettings,
)
from candlefish.catalog.model.responses import (
    FITS,
    Act,
    Clue,
    Clues,
    Cooldowns,
    GuardPolicy,
    Owner,
    Pattern,
    PublishedAlert,
    ResponseRule,
    Responses,
    Severity,
    Source,
    Subject,
)
from candlefish.catalog.model.scalars import (
    Account,
    Cidr,
    Count,
    Cpu,
    Day,
    Dollars,
    Duration,
    EnvName,
    FilePath,
    Host,
    HostedZone,
    HttpsUrl,
    Identifier,
    Image,
    Label,
    Memory,
    Model,
    Name,
    Percent,
    Port,
    Region,
    Repository,
    SecretName,
    SecurityGroup,
    UrlPath,
    decode_hook,
    encode_hook,
)
from candlefish.catalog.model.services import (
    GRPC_HEALTH,
    OUR_VARIABLES,
    Protocol,
    Secret,
    Service,
    ServiceKind,
    ServiceOverride,
)
from candlefish.catalog.model.sizes import Replicas, Resources
from candlefish.catalog.model.strategies import Approve, Hook, Smoke, Strategy, StrategyStep, Watch
from candlefish.catalog.model.whole import Catalog, suggest

__all__ = [
    "CUSTOM",
    "DIMENSION_PLACEHOLDERS",
    "FITS",
    "GRPC_HEALTH",
    "NAMESPACE_PLACEHOLDERS",
    "OUR_VARIABLES",
    "PLACEHOLDERS",
    "PRESETS",
    "Account",
    "Act",
    "Allowance",
    "Approve",
    "Autoscale",
    "Budget",
    "Cache",
    "Calendar",
    "Catalog",
    "Cidr",
    "Clue",
    "Clues",
    "Cooldowns",
    "Cost",
    "Count",
    "Counter",
    "Cpu",
    "Cron",
    "CustomMetrics",
    "Database",
    "Day",
    "Dollars",
    "Duration",
    "Egress",
    "Endpoint",
    "EnvName",
    "Environment",
    "ExternalMetric",
    "FilePath",
    "Freeze",
    "Gates",
    "GuardPolicy",
    "Hook",
    "Host",
    "HostedZone",
    "HttpsUrl",
    "Identifier",
    "Image",
    "Ingress",
    "Job",
    "JudgePolicy",
    "Label",
    "Memory",
    "Model",
    "Name",
    "Owner",
    "Pattern",
    "Percent",
    "Person",
    "PodsMetric",
    "Port",
    "Preset",
    "Prometheus",
    "Protocol",
    "PublishedAlert",
    "Queries",
    "Reading",
    "Recovery",
    "Region",
    "Replica",
    "Replicas",
    "Repository",
    "Resources",
    "ResponseRule",
    "Responses",
    "Routing",
    "RunAs",
    "Schedule",
    "ScratchSettings",
    "Secret",
    "SecretName",
    "SecretStore",
    "SecurityGroup",
    "Service",
    "ServiceKind",
    "ServiceOverride",
    "Severity",
    "Smoke",
    "Source",
    "Strategy",
    "StrategyStep",
    "Subject",
    "Timing",
    "UrlPath",
    "Watch",
    "decode_hook",
    "encode_hook",
    "fill",
    "suggest",
]
