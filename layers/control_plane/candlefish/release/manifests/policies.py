"""The network policy of a slot whose chart brings its own.

Policies that select the same Pods add up, so the chart's become one object: what a chart's next version
leaves out is gone, not left behind. A direction that the chart says nothing of is the catalog's, so that
no chart opens it by silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from candlefish.label_selectors import selects
from candlefish.release.manifests.admit import refuse_object
from candlefish.release.manifests.model import Workload
from candlefish.release.manifests.network import declared_egress, declared_ingress, network_policy
from candlefish.release.manifests.reach import Reach
from candlefish.release.manifests.values import is_small_network
from candlefish.release.model import Manifest

# May lead anywhere: HTTPS, as in the catalog's own policy, and names, whose resolver a chart need not know.
EVERYWHERE = (53, 443)


def one_policy(
    documents: list[Manifest], deployment: Manifest, charts: Mapping[str, str], workload: Workload
) -> Manifest:
    """The slot's network policy. `charts` are the Pods' labels as the chart wrote them.

    Raises
    ------
    InvalidInput
        A policy selects other Pods, opens a port that no container has, or leads further than the
        catalog's would and names no small network or declared dependency.
    """
    made = network_policy(workload)
    template = deployment["spec"]["template"]
    for document in documents:
        spec, refused = document["spec"], partial(refuse_object, document)
        if not selects(spec.get("podSelector", {}), charts):
            raise refused("spec.podSelector does not select the Deployment's Pods; a policy is for its own")
        for problem in (*_ingress(spec, template), *_egress(spec, workload)):
            raise refused(problem)
    for direction in ("Ingress", "Egress"):
        said = [d["spec"] for d in documents if direction in _directions(d["spec"])]
        if said:
            field = direction.lower()
            made["spec"][field] = [rule for spec in said for rule in spec.get(field, [])]
            made["spec"][field] += _declared(direction, made, workload)
    return made


def _declared(direction: str, made: Manifest, workload: Workload) -> list[Manifest]:
    """What the catalog says by name holds beside a chart's policy, which knows neither the load balancer nor the slot."""
    rules = declared_egress(workload) if direction == "Egress" else declared_ingress(workload)
    return [rule for rule in rules if rule not in made["spec"][direction.lower()]]


def _directions(spec: Manifest) -> list[str]:
    """As Kubernetes reads it: egress counts when it is said or has rules, ingress unless it is not said."""
    found: list[str] = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return found


def _ingress(spec: Manifest, template: Manifest) -> Iterator[str]:
    """Who may come in is the chart's to say; through which ports, the containers'."""
    declared = {
        value
        for container in template["spec"]["containers"]
        for port in container.get("ports", [])
        for value in (port["containerPort"], port.get("name"))
    }
    for index, rule in enumerate(spec.get("ingress", [])):
        if not rule["ports"]:
            yield f"spec.ingress[{index}].ports opens every port; name those that the containers have"
        for port in rule["ports"]:
            if port["port"] not in declared:
                yield f"spec.ingress[{index}].ports opens {port['port']}, which no container has; declare it there"


def _egress(spec: Manifest, workload: Workload) -> Iterator[str]:
    for index, rule in enumerate(spec.get("egress", [])):
        path = f"spec.egress[{index}]"
        ports = [port["port"] for port in rule["ports"]]
        if not ports:
            yield f"{path}.ports opens every port; name those that the service needs"
        if all(port in EVERYWHERE for port in ports):
            continue
        peers = rule.get("to", [])
        if not peers:
            yield f"{path}.to is everywhere, for more than ports 53 and 443; name where it leads"
        for number, peer in enumerate(peers):
            if not _known(peer, workload):
                yield (
                    f"{path}.to[{number}] leads further than the catalog's policy; name a network of at most /24 "
                    f"(IPv6 /64), or by its label a service that {workload.service.name} has in depends_on"
                )


def _known(peer: Manifest, workload: Workload) -> bool:
    """Whether a peer is a small network, or a service that this one is declared to call."""
    if "namespaceSelector" in peer:
        return False
    if "ipBlock" in peer:
        return is_small_network(peer["ipBlock"]["cidr"])
    reach, called = Reach(workload), {workload.service.name, *(d.name for d in workload.dependencies)}
    labels = peer.get("podSelector", {}).get("matchLabels", {})
    return any(reach.owner(value) in called for value in labels.values())
