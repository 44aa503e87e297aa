"""The configuration of a version: all of the catalog that its objects are rendered from, fixed when it is released.

It is text: canonical JSON with sorted keys and without defaults, so that the same words of the catalog are the same
text, whatever their order and whatever fields later code adds. It stands whole in the version, wherever that is
written down, and its digest names it. What is in no list here is part of it, new fields of the catalog too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec

from candlefish.catalog.model import Catalog, Environment, Service, decode_hook
from candlefish.catalog.read import effective
from candlefish.errors import InvalidInput, RecordTooNew, Unreadable
from candlefish.release.manifests.model import Callee, Store
from candlefish.service.model import Version

# Of one version, in bytes: six of them stand in a record, which is one item of DynamoDB.
LARGEST_CONFIGURATION = 16 * 1024

# What no object is made of. It is taken from today's catalog, where it is asked for at all: where things are, what
# releases go by, and what a bundle may name.
UNRENDERED_OF_SERVICE = frozenset(
    {
        "depends_on",
        "host",
        "image",
        "judge",
        "metrics",
        "name",
        "owner",
        "repository",
        "runbook",
        "sidecars",
        "smoke_paths",
        "websockets",
    }
)
UNRENDERED_OF_ENVIRONMENT = frozenset(
    {
        "account",
        "caches",
        "cluster",
        "cost",
        "databases",
        "egress",
        "env",
        "freezes",
        "gates",
        "host_prefix",
        "image_pull_secrets",
        "ingress",
        "name",
        "namespace",
        "overrides",
        "recovery",
        "recovery_region",
        "region",
        "replicas",
        "schedule",
        "strategy",
        "timezone",
    }
)
# What is needed of a service that left the catalog, and no object is made of.
_GONE = {"image": "", "owner": "", "host": ""}
# Of what nobody is shown the values.
_QUIET = ("service.env.",)


class Configuration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A configuration, as objects are rendered from it. `ready_within` is seconds."""

    service: Service
    environment: Environment
    ready_within: float
    # The services that it calls inside the cluster, and the kinds of stores that its environment has.
    dependencies: tuple[Callee, ...] = ()
    stores: tuple[Store, ...] = ()
    # The services that call it, where they have to be told from anybody; None where nobody wrote that down.
    callers: tuple[str, ...] | None = None


def configuration_of(name: str, environment: str, catalog: Catalog) -> str:
    """The configuration that a service would be released with by a catalog.

    Raises
    ------
    UnknownService
        The catalog has no such service.
    InvalidInput
        It is larger than a record has room for.
    """
    text = _text_of(name, environment, catalog)
    if (size := len(text.encode())) > LARGEST_CONFIGURATION:
        raise InvalidInput(
            f"the configuration of {name} in {environment} has {size:,} bytes, a record has room for "
            f"{LARGEST_CONFIGURATION:,}; move what is long in its `env` into a secret, or into a file of the image"
        )
    return text


def _text_of(name: str, environment: str, catalog: Catalog) -> str:
    """A configuration by a catalog, whatever its size."""
    env = catalog.environment(environment)
    service = effective(catalog.service(name), env)
    called = (effective(catalog.service(each), env) for each in service.depends_on)
    stores: dict[Store, bool] = {"postgres": bool(env.databases), "redis": bool(env.caches)}
    plain: dict[str, Any] = {
        "service": _without(service, UNRENDERED_OF_SERVICE),
        "environment": _without(env, UNRENDERED_OF_ENVIRONMENT),
        "ready_within": float(catalog.strategies[env.strategy].ready_within),
        "dependencies": [_plain(Callee(each.name, each.port, each.kind)) for each in called],
        "stores": [store for store, there in stores.items() if there],
    }
    if env.ingress_cidrs:
        plain["callers"] = [each.name for each in catalog.services.values() if name in each.depends_on]
    return _canonical(plain)


def configured(version: Version, service: str, environment: str, catalog: Catalog) -> Version:
    """A version with the configuration that the catalog has for it."""
    text = configuration_of(service, environment, catalog)
    return msgspec.structs.replace(version, configuration=text)


