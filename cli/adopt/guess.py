"""Services, guessed from what runs. Pure; nothing is guessed of what could not be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from candlefish.release.manifests.images import repository
from candlefish.release.manifests.model import SERVICE_LABEL
from cli.adopt import stateful
from cli.adopt import workloads as of
from cli.adopt.facts import WITHHELD, Facts, Object
from cli.adopt.proposal import Guess, ServiceProposal

# Where teams write who they are, most telling first.
OWNERS = (
    "team",
    "owner",
    "app.kubernetes.io/team",
    "tags.datadoghq.com/team",
    "backstage.io/owner",
    "app.kubernetes.io/part-of",
)
CONTROLLER_PATH = "alb.ingress.kubernetes.io/healthcheck-path"
CONTROLLER_VERSION = "alb.ingress.kubernetes.io/backend-protocol-version"
ROLE = "eks.amazonaws.com/role-arn"
PROTOCOLS = {"GRPC": "grpc", "HTTP2": "http2"}
# What a container gets that asks for nothing: of use to nobody but a start.
RESOURCES = {"cpu": "250m", "memory": "512Mi"}
# Judge policies of services that no load balancer counts.
IN_CLUSTER, WORKERS = "in-cluster", "workers"


def services(facts: Facts) -> list[ServiceProposal]:
    """The services that a namespace's workloads are; ours, and what cannot have a name in the catalog, left out."""
    found = [
        _service(each, facts)
        for each in facts.of("Deployment")
        if SERVICE_LABEL not in of.labels_of(each) and of.is_name(of.name_of(each))
    ]
    found += [_service(each, facts) for each in stateful.proposed(facts)]
    return _without_circles([_with_dependencies(each, found) for each in found])


def _service(workload: Object, facts: Facts) -> ServiceProposal:
    container = of.own_container(workload)
    behind = of.services_of(workload, facts)
    ingresses = list(of.ingress_of(behind, facts))
    bindings = of.bindings_of(behind, facts)
    groups = of.groups_of(bindings, facts)
    rules = list(of.rules_to(groups, facts))
    host = _host(ingresses, rules)
    notes: list[str] = []
    fields: dict[str, Guess] = {
        "image": Guess(repository(container.get("image", "")), f"container {container.get('name')}")
    }
    if workload["kind"] == "StatefulSet":
        kind = Guess("stateful", "it is a StatefulSet")
    elif host:
        kind = Guess("web", host.why)
    elif behind:
        kind = Guess("cluster", f"{of.said(behind[0])} selects its Pods and nothing leads there from outside")
    else:
        kind = Guess("worker", "no Service selects its Pods")
    fields["kind"] = kind
    protocol = _protocol(container, ingresses, groups)
    if protocol and kind.value != "worker":
        fields["protocol"] = protocol
    fields |= _reached(workload, container, behind, ingresses, groups, host, kind.value)
    if kind.value != "web" or fields.get("protocol", kind).value == "grpc":
        policy = WORKERS if kind.value == "worker" else IN_CLUSTER
        fields["judge"] = Guess(policy, "", sure=True)
    fields["replicas"] = _replicas(workload, facts)
    fields["resources"] = _resources(container)
    fields["owner"] = _owner(workload)
    if facts.repository and facts.repository.rpartition("/")[2] in (
        of.name_of(workload),
        fields["image"].value.rpartition("/")[2],
    ):
        fields["repository"] = Guess(facts.repository, "git remote origin")
    if kind.value == "stateful":
        fields |= stateful.fields(workload)
    if account := _account(workload):
        fields["service_account"] = account
    if variables := _variables(container):
        fields["env"] = variables
    if writable := _writable(workload, container):
        fields["writable_paths"] = writable
    pull = of.template_of(workload).get("spec", {}).get("imagePullSecrets") or []
    if pull:
        fields["image_pull_secrets"] = Guess([each["name"] for each in pull], "its imagePullSecrets")
    notes += _secret_notes(container)
    if (path := next((p for _, _, p in ingresses if p not in ("/", "/*", "")), "")) and host:
        notes.append(f"today only {host.value}{path} leads to it; here it takes the whole host")
    digest = of.digest_of(workload, facts)
    image = fields["image"].value
    owner = next((of.said(each).partition(" ")[2] for each, _, _ in ingresses), "")
    return ServiceProposal(
        name=of.name_of(workload),
        source=of.said(workload),
        fields=fields,
        notes=tuple(notes),
        image=f"{image}@{digest}" if digest else "",
        rule=rules[0][1].arn if rules else "",
        ingress=owner,
        balancer=rules[0][0] if rules else "",
    )


