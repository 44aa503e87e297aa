"""A slot's objects from a bundle that `helm template` wrote.

A bundle is a JSON array of Kubernetes objects (the command line turns Helm's YAML into it). What it may
hold stands in `allowed`; all else is refused. Then the slot is applied to it: names, selectors, labels and
references of everything that belongs to a version get the slot; the images become the release's, by
digest; what the bundle lacks is rendered from the catalog.

Everything but the ServiceAccount belongs to a version, so each slot has its own, ConfigMaps and
NetworkPolicies too. Were they shared, a candidate would change what the stable slot's Pods read and
reach. The ServiceAccount is shared because a role's trust policy names it, and is the catalog's alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from candlefish.errors import InvalidInput
from candlefish.label_selectors import selects
from candlefish.release.manifests import render as catalog
from candlefish.release.manifests.admit import admit, refuse_object
from candlefish.release.manifests.harden import harden
from candlefish.release.manifests.labels import chart_selectors, pod_labels
from candlefish.release.manifests.model import MANAGER, Workload, cron_name, cron_note, slot_name
from candlefish.release.manifests.pod import pod_notes
from candlefish.release.manifests.policies import one_policy
from candlefish.release.manifests.reach import Reach
from candlefish.release.manifests.references import (
    Known,
    external_secret,
    made_by,
    point_at_slot,
    provider_class,
)
from candlefish.release.manifests.secrets import secret_objects
from candlefish.release.model import Manifest

LONGEST_SERVICE = 63


def from_bundle(bundle: Sequence[Manifest], workload: Workload) -> tuple[Manifest, ...]:
    """Every object of the slot, in the order in which they should be applied.

    Raises
    ------
    InvalidInput
        The bundle holds something that reaches beyond its service, or is not one Deployment behind
        one Service, or is no set of Kubernetes objects. The message names the object, the path in it
        and what to do.
    """
    if workload.service.kind == "stateful":
        raise InvalidInput(
            f"{workload.service.name} is a stateful service, which is rendered from the catalog alone; release it without a "
            "bundle: its volumes, port, health and variables are fields of catalog/services.yaml"
        )
    kinds = admit(bundle, workload)
    configs = [_renamed(document, workload) for document in kinds["ConfigMap"]]
    secrets = [
        *(external_secret(each, _renamed(each, workload), workload) for each in kinds["ExternalSecret"]),
        *(provider_class(each, _renamed(each, workload), workload) for each in kinds["SecretProviderClass"]),
    ]
    document = kinds["Deployment"][0]
    given = document["spec"]["template"].get("metadata", {}).get("labels", {})
    # As the chart sees its Pods: what its own selectors are held against.
    charts = {**workload.labels, **given}
    deployment = _deployment(
        document,
        workload,
        known=made_by(kinds),
        charts=charts,
        labels=pod_labels(given, chart_selectors(kinds), workload),
    )
    _note_cron(deployment, kinds["CronJob"], workload)
    services = _services(kinds["Service"], charts, workload)
    made = (
        *catalog.service_account(workload),
        *configs,
        *secret_objects(workload),
        *secrets,
        one_policy(kinds["NetworkPolicy"], deployment, charts, workload),
        *services,
        *_bindings(services, deployment, workload),
        _disruption_budget(kinds["PodDisruptionBudget"], workload),
        deployment,
        _autoscaler(kinds["HorizontalPodAutoscaler"], workload),
    )
    _refuse_repeated(made)
    return made


def _refuse_repeated(made: Sequence[Manifest]) -> None:
    seen = set()
    for each in made:
        if (known := (each["kind"], each["metadata"]["name"])) in seen:
            raise refuse_object(
                each, "the bundle holds two objects that would be this one; name them differently"
            )
        seen.add(known)


def _labelled(document: Manifest, workload: Workload) -> Manifest:
    """A copy in the release's namespace with the control plane's labels over the chart's."""
    metadata = document["metadata"]
    return {
        **document,
        "metadata": {
            "name": metadata["name"],
            "namespace": workload.namespace,
            # What the chart calls itself stays: network policies of others may select by it.
            "labels": {
                **workload.labels,
                **metadata.get("labels", {}),
                "app.kubernetes.io/managed-by": MANAGER,
            },
            "annotations": {**metadata.get("annotations", {}), **workload.notes, **workload.fence},
        },
    }


def _renamed(document: Manifest, workload: Workload, name: str = "") -> Manifest:
    """The slot's object: with the given name, or with the chart's and the slot behind it."""
    made = _labelled(document, workload)
    made["metadata"]["name"] = name or _slots_own(document, workload)
    return made


def _slots_own(document: Manifest, workload: Workload) -> str:
    """A chart's name with the slot behind it; before and after it must be the service's."""
    name, reach = document["metadata"]["name"], Reach(workload)
    made = slot_name(name, workload.slot)
    for each in (name, made):
        if not reach.owns(each):
            whose = f" but {reach.owner(each)}'s" if reach.foreign(each) else ""
            raise refuse_object(
                document,
                f"metadata.name {each} is not {reach.service}'s{whose}; call it {reach.service} or "
                f"{reach.service}-<more>, so that no other service's object can be meant",
            )
    if document["kind"] == "Service" and (len(made) > LONGEST_SERVICE or "." in made):
        raise refuse_object(
            document,
            f"metadata.name {made} is no Service's name; it has at most {LONGEST_SERVICE} characters and no dots",
        )
    return made


