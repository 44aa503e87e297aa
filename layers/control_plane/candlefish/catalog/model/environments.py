"""Environments: where services run and how strict it is there."""

from __future__ import annotations

from typing import Annotated

from candlefish.catalog.model.calendars import Freeze, Schedule
from candlefish.catalog.model.console import Console
from candlefish.catalog.model.gates import Gates
from candlefish.catalog.model.pods import Egress, IdentityBy, Ingress, SecretsBy, SecretStore
from candlefish.catalog.model.recovery import Cache, Database, Recovery
from candlefish.catalog.model.scalars import (
    LABEL,
    Account,
    Cidr,
    Dollars,
    EnvName,
    Label,
    MaybeRegion,
    Model,
    Name,
    Region,
    text,
)
from candlefish.catalog.model.services import ServiceOverride
from candlefish.catalog.model.sizes import Replicas


class Cost(Model, frozen=True):
    """Monthly target in US dollars."""

    # What it should cost at least, or somebody turned too much off.
    low: Dollars
    # The target that forecasts are held against.
    high: Dollars


class Environment(Model, frozen=True):
    """One environment: where it runs and how strict it is."""

    name: Name
    # The AWS account's number.
    account: Account
    region: Region
    # The EKS cluster's name.
    cluster: str
    # The Kubernetes namespace of all services.
    namespace: Label
    # How versions take over here.
    strategy: str
    # Where it comes back when the region fails; without one nothing fails over out of the region.
    recovery_region: MaybeRegion = ""
    # Monthly target; without one there is no budget, and costs are shown and reported, not judged.
    cost: Cost | None = None
    # Production never sleeps, and a second person approves what goes there.
    production: bool = False
    # An IANA time zone; freezes are in it.
    timezone: str = "America/Los_Angeles"
    # Networks the load balancer's addresses are in. Pods accept requests from these, from services that depend on them
    # and from whom `ingress` names, and from nobody else; from anywhere when there are none.
    ingress_cidrs: tuple[Cidr, ...] = ()
    # Caps the service's replica range (non-production runs small).
    replicas: Replicas | None = None
    # Set for every service here; a service's own override wins.
    env: dict[EnvName, str] = {}
    # Kubernetes Secrets of the namespace (type kubernetes.io/dockerconfigjson) with which every Pod pulls its images, where
    # the nodes' own role may not.
    image_pull_secrets: tuple[Label, ...] = ()
    # How services' secrets come to their Pods here.
    secrets_by: SecretsBy = "role"
    # Where the External Secrets Operator reads them; only with `secrets_by: external-secrets`.
    secret_store: SecretStore | None = None
    # How Pods come to their IAM roles here.
    identity_by: IdentityBy = "irsa"
    # What every service's Pods may reach here besides, like a collector of traces.
    egress: tuple[Egress, ...] = ()
    # Who may reach every service's Pods here besides, like Prometheus.
    ingress: tuple[Ingress, ...] = ()
    # What is different about single services here.
    overrides: dict[Name, ServiceOverride] = {}
    # When releases need break-glass.
    freezes: tuple[Freeze, ...] = ()
    # What must be known of an image before a release; nothing is asked when there are none.
    gates: Gates | None = None
    # Who signs people in to the page and the API of this environment; without it there is neither.
    console: Console | None = None
    # When it is awake; always, when there is none. Never for production.
    schedule: Schedule | None = None
    # What recovery, drills and sleep look after.
    databases: tuple[Database, ...] = ()
    # What recovery and sleep look after.
    caches: tuple[Cache, ...] = ()
    recovery: Recovery = Recovery()
    # "" serves api.example.org, "staging" serves api.staging.example.org.
    host_prefix: Annotated[str, text(f"(?:{LABEL})?", "write one DNS label, like staging")] = ""

    @property
    def regions(self) -> tuple[str, ...]:
        """Its region, and the one where it comes back, if there is one."""
        return (self.region, self.recovery_region) if self.recovery_region else (self.region,)
