"""Pod Security Admission, as far as it enforces: the standards `baseline` and `restricted`.

Source: Kubernetes, Pod Security Standards (the newest version: policies by `enforce-version` are not kept apart).
Pods are looked at when they are made, not the templates of Deployments; what was already there stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

ENFORCE = "pod-security.kubernetes.io/enforce"
# What a container says so that a namespace that enforces `restricted` takes it.
RESTRICTED: Mapping[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
SAFE_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_syncookies",
    }
)
RESTRICTED_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
        "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip


def guarded(namespace: str) -> dict[str, Any]:
    """The namespace as docs/deploy.md labels it."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace, "labels": {ENFORCE: "restricted"}},
    }


def violations(level: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> list[str]:
    """What a Pod does that a level does not let it do, in the API's words as far as they are short."""
    if level not in ("baseline", "restricted"):
        return []
    found = [*_baseline(metadata, spec)]
    if level == "restricted":
        found += _restricted(spec)
    return found


def _containers(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(field) or ()


def _contexts(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "pod", spec.get("securityContext") or {}
    for container in _containers(spec):
        yield f'container "{container["name"]}"', container.get("securityContext") or {}


def _baseline(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"host namespaces ({field}=true)"
    for volume in spec.get("volumes") or ():
        if "hostPath" in volume:
            yield f'hostPath volumes (volume "{volume["name"]}")'
    for key, value in (metadata.get("annotations") or {}).items():
        loose = not (value in ("runtime/default", "") or value.startswith("localhost/"))
        if key.startswith("container.apparmor.security.beta.kubernetes.io/") and loose:
            yield f"forbidden AppArmor profile ({key}={value})"
    for sysctl in (spec.get("securityContext") or {}).get("sysctls") or ():
        if sysctl["name"] not in SAFE_SYSCTLS:
            yield f"forbidden sysctls ({sysctl['name']})"
    for who, context in _contexts(spec):
        if (context.get("windowsOptions") or {}).get("hostProcess"):
            yield f"hostProcess ({who})"
        if context.get("privileged"):
            yield f"privileged ({who})"
        if context.get("procMount", "Default") != "Default":
            yield f"procMount ({who})"
        for field in ("seccompProfile", "appArmorProfile"):
            if (context.get(field) or {}).get("type") == "Unconfined":
                yield f"{field} ({who} must not set it to Unconfined)"
        options = context.get("seLinuxOptions") or {}
        if options.get("user") or options.get("role") or options.get("type", "container_t") not in (
            "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t",
        ):  # fmt: skip
            yield f"seLinuxOptions ({who})"
        added = set((context.get("capabilities") or {}).get("add") or ())
        if added - BASELINE_CAPABILITIES:
            yield f"non-default capabilities ({who} adds {', '.join(sorted(added - BASELINE_CAPABILITIES))})"
    for container in _containers(spec):
        if any(port.get("hostPort") for port in container.get("ports") or ()):
            yield f'hostPort (container "{container["name"]}")'
        hooks = [container.get(f"{kind}Probe") for kind in ("liveness", "readiness", "startup")]
        hooks += (container.get("lifecycle") or {}).values()
        for hook in filter(None, hooks):
            if any((hook.get(way) or {}).get("host") for way in ("httpGet", "tcpSocket")):
                yield f'probe or lifecycle host (container "{container["name"]}")'


def _restricted(spec: Mapping[str, Any]) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        if foreign := set(volume) - {"name"} - RESTRICTED_VOLUMES:
            yield f'restricted volume types (volume "{volume["name"]}" uses {", ".join(sorted(foreign))})'
    pod: Mapping[str, Any] = spec.get("securityContext") or {}
    for who, context in _contexts(spec):
        if context.get("runAsUser") == 0:
            yield f"runAsUser=0 ({who} must not set it)"
        if context.get("runAsNonRoot") is False:
            yield f"runAsNonRoot != true ({who})"
    for container in _containers(spec):
        who, context = f'container "{container["name"]}"', container.get("securityContext") or {}
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"allowPrivilegeEscalation != false ({who})"
        if context.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
            yield f"runAsNonRoot != true (pod or {who} must set it)"
        profile = context.get("seccompProfile") or pod.get("seccompProfile") or {}
        if profile.get("type") not in ("RuntimeDefault", "Localhost"):
            yield f"seccompProfile (pod or {who} must set RuntimeDefault or Localhost)"
        capabilities = context.get("capabilities") or {}
        if "ALL" not in (capabilities.get("drop") or ()):
            yield f'unrestricted capabilities ({who} must drop "ALL")'
        if set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}:
            yield f"unrestricted capabilities ({who} must not add others than NET_BIND_SERVICE)"