def _host(ingresses: list[tuple[Object, str, str]], rules: list[tuple[str, Any]]) -> Guess | None:
    for ingress, host, _ in ingresses:
        if host and "*" not in host:
            return Guess(host, of.said(ingress))
    for balancer, rule in rules:
        for host in rule.hosts:
            if "*" not in host and "?" not in host:
                return Guess(host, f"rule {rule.priority} of load balancer {balancer}")
    return None


def _protocol(container: Object, ingresses: list[tuple[Object, str, str]], groups: list[Any]) -> Guess | None:
    for ingress, _, _ in ingresses:
        said = of.annotations_of(ingress).get(CONTROLLER_VERSION, "").upper()
        if said in PROTOCOLS:
            return Guess(PROTOCOLS[said], f"{CONTROLLER_VERSION} of {of.said(ingress)}")
    for group in groups:
        if group.protocol_version in PROTOCOLS:
            return Guess(PROTOCOLS[group.protocol_version], f"target group {group.name}")
    if "grpc" in (container.get("readinessProbe") or {}):
        return Guess("grpc", "its readiness probe")
    return None


def _reached(
    workload: Object,
    container: Object,
    behind: list[Object],
    ingresses: list[tuple[Object, str, str]],
    groups: list[Any],
    host: Guess | None,
    kind: str,
) -> dict[str, Guess]:
    """Port, health path and host."""
    found: dict[str, Guess] = {}
    if kind == "worker":
        probe = container.get("readinessProbe") or container.get("livenessProbe") or {}
        if command := (probe.get("exec") or {}).get("command"):
            found["health_command"] = Guess(list(command), "its probe")
        return found
    port = next((Guess(p, of.said(each)) for each in behind if (p := of.port_of(each, workload))), None)
    declared = [one.get("containerPort", 0) for one in container.get("ports") or []]
    if port is None and declared:
        port = Guess(declared[0], "the container's first port")
    found["port"] = port or Guess(8080, "nothing says it", sure=False)
    probe = container.get("readinessProbe") or container.get("livenessProbe") or {}
    if kind == "stateful" and (command := (probe.get("exec") or {}).get("command")):
        found["health_command"] = Guess(list(command), "its probe")
        return found
    for probe_name in ("readinessProbe", "livenessProbe", "startupProbe"):
        if path := (container.get(probe_name) or {}).get("httpGet", {}).get("path"):
            found["health_path"] = Guess(path, f"its {probe_name}")
            break
    else:
        annotated = [of.annotations_of(each).get(CONTROLLER_PATH, "") for each, _, _ in ingresses]
        checked = [each.health_path for each in groups]
        path = next((each for each in [*annotated, *checked] if each), "")
        if path:
            found["health_path"] = Guess(path, "the load balancer's health check")
        elif "grpc" not in (container.get("readinessProbe") or {}):
            found["health_path"] = Guess("/", "nothing says it", sure=False)
    if host:
        found["host"] = host
    return found


def _replicas(workload: Object, facts: Facts) -> Guess:
    if (scaler := of.scaler_of(workload, facts)) is not None:
        spec = scaler["spec"]
        low = spec.get("minReplicas") or 1
        found = {"min": low, "max": max(low, spec.get("maxReplicas", 1))}
        for metric in spec.get("metrics") or []:
            resource = metric.get("resource") or {}
            target = (resource.get("target") or {}).get("averageUtilization")
            if resource.get("name") == "cpu" and target and target <= 100:
                found["target_cpu_percent"] = target
        return Guess(found, of.said(scaler))
    count = workload.get("spec", {}).get("replicas", 1) or 1
    return Guess({"min": count, "max": count}, "its replicas; no HorizontalPodAutoscaler scales it")


def _resources(container: Object) -> Guess:
    said = container.get("resources") or {}
    requests, limits = said.get("requests") or {}, said.get("limits") or {}
    asked = {
        "cpu": of.cores(requests.get("cpu") or limits.get("cpu")),
        "memory": of.memory(requests.get("memory") or limits.get("memory")),
    }
    found = {key: value or RESOURCES[key] for key, value in asked.items()}
    found["cpu_limit"] = of.cores(limits.get("cpu")) or _more_cores(found["cpu"])
    found["memory_limit"] = of.memory(limits.get("memory")) or found["memory"]
    missing = [key for key, value in asked.items() if not value]
    missing += [f"{key} limit" for key in ("cpu", "memory") if not limits.get(key)]
    if not missing:
        return Guess(found, f"container {container.get('name')}")
    return Guess(found, f"the container says no {', no '.join(missing)}", sure=False)


