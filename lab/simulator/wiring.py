"""What stands in for the composition roots' accessors: proxies by the accessor's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from candlefish.adapters.aws.eventbridge import BestEffort
from candlefish.catalog.model import CUSTOM, Catalog
from candlefish.errors import Unavailable
from candlefish.failover.ports import FailoverPorts, RegionPorts, SitePorts
from candlefish.release.journal import Journal
from candlefish.web import HttpRequest
from lab.simulator.boundary import Boundary
from lab.simulator.ground import REGIONAL, regions_of
from lab.simulator.template import Stack

# Accessors that hand out one port each, called like it.
ONE_PORT = (
    "alarms",
    "approvals",
    "asked_freezes",
    "backups",
    "bills",
    "bundles",
    "bus",
    "calibrations",
    "cluster",
    "drills",
    "executions",
    "guards",
    "hooks",
    "inspector",
    "judgements",
    "ledger",
    "log",
    "nonces",
    "queue",
    "records",
    "registry",
    "requesters",
    "restores",
    "rules",
    "runs",
    "source",
    "stable",
    "store",
    "switchboard",
    "tokens",
    "web",
    "workflow_tokens",
    "world",
)
# What Slack signs a click with.
SLACK_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


class NoViews:
    """Nobody draws views here: who tells people says what its event says."""

    def release(self, id: str, reader: object, *, live: bool) -> NoReturn:
        raise Unavailable(f"no view of {id} is drawn in the simulator")


def accessors(stack: Stack, catalog: Catalog, boundary: Boundary) -> Mapping[str, Any]:
    """What each accessor returns, by its name."""
    port = boundary.port
    # Counting is a line of the log: no call that takes time, or that could go wrong.
    meter = boundary.beside("meter")
    events = BestEffort(lambda: port("bus"), lambda text: None)
    declared = catalog.environments[stack.environment]
    # What no load balancer counts may be asked of Prometheus, which knows nothing of the others here.
    asked = any(
        catalog.policies[service.judge].asks("prometheus", balanced=False)
        for service in catalog.services.values()
        if not service.balanced
    )
    own = {"prometheus": port("own_windows")} if asked else {}
    found: dict[str, Any] = {name: port(name) for name in ONE_PORT}
    found["urgent_rules"] = boundary.port("rules", urgent=True)
    found |= {
        "environment": stack.environment,
        "region": stack.region,
        # Onboarding makes target groups where rules are.
        "balancer": port("balancer"),
        "movers": port("rules"),
        "shares": port("shares"),
        "catalog": catalog,
        "events": events,
        "journal": Journal(port("journal_store"), events, meter),
        # Nobody invokes functions past their URLs here.
        "caller": HttpRequest.caller,
        "channels": {"sns": port("channel")},
        "sources": {"cloudwatch": port("windows"), CUSTOM: port("custom_windows"), **own},
        # What a delivery needs is read one after the other: each read is a call that may go wrong.
        "sight_of_all": None,
        # What people see of a look is nothing that a release goes by.
        "looks": boundary.beside("looks"),
        "meter": meter,
        # Nobody looks at views or at Slack's own messages on these days; what is told goes out as notices.
        "served": None,
        "shown_in_chat": None,
        "owners_channels": {},
        "slack_signing_secret": SLACK_SECRET,
        "reply_in_slack": None,
        "views": NoViews(),
        "failover_ports": FailoverPorts(
            environment=declared,
            catalog=catalog,
            runs=port("runs"),
            events=events,
            regions={
                region: RegionPorts(**{name: port(f"{name}/{region}") for name in REGIONAL})
                for region in regions_of(declared)
            },
            dns=port("dns"),
            site=lambda: SitePorts(
                region=stack.region,
                balancer="balancer",
                records=port("records"),
                stable=port("stable"),
                cluster=port("cluster"),
                bundles=port("bundles"),
                rules=port("rules"),
                nodes=port("nodes"),
                routes=port("routes"),
            ),
            now=boundary.now,
        ),
    }
    return found
