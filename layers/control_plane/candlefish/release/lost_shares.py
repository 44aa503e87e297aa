"""Services whose shares of Pods are there and whose records are not."""

from __future__ import annotations

from candlefish.catalog.model import Catalog, Environment
from candlefish.errors import ControlPlaneError
from candlefish.service.record import AllRecords
from candlefish.traffic.ports import Rules
from candlefish.traffic.shares import listener_name


def lost_shares(env: Environment, catalog: Catalog, known: AllRecords, rules: Rules) -> list[str]:
    """Services without a load balancer that were onboarded and have no record any more; none where nobody answers.

    It is asked only where the catalog has one without a record: nobody has to look for what is there.
    """
    there = {record.service for record in known} | {each.service for each in known.unreadable}
    without = {
        each.name: each.kind
        for each in catalog.services.values()
        if not each.balanced and each.name not in there
    }
    try:
        listeners = [listener_name(kind, env.namespace) for kind in sorted(set(without.values()))]
        found = [rule["RuleArn"] for listener in listeners for rule in rules.listed(listener)]
        said = rules.tags(found).values() if found else ()
    except ControlPlaneError:
        return []
    return sorted(each.service for each in said if each.service in without and each.environment == env.name)