def _more_cores(cpu: str) -> str:
    """Twice as much: a limit that is the request would throttle what runs without one today."""
    return of.cores(f"{2 * float(cpu[:-1]):g}m" if cpu.endswith("m") else f"{2 * float(cpu):g}")


def _owner(workload: Object) -> Guess:
    said = {**of.annotations_of(workload), **of.labels_of(workload)}
    for key in OWNERS:
        if owner := said.get(key):
            return Guess(owner, f"label {key}", sure=key != OWNERS[-1])
    return Guess(
        workload["metadata"].get("namespace", "platform"), "its namespace; no label says a team", sure=False
    )


def _account(workload: Object) -> Guess | None:
    """The ServiceAccount that its Pods have today, with the role that it has: it is used, and not written."""
    name = of.template_of(workload).get("spec", {}).get("serviceAccountName", "")
    return Guess(name, "its serviceAccountName") if name and name != "default" else None


def _variables(container: Object) -> Guess | None:
    found = {
        one["name"]: str(one["value"])
        for one in container.get("env") or []
        if "value" in one and one["value"] != WITHHELD and not one["name"].startswith("CANDLEFISH_")
    }
    return Guess(found, f"container {container.get('name')}") if found else None


def _secret_notes(container: Object) -> Iterator[str]:
    """What it reads of Secrets and ConfigMaps, by name: a person says where that comes from."""
    for one in container.get("env") or []:
        source = one.get("valueFrom") or {}
        if one.get("value") == WITHHELD:
            yield f"{one['name']} has a value in the manifest that looks like a secret; it was not copied"
        for kind, word in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
            if kind in source:
                yield f"{one['name']} comes from key {source[kind].get('key')} of {word} {source[kind].get('name')}"
        if "fieldRef" in source:
            yield f"{one['name']} comes from {source['fieldRef'].get('fieldPath')} of the Pod"
    for one in container.get("envFrom") or []:
        for kind, word in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
            if kind in one:
                yield f"all of {word} {one[kind].get('name')} becomes variables"


def _writable(workload: Object, container: Object) -> Guess | None:
    volumes = {
        one["name"]
        for one in of.template_of(workload).get("spec", {}).get("volumes") or []
        if "emptyDir" in one
    }
    found = [
        one["mountPath"].rstrip("/")
        for one in container.get("volumeMounts") or []
        if one.get("name") in volumes and one.get("mountPath", "").rstrip("/")
    ]
    return Guess(list(dict.fromkeys(["/tmp", *found])), "its emptyDir volumes") if found else None


def _with_dependencies(service: ServiceProposal, others: list[ServiceProposal]) -> ServiceProposal:
    """The service with those that its variables name as the host of an address."""
    values = service.fields["env"].value.values() if "env" in service.fields else ()
    called = []
    for other in others:
        hosts = [re.escape(other.name) + r"(?:\.[a-z0-9-]+(?:\.svc[a-z.]*)?)?"]
        if "host" in other.fields:
            hosts.append(re.escape(other.fields["host"].value))
        there = re.compile(rf"(?:^|//|@)(?:{'|'.join(hosts)})(?::\d+|/|$)")
        if other.name != service.name and any(there.search(value) for value in values):
            called.append(other.name)
    return _depending(service, called, "addresses among its variables")


def only_calling(service: ServiceProposal, names: set[str]) -> ServiceProposal:
    """The service without dependencies on others than those that the catalog gets."""
    wanted = service.fields.get("depends_on")
    if wanted is None:
        return service
    return _depending(service, [each for each in wanted.value if each in names], wanted.why)


def _without_circles(found: list[ServiceProposal]) -> list[ServiceProposal]:
    """The services without those dependencies that would close a circle."""
    kept: dict[str, list[str]] = {}

    def reaches(start: str, goal: str) -> bool:
        return start == goal or any(reaches(each, goal) for each in kept.get(start, ()))

    result = []
    for service in found:
        wanted = service.fields.get("depends_on")
        if wanted is None:
            result.append(service)
            continue
        kept[service.name] = []
        for other in wanted.value:
            if not reaches(other, service.name):
                kept[service.name].append(other)
        result.append(_depending(service, kept[service.name], wanted.why))
    return result


def _depending(service: ServiceProposal, others: list[str], why: str) -> ServiceProposal:
    """The service with these dependencies in place of its own."""
    fields = {name: each for name, each in service.fields.items() if name != "depends_on"}
    if others:
        fields["depends_on"] = Guess(others, why, sure=False)
    return msgspec.structs.replace(service, fields=fields)