def _deployment(
    document: Manifest,
    workload: Workload,
    *,
    known: Known,
    charts: Mapping[str, str],
    labels: Mapping[str, str],
) -> Manifest:
    made = _renamed(document, workload, workload.name)
    made["metadata"]["annotations"].update(workload.deployment_notes)
    spec, template = document["spec"], document["spec"]["template"]
    metadata, pod = template.get("metadata", {}), template["spec"]
    if not pod["containers"]:
        raise refuse_object(document, "spec.template.spec has no containers; check the chart's values")
    pod["serviceAccountName"] = workload.account
    point_at_slot(pod, known, workload)
    _select_own_pods(pod, charts, document, workload)
    harden(pod, workload, partial(refuse_object, document))
    return {
        **made,
        "spec": {
            **spec,
            "selector": {"matchLabels": workload.selector},
            "strategy": catalog.update_strategy(),
            "progressDeadlineSeconds": max(1, round(workload.ready_within)),
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {**metadata.get("annotations", {}), **pod_notes(workload)},
                },
                "spec": pod,
            },
        },
    }


def _note_cron(deployment: Manifest, charts: Sequence[Manifest], workload: Workload) -> None:
    """Let the Deployment say which CronJobs its version has: the catalog's and the chart's."""
    names = [cron_name(workload.service.name, each.name) for each in workload.service.cron]
    deployment["metadata"]["annotations"].update(
        cron_note([*names, *(each["metadata"]["name"] for each in charts)])
    )


def _select_own_pods(
    pod: Manifest, labels: Mapping[str, str], document: Manifest, workload: Workload
) -> None:
    """Spread over and keep apart the slot's own Pods: a rule about others binds those as well."""
    terms = list(pod.get("topologySpreadConstraints", []))
    for name, rules in pod.get("affinity", {}).get("podAntiAffinity", {}).items():
        terms += [rule["podAffinityTerm"] for rule in rules] if name.startswith("preferred") else rules
    for term in terms:
        if not selects(term.get("labelSelector", {}), labels):
            raise refuse_object(
                document,
                f"spec.template.spec: a labelSelector for {term['topologyKey']} does not select the "
                "Deployment's own Pods; others' Pods are not this service's to spread",
            )
        term["labelSelector"] = {"matchLabels": workload.selector}


def _services(documents: list[Manifest], charts: Mapping[str, str], workload: Workload) -> list[Manifest]:
    """The slot's Services, the one that takes the traffic first."""
    if not documents:
        return [catalog.service(workload)] if workload.service.kind != "worker" else []
    name = workload.service.name
    main = next(
        (d for d in documents if d["metadata"]["name"] == name), documents[0] if len(documents) == 1 else None
    )
    if main is None:
        found = ", ".join(d["metadata"]["name"] for d in documents)
        raise InvalidInput(
            f"bundle: Services {found}: none is called {name}, so it is unclear which takes traffic"
        )
    made = []
    for document in [main, *(d for d in documents if d is not main)]:
        spec = {key: value for key, value in document["spec"].items() if key != "clusterIP" or value}
        if not selects({"matchLabels": spec.get("selector", {})}, charts):
            raise refuse_object(
                document, "spec.selector does not select the Deployment's Pods; a bundle holds one workload"
            )
        renamed = _renamed(document, workload, workload.name if document is main else "")
        made.append({**renamed, "spec": {**spec, "selector": workload.selector}})
    return made


def _bindings(services: list[Manifest], deployment: Manifest, workload: Workload) -> list[Manifest]:
    """What ties the slot to its target group; its first Service must lead to the port, whoever asks there."""
    if workload.service.kind == "worker":
        return []
    port = _traffic_port(services[0], deployment, workload)
    return [catalog.target_group_binding(workload, port)] if workload.service.balanced else []


def _traffic_port(service: Manifest, deployment: Manifest, workload: Workload) -> int:
    """The Service's port that leads to the service's port in the catalog."""
    wanted = workload.service.port
    named = {
        port["name"]: port["containerPort"]
        for container in deployment["spec"]["template"]["spec"]["containers"]
        for port in container.get("ports", [])
        if "name" in port
    }
    for port in service["spec"].get("ports", []):
        target = port.get("targetPort", port["port"])
        if named.get(target, target) == wanted:
            number: int = port["port"]
            return number
    raise refuse_object(
        service, f"spec.ports: no port of it leads to {wanted}, the service's port in the catalog"
    )


def _autoscaler(documents: list[Manifest], workload: Workload) -> Manifest:
    if not documents:
        return catalog.autoscaler(workload)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name}
    # The range is the release's to move; metrics are the chart's where the catalog names none.
    wanted, spec = workload.service.autoscale, documents[0]["spec"]
    metrics = {} if wanted.empty else {"metrics": catalog.scaled_by(wanted, workload.replicas)}
    return {
        **_renamed(documents[0], workload, workload.name),
        "spec": {**spec, **metrics, "scaleTargetRef": target, **catalog.bounds(workload.replicas)},
    }


def _disruption_budget(documents: list[Manifest], workload: Workload) -> Manifest:
    # Whatever must stay available of a single Pod keeps its node from draining.
    if not documents or ("minAvailable" in documents[0]["spec"] and workload.replicas.min <= 1):
        return catalog.disruption_budget(workload)
    return {
        **_renamed(documents[0], workload, workload.name),
        "spec": {**documents[0]["spec"], "selector": {"matchLabels": workload.selector}},
    }
