"""What every composition root shares: settings, catalog, records and journal, executions, the bus.

Each root builds an adapter once, when a function first asks for it, and imports it where it is built:
a function pays only for what it uses.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from candlefish.adapters.aws.api import client
from candlefish.settings import Setting, Settings

if TYPE_CHECKING:
    from candlefish.adapters.aws.caller_proof import ProvenCallers
    from candlefish.adapters.aws.eventbridge import BestEffort, EventBus
    from candlefish.adapters.aws.stepfunctions import StepFunctionsExecutions
    from candlefish.adapters.aws.tag_switch import TagSwitch
    from candlefish.adapters.emf import EmfMeter
    from candlefish.adapters.http.callers import Callers
    from candlefish.adapters.http.oidc_tokens import OidcIssuer
    from candlefish.adapters.table.records import DynamoRecords
    from candlefish.adapters.table.requesters import DynamoRequesters
    from candlefish.catalog.model import Catalog, Environment, Role
    from candlefish.release.journal import Journal
    from candlefish.web import HttpRequest

now = time.time


class CoreSettings(Settings):
    """What functions of several capabilities are told."""

    # The machine whose tag switches automation off.
    switch_machine = Setting(str)
    # Lambda sets it.
    aws_lambda_function_name = Setting(str)


_settings = CoreSettings()


def environment() -> str:
    """The name of the stack's environment."""
    return _settings.environment


def region() -> str:
    """Where this stack runs."""
    return _settings.aws_region


def table() -> str:
    return _settings.table_name


@cache
def catalog() -> Catalog:
    from candlefish.catalog.read import read

    return read(_settings.catalog_path)


def declared() -> Environment:
    """The stack's environment as the catalog declares it."""
    return catalog().environment(environment())


@cache
def records() -> DynamoRecords:
    from candlefish.adapters.table.records import DynamoRecords

    return DynamoRecords(client("dynamodb"), table(), environment())


@cache
def journal() -> Journal:
    from candlefish.adapters.table.journal import DynamoJournalStore
    from candlefish.release.journal import Journal

    return Journal(DynamoJournalStore(client("dynamodb"), table(), environment()), events(), meter())


@cache
def meter() -> EmfMeter:
    """Where what is counted of the control plane is reported."""
    from candlefish.adapters.emf import EmfMeter

    return EmfMeter(environment(), now)


@cache
def requesters() -> DynamoRequesters:
    from candlefish.adapters.table.requesters import DynamoRequesters

    return DynamoRequesters(client("dynamodb"), table())


@cache
def executions() -> StepFunctionsExecutions:
    from candlefish.adapters.aws.stepfunctions import StepFunctionsExecutions

    return StepFunctionsExecutions(client("stepfunctions"), _settings.machines)


@cache
def switchboard() -> TagSwitch:
    from candlefish.adapters.aws.tag_switch import TagSwitch

    return TagSwitch(client("stepfunctions"), _settings.switch_machine)


@cache
def caller() -> ProvenCallers:
    """Says who called a function's URL."""
    from candlefish.adapters.aws.caller_proof import ProvenCallers, sts_endpoint

    return ProvenCallers(
        endpoint=sts_endpoint(region(), _settings.environ), function=_settings.aws_lambda_function_name
    )


@cache
def issuer() -> OidcIssuer | None:
    """Who signs people in to the console; None where nobody does."""
    from candlefish.adapters.http.oidc_tokens import OidcIssuer

    console = declared().console
    return OidcIssuer(console.issuer, now) if console else None


@cache
def signed_tokens() -> Callable[[str], dict[str, Any]]:
    """Reads tokens of the console's issuer."""
    from candlefish.adapters.http.oidc_tokens import OidcTokens
    from candlefish.errors import Misconfigured

    console, signer = declared().console, issuer()
    if console is None or signer is None:
        raise Misconfigured("the catalog has no console in this environment")
    return OidcTokens(signer, console.meant, now).read


@cache
def known() -> Callers:
    """Says who called, by a token or by IAM."""
    from candlefish.adapters.http.callers import Callers

    return Callers(
        console=declared().console,
        tokens=signed_tokens() if declared().console else None,
        proven=caller(),
        people=catalog().people,
        account=declared().account,
    )


def callers(least: Role) -> Callable[[HttpRequest], str]:
    """Says who called, who has at least this role: the principal that use cases take."""
    return partial(_principal, known(), least)


def _principal(known: Callers, least: Role, request: HttpRequest) -> str:
    return known(request, least).principal


@cache
def bus() -> EventBus:
    """The bus, whose refusals are errors."""
    from candlefish.adapters.aws.eventbridge import EventBus

    return EventBus(client("events"), _settings.bus_name)


@cache
def events() -> BestEffort:
    """The bus for what must never fail because of news."""
    from candlefish.adapters.aws.eventbridge import BestEffort
    from candlefish.telemetry import logger

    return BestEffort(bus, logger.warning)
