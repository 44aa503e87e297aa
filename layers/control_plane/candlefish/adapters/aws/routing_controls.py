"""Where users are led, by ARC routing controls.

A routing control is a switch for a region, kept in five regions at once; Route 53 health checks
follow it. Any of the cluster's five endpoints answers and changes it, so it works with whole regions
gone: each is tried in turn.
Source: Route 53 ARC developer guide, "Best practices" (use the data plane, keep the endpoints).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from candlefish.adapters.aws.refusals import translated
from candlefish.adapters.aws.words import BUSY
from candlefish.errors import Misconfigured, Unavailable

T = TypeVar("T")


class RoutingControls:
    """`failover.ports.Routes` over routing controls.

    Parameters
    ----------
    clients
        One `route53-recovery-cluster` client for each endpoint of the cluster, by region.
    controls
        ARN of the routing control of each region.
    region, balancer
        This site, and what it is called in `read`.
    """

    def __init__(
        self, clients: Mapping[str, Any], controls: Mapping[str, str], region: str, balancer: str
    ) -> None:
        self._clients = clients
        self._controls = controls
        self._region = region
        self._balancer = balancer

    def read(self, hosts: Sequence[str]) -> dict[str, str]:
        on = {region for region, arn in self._controls.items() if self._state(arn) == "On"}
        here = self._balancer if on == {self._region} else ", ".join(sorted(on))
        return dict.fromkeys(hosts, here)

    def _state(self, arn: str) -> str:
        answer = self._ask(lambda c: c.get_routing_control_state(RoutingControlArn=arn), f"reading {arn}")
        return str(answer["RoutingControlState"])

    def lead(self, hosts: Sequence[str]) -> None:
        entries = [
            {"RoutingControlArn": arn, "RoutingControlState": "On" if region == self._region else "Off"}
            for region, arn in self._controls.items()
        ]
        # One call, so that there is no moment without a region or with two.
        self._ask(
            lambda c: c.update_routing_control_states(UpdateRoutingControlStateEntries=entries),
            f"leading users to {self._region}",
        )

    def _ask(self, call: Callable[[Any], T], what: str) -> T:
        trouble: list[str] = []
        for region, client in self._clients.items():
            try:
                return call(client)
            except ClientError as error:
                refusal = translated(error, what, busy=BUSY["route53-recovery-cluster"])
                if isinstance(refusal, Misconfigured):
                    raise refusal from error
                trouble.append(f"{region}: {refusal}")
            except BotoCoreError as error:
                trouble.append(f"{region}: {error}")
        raise Unavailable(f"{what}: no endpoint of the ARC cluster answers ({'; '.join(trouble)})")
