"""What services say of their Pods, held against environments and other services."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from itertools import chain

from candlefish.catalog.model import Catalog, Egress, Ingress
from candlefish.catalog.problems import CatalogProblem, Path, unknown

# Where a node keeps its own credentials.
_NODES = ipaddress.ip_network("169.254.0.0/16")


def secret_ways(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Whether every environment can hand out what services ask for."""
    by_name = [name for name, each in catalog.environments.items() if each.secrets_by == "role"]
    for name, service in catalog.services.items():
        for index, secret in enumerate(service.secrets):
            if secret.key and by_name:
                yield CatalogProblem(
                    ("services", name, "secrets", index, "key"),
                    f"in {', '.join(by_name)} a variable holds the secret's name (secrets_by: role), not one of its keys",
                    "set secrets_by to external-secrets or csi there, or let the service take the key itself",
                )
    for name, environment in catalog.environments.items():
        here: Path = ("environments", name, "secret_store")
        if (environment.secrets_by == "external-secrets") != (environment.secret_store is not None):
            what = f"secrets_by is {environment.secrets_by}, and a store is {'named' if environment.secret_store else 'missing'}"
            yield CatalogProblem(
                here,
                what,
                "name the store of the External Secrets Operator with secrets_by: external-secrets alone",
            )


def pod_accounts(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Nobody's Pods run as another service."""
    for name, service in catalog.services.items():
        # One of the service's own name is its chart's, from before: used, and not written.
        if service.service_account in catalog.services and service.service_account != name:
            yield CatalogProblem(
                ("services", name, "service_account"),
                f"{service.service_account} is the account that is made for a service of the catalog",
                "leave it out for the service's own, or name another one that exists",
            )


def network_peers(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Whether networks and services in `egress` and `ingress` are there."""
    for name, service in catalog.services.items():
        yield from _rules(("services", name), service.egress, service.ingress, catalog)
    for name, environment in catalog.environments.items():
        yield from _rules(("environments", name), environment.egress, environment.ingress, catalog)


def _rules(
    here: Path, egress: Sequence[Egress], ingress: Sequence[Ingress], catalog: Catalog
) -> Iterator[CatalogProblem]:
    named = chain(
        (((*here, "egress", index), "to", rule.to) for index, rule in enumerate(egress)),
        (((*here, "ingress", index), "source", rule.source) for index, rule in enumerate(ingress)),
    )
    for path, field, written in named:
        kind, _, name = written.partition("/")
        if kind == "service" and name not in catalog.services:
            yield unknown((*path, field), "service", name, catalog.services)
        elif kind not in ("service", "namespace"):
            yield from _network((*path, field), written)
    for index, out in enumerate(egress):
        if not out.ports:
            yield CatalogProblem((*here, "egress", index, "ports"), "no port is named", "name each port")


def _network(path: Path, written: str) -> Iterator[CatalogProblem]:
    try:
        found = ipaddress.ip_network(written)
    except ValueError as error:
        yield CatalogProblem(path, str(error), "write a network like 10.0.0.0/16")
        return
    if found.version == 4 and found.overlaps(_NODES) and found.prefixlen >= _NODES.prefixlen:
        yield CatalogProblem(
            path, f"{written} is the node's own", "leave it out: credentials of the node are there"
        )
