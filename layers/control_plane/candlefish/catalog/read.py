"""The compiled catalog as functions read it, and a service as an environment runs it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import msgspec

from candlefish.catalog.model import Catalog, Environment, Replicas, Service, ServiceOverride, decode_hook
from candlefish.errors import Misconfigured

# Public suffixes of two labels (co.uk, com.au): the label before a two-letter country code.
_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})

_decoder = msgspec.json.Decoder(Catalog, dec_hook=decode_hook)


def read(path: str | os.PathLike[str]) -> Catalog:
    """The catalog that `candlefish catalog compile` wrote.

    Raises
    ------
    Misconfigured
        When the file is missing, or was compiled by another version of the code.
    """
    try:
        return _decoder.decode(Path(path).read_bytes())
    except OSError as error:
        raise Misconfigured(
            f"cannot read the compiled catalog {os.fspath(path)}: {error.strerror}; "
            "run `candlefish catalog compile`"
        ) from error
    except msgspec.DecodeError as error:
        raise Misconfigured(
            f"the compiled catalog {os.fspath(path)} does not fit this code: {error}; "
            "run `candlefish catalog compile` with the version that is deployed"
        ) from error


def effective(service: Service, environment: Environment) -> Service:
    """The service with the environment's overrides, replica cap, variables, pull secrets and host prefix.

    What wins, strongest first: the environment's override for this service, the environment's
    value for every service, the service's own. The cap never raises a range.
    """
    override = environment.overrides.get(service.name, ServiceOverride())
    return msgspec.structs.replace(
        service,
        host=override.host or prefixed(service.host, environment.host_prefix),
        replicas=override.replicas or _capped(service.replicas, environment.replicas),
        resources=override.resources or service.resources,
        env={**service.env, **environment.env, **override.env},
        judge=override.judge or service.judge,
        role=override.role or service.role,
        egress=(*environment.egress, *service.egress),
        ingress=(*environment.ingress, *service.ingress),
        image_pull_secrets=tuple(
            dict.fromkeys((*environment.image_pull_secrets, *service.image_pull_secrets))
        ),
    )


def prefixed(host: str, prefix: str) -> str:
    """The host with a label in front of its registered domain: api.example.org, api.dev.example.org."""
    if not (prefix and host):
        return host
    labels = host.split(".")
    registered = 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 2
    return ".".join([*labels[:-registered], prefix, *labels[-registered:]])


def in_dependency_order(services: Mapping[str, Service]) -> list[str]:
    """Names so that each comes after what it depends on. The catalog has been checked for cycles."""
    return list(
        TopologicalSorter({name: services[name].depends_on for name in sorted(services)}).static_order()
    )


def _capped(own: Replicas, cap: Replicas | None) -> Replicas:
    if cap is None:
        return own
    return msgspec.structs.replace(own, min=min(own.min, cap.min), max=min(own.max, cap.max))
