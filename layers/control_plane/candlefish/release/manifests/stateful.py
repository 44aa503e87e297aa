"""The objects of a stateful service: one StatefulSet in place, whose name and volumes stay whatever is released.

What of a StatefulSet can never be changed (its volumes, the Service of its names, its selector, how its Pods start) is
written as the catalog has it, and held against what is there before anything is applied (`release.stateful`).
"""

from __future__ import annotations

from candlefish.catalog.model import Stateful, Volume
from candlefish.release.manifests.heads import owned
from candlefish.release.manifests.model import SERVICE_LABEL, Workload
from candlefish.release.manifests.pod import pod_template
from candlefish.release.model import Manifest

# What has data reads its log again after a crash before it answers: killed meanwhile it begins anew each time, and never
# comes up. Whether a release waits so long is the strategy's to say.
SECONDS_TO_START = 3600
# It writes what it has in memory before it ends; who ends earlier is not waited for.
SECONDS_TO_STOP = 120
STARTS = {"in-order": "OrderedReady", "together": "Parallel"}


def headless_name(workload: Workload) -> str:
    """The Service that names the Pods in DNS: <pod>.<it>."""
    return workload.service.stateful.headless_service or f"{workload.service.name}-headless"


def own_labels(workload: Workload) -> dict[str, str]:
    """What selects the service's Pods, whatever slot the record has them in: a selector stays for ever."""
    return {SERVICE_LABEL: workload.service.name}


def headless_service(workload: Workload, port: Manifest) -> tuple[Manifest, ...]:
    """Names the Pods in DNS before they are ready, for they may have to find each other first. None where the catalog
    names one that is there."""
    if workload.service.stateful.headless_service:
        return ()
    head = owned("v1", "Service", workload)
    return (
        {
            **head,
            "metadata": {**head["metadata"], "name": headless_name(workload)},
            "spec": {
                "clusterIP": "None",
                "publishNotReadyAddresses": True,
                "selector": own_labels(workload),
                "ports": [port],
            },
        },
    )


def stateful_set(workload: Workload) -> Manifest:
    """The StatefulSet, without `replicas`: it is raised to what a release needs, and never lowered."""
    head, stateful = owned("apps/v1", "StatefulSet", workload), workload.service.stateful
    return {
        **head,
        "metadata": {**head["metadata"], "annotations": workload.deployment_notes},
        "spec": {
            "selector": {"matchLabels": own_labels(workload)},
            "serviceName": headless_name(workload),
            "podManagementPolicy": STARTS[stateful.start],
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            # Whatever takes Pods away, at night or by hand, leaves their data.
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            "template": _template(workload),
            **(
                {"volumeClaimTemplates": [_claim(each) for each in stateful.volumes]}
                if stateful.volumes
                else {}
            ),
        },
    }


def _template(workload: Workload) -> Manifest:
    made = pod_template(workload)
    main, stateful = made["spec"]["containers"][0], workload.service.stateful
    main["volumeMounts"] = [*main["volumeMounts"], *_mounts(stateful)]
    made["spec"]["terminationGracePeriodSeconds"] += SECONDS_TO_STOP
    # Else kubelet hands every file of a volume over at each start, which takes an hour for a large one.
    made["spec"]["securityContext"]["fsGroupChangePolicy"] = "OnRootMismatch"
    if start := main.get("startupProbe"):
        start["failureThreshold"] = max(start["failureThreshold"], SECONDS_TO_START // start["periodSeconds"])
    return made


def _mounts(stateful: Stateful) -> list[Manifest]:
    return [{"name": each.name, "mountPath": each.path} for each in stateful.volumes]


def _claim(volume: Volume) -> Manifest:
    by_class = {"storageClassName": volume.storage_class} if volume.storage_class else {}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": volume.name},
        "spec": {
            "accessModes": [volume.access],
            "resources": {"requests": {"storage": volume.size}},
            **by_class,
        },
    }


def one_at_a_time(workload: Workload) -> Manifest:
    """One Pod at a time: what has data of its own often counts votes."""
    return {
        **owned("policy/v1", "PodDisruptionBudget", workload),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": own_labels(workload)}},
    }


def among_themselves(policy: Manifest, workload: Workload) -> Manifest:
    """The network policy with all ports open between the service's own Pods: they copy data to each other."""
    own = [{"podSelector": {"matchLabels": own_labels(workload)}}]
    spec = policy["spec"]
    return {
        **policy,
        "spec": {
            **spec,
            "podSelector": {"matchLabels": own_labels(workload)},
            "ingress": [*spec["ingress"], {"from": own}],
            "egress": [*spec["egress"], {"to": own}],
        },
    }