def read_configuration(version: Version, service: str, environment: str, catalog: Catalog) -> Configuration:
    """What a version's objects are rendered from.

    A version of older code, which knew none, is rendered from today's catalog, as it always was.

    Raises
    ------
    RecordTooNew
        Newer code wrote it, and this code would leave out what it does not know.
    Unreadable
        It is not what anybody of us wrote.
    UnknownService
        The version knows none, and its service is not in the catalog.
    """
    env = catalog.environment(environment)
    # Nothing of this one is written down: it may be as large as it was before there was a bound.
    text = version.configuration or _text_of(service, environment, catalog)
    whole = f"the configuration of {version.short} of {service} in {environment}"
    try:
        kept = json.loads(text)
        today = catalog.services.get(service)
        filled = {
            **kept,
            "service": {**_some(today, UNRENDERED_OF_SERVICE), "name": service, **kept["service"]},
            "environment": {**_some(env, UNRENDERED_OF_ENVIRONMENT), **kept["environment"]},
        }
        return msgspec.convert(filled, Configuration, dec_hook=decode_hook)
    except (LookupError, TypeError, ValueError, RecursionError, msgspec.ValidationError) as error:
        if "unknown field" in str(error):
            raise RecordTooNew(
                f"{whole} was written by a newer stack ({error}); nothing was changed. Deploy the newer stack again, "
                "or release a version with this one (docs/deploy.md, Rolling back)"
            ) from error
        raise Unreadable(
            f"{whole} cannot be read: {error}; nothing was changed. Release a version again, or see "
            '"An item that cannot be read" in docs/runbook.md'
        ) from error


def configuration_changes(before: str, after: str) -> tuple[str, ...]:
    """What is different between two configurations, a line each: the path, and both values.

    Variables are named, and their values are not shown. An empty configuration is one that is not known.
    """
    if not (before and after):
        return ()
    old, new = (dict(_leaves(json.loads(text))) for text in (before, after))
    return tuple(
        _change(path, old.get(path), new.get(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    )


def _change(path: str, old: Any, new: Any) -> str:
    before, after = _said(_named(old)), _said(_named(new))
    quiet = path.startswith(_QUIET) or before == after
    return f"{path} changed" if quiet else f"{path}: {before} becomes {after}"


def _named(value: Any) -> Any:
    """A value in which variables (of Jobs) are named, without their values."""
    if isinstance(value, list):
        return [_named(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: sorted(each) if name == "env" and isinstance(each, dict) else _named(each)
        for name, each in value.items()
    }


def _leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return [(path, value)]
    return [
        leaf for name, each in value.items() for leaf in _leaves(each, f"{path}.{name}" if path else name)
    ]


def _said(value: Any) -> str:
    """A value in a line; what is not written is the catalog's default."""
    return "the default" if value is None else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _canonical(plain: Mapping[str, Any]) -> str:
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _without(model: msgspec.Struct, names: frozenset[str]) -> dict[str, Any]:
    return _written(model, lambda name: name not in names)


def _some(model: msgspec.Struct | None, names: frozenset[str]) -> dict[str, Any]:
    """The fields of today that are not part of a configuration."""
    return dict(_GONE) if model is None else _written(model, lambda name: name in names)


def _plain(value: Any) -> Any:
    """A value of the catalog in JSON's words; fields that have their default are left out (msgspec leaves out few)."""
    if isinstance(value, msgspec.Struct):
        return _written(value, lambda name: True)
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return float(value) if isinstance(value, float) else value


def _written(model: msgspec.Struct, wanted: Callable[[str], bool]) -> dict[str, Any]:
    return {
        name: _plain(here)
        for name, default in _defaults(type(model))
        if wanted(name) and (here := getattr(model, name)) != default
    }


@cache
def _defaults(kind: type[msgspec.Struct]) -> tuple[tuple[str, Any], ...]:
    """The fields of a model with their defaults. Kept: msgspec works the annotations out at each question."""
    return tuple(
        (
            each.name,
            each.default_factory() if each.default_factory is not msgspec.NODEFAULT else each.default,
        )
        for each in msgspec.structs.fields(kind)
    )
