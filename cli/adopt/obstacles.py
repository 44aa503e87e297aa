"""What is missing or in the way, each with what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from candlefish.label_selectors import names_labels, selector_words, selects
from candlefish.release.manifests.images import repository
from candlefish.release.manifests.model import CRON_LABEL, MANAGER, SERVICE_LABEL, slot_name
from candlefish.release.strangers import HARMS
from candlefish.service.model import SLOTS
from cli.adopt import meshes, stateful
from cli.adopt import workloads as of
from cli.adopt.facts import Facts, Object
from cli.adopt.proposal import Obstacle, ServiceProposal
from cli.adopt.surroundings import in_front

# Where one reads on about workloads of these kinds.
READ_ON = {"Rollout": "docs/from-argo-rollouts.md", "DaemonSet": "docs/limits.md, Adoption"}
UNCHANGING = "a Deployment's selector cannot be changed: release its chart (`candlefish bundle`), whose labels get the slot"


def find(
    environment: str, facts: Facts, services: list[ServiceProposal], people: dict[str, object]
) -> list[Obstacle]:
    """Everything, what blocks first."""
    found = [*_around(environment, facts, people), *meshes.around(facts), *_kinds(facts)]
    for service in services:
        found += _service(service, facts)
    found += [Obstacle("reading", each, "give the right, and run init again") for each in facts.unread]
    return sorted(found, key=lambda each: not each.blocks)


def _around(environment: str, facts: Facts, people: dict[str, object]) -> Iterator[Obstacle]:
    if facts.cluster and facts.cluster.mode == "CONFIG_MAP":
        yield Obstacle(
            f"cluster {facts.cluster.name}",
            "it takes no access entries, by which the control plane comes in",
            f"aws eks update-cluster-config --name {facts.cluster.name} "
            "--access-config authenticationMode=API_AND_CONFIG_MAP",
            blocks=True,
        )
    if facts.cluster and not facts.cluster.public:
        yield Obstacle(
            f"cluster {facts.cluster.name}",
            "its endpoint answers in its network alone",
            "FunctionSubnetIds was set to the cluster's subnets: they need a NAT gateway or VPC endpoints "
            "(make preflight says which are missing)",
        )
    ours = in_front(facts, environment)
    if ours and not any(each.protocol == "HTTPS" for each in ours.listeners):
        yield Obstacle(
            f"load balancer {ours.name}",
            "it has no HTTPS listener",
            "add one with the certificate of your hosts, and name it in ListenerArns",
        )
    if not facts.provider and facts.repository:
        yield Obstacle("GitHub", "the account has no OIDC provider for it", "nothing: the stack makes one")
    if not facts.repository:
        yield Obstacle(
            "GitHub",
            "no GitHub repository was found where init ran",
            "write `repository` of each service, and GitHubSubjects, when GitHub Actions shall release",
        )
    if any(name.endswith("-approver") for name in people):
        yield Obstacle(
            "people.yaml",
            "a second person who approves is not known",
            "put who approves in the place of *-approver, or run init with --approver user/NAME",
        )
    if facts.prometheus is None:
        yield Obstacle(
            "Prometheus", "none was found", "the judge goes by CloudWatch alone, in windows of a minute"
        )
    elif facts.prometheus.in_cluster:
        yield Obstacle(
            f"Prometheus {facts.prometheus.where}",
            "functions cannot reach a Service of the cluster by its name",
            "give it an internal load balancer and put its address into PrometheusUrl; until then the judge goes by "
            "CloudWatch alone, and cannot tell of what no load balancer counts: it asks a person",
        )


def _kinds(facts: Facts) -> Iterator[Obstacle]:
    for each in facts.of("Deployment"):
        if not of.is_name(of.name_of(each)):
            yield Obstacle(
                of.said(each),
                "its name does not fit the catalog: 40 characters at most, beginning with a letter",
                "it was left out; write it into services.yaml under a shorter name",
            )
    for each in facts.of("StatefulSet"):
        if SERVICE_LABEL not in of.labels_of(each) and (why := stateful.why_not(each, facts)):
            yield Obstacle(
                of.said(each),
                f"{why}: it was left out",
                "leave it as it is, or write it as kind: stateful once the catalog says all of it (docs/kubernetes.md, "
                "Stateful services)",
            )
    for kind, page in READ_ON.items():
        for each in facts.of(kind):
            yield Obstacle(
                of.said(each), "it is no Deployment and was left out", f"leave it as it is, or see {page}"
            )
    for each in facts.of("CronJob"):
        if CRON_LABEL not in of.labels_of(each):
            yield Obstacle(of.said(each), *_by_the_clock(each, facts))


def _by_the_clock(cron_job: Object, facts: Facts) -> tuple[str, str]:
    """What a CronJob is to the catalog, and what to do about it."""
    once = {"spec": cron_job.get("spec", {}).get("jobTemplate", {}).get("spec", {})}
    images = {repository(str(each.get("image", ""))) for each in of.containers_of(once)}
    whose = [
        of.name_of(each)
        for each in facts.of("Deployment")
        if repository(str(of.own_container(each).get("image", ""))) in images
    ]
    if not whose:
        return "it runs no service's image and was left as it is", "leave it to what brought it"
    return (
        f"it runs the image of {', '.join(whose)}, goes on as it is, and follows none of its releases",
        f"write it under `cron` of {whose[0]} (docs/catalog.md), or bring it with the chart; once a version with it is "
        f"promoted, suspend this one, or both run: kubectl patch cronjob {of.name_of(cron_job)} "
        '-p \'{"spec":{"suspend":true}}\'',
    )


def _service(service: ServiceProposal, facts: Facts) -> Iterator[Obstacle]:
    workload = of.called(facts, service.source)
    container = of.own_container(workload)
    kind = service.fields["kind"].value
    spec = of.template_of(workload).get("spec", {})
    if not service.image:
        yield Obstacle(
            service.name,
            "which digest runs could not be told: no Pod runs, or several do",
            "name the image by digest in the first release (aws ecr describe-images, crane digest)",
            blocks=True,
        )
    if service.ingress:
        yield Obstacle(
            service.name,
            f"its rule belongs to Ingress {service.ingress}: the Load Balancer Controller takes back what others change",
            "it moves in DNS, to a listener of the control plane's own (below)",
        )
    if kind != "worker" and not container.get("readinessProbe"):
        yield Obstacle(
            service.name,
            "it has no readiness probe: until now it counted as ready at once",
            "see that its health_path answers 200 once it can serve, and not before",
        )
    if service.fields["replicas"].value["min"] == 1:
        yield Obstacle(
            service.name,
            "one replica: nodes that go take it along",
            "raise replicas.min to 2 once it is taken over",
        )
    yield from _account(service, facts)
    yield from _volumes(service, spec)
    yield from _balancing(service, workload, facts)
    yield from _hardening(service, spec, container)
    if kind == "stateful":
        yield from _in_place(service, facts)
    else:
        yield from _captured(service, facts)
    if "resources" in service.fields and not service.fields["resources"].sure:
        yield Obstacle(service.name, service.fields["resources"].why, "look at what was written in its place")
    yield from meshes.of_service(service, workload, facts)
    others = [each.get("name", "") for each in of.containers_of(workload) if each is not container]
    if others:
        yield Obstacle(
            service.name,
            f"it has more containers: {', '.join(others)}",
            "release it with its chart (`candlefish bundle`) and name their images in `sidecars`",
        )
    for note in service.notes:
        yield Obstacle(service.name, note, "say in services.yaml where it comes from (`secrets`, `env`)")


def _in_place(service: ServiceProposal, facts: Facts) -> Iterator[Obstacle]:
    """What a service that is taken over where it stands has to know."""
    workload = of.called(facts, service.source)
    yield Obstacle(
        service.name,
        "its first release replaces its Pods where they stand, one after another, by what the catalog says",
        "compare with its manifest first: user and group (run_as) must be those that own the files on its volumes; a first "
        "release that does not come up is taken back to what runs today",
    )
    labels = of.template_of(workload).get("metadata", {}).get("labels") or {}
    for each in facts.of("PodDisruptionBudget", "HorizontalPodAutoscaler"):
        if each["kind"] == "PodDisruptionBudget":
            meant = selects(each.get("spec", {}).get("selector"), labels)
        else:
            target = each.get("spec", {}).get("scaleTargetRef") or {}
            meant = (target.get("kind"), target.get("name")) == ("StatefulSet", service.name)
        if meant:
            yield Obstacle(
                service.name,
                f"{of.said(each)} is about its Pods, and a release makes a budget and no autoscaler",
                f"delete it once it is taken over: kubectl -n {facts.namespace} delete {each['kind'].lower()} "
                f"{of.name_of(each)}",
            )


def _account(service: ServiceProposal, facts: Facts) -> Iterator[Obstacle]:
    """A ServiceAccount that the chart writes and a release would write as well."""
    theirs = [
        each
        for each in facts.of("ServiceAccount")
        if of.name_of(each) == service.name and SERVICE_LABEL not in of.labels_of(each)
    ]
    if theirs and "service_account" not in service.fields:
        yield Obstacle(
            service.name,
            f"{of.said(theirs[0])} is its chart's, and a release makes one of that name",
            "give the chart's another name (serviceAccount.name of helm create's values) before the first release",
            blocks=True,
        )


def _volumes(service: ServiceProposal, spec: Object) -> Iterator[Obstacle]:
    claims = [
        one["persistentVolumeClaim"]["claimName"]
        for one in spec.get("volumes") or []
        if "persistentVolumeClaim" in one
    ]
    if claims:
        yield Obstacle(
            service.name,
            f"it mounts {', '.join(claims)}: a volume that one node has (ReadWriteOnce) cannot be in two slots",
            "leave it with its Deployment, or move its data to a database or bucket first",
            blocks=True,
        )


def _balancing(service: ServiceProposal, workload: Object, facts: Facts) -> Iterator[Obstacle]:
    behind = of.services_of(workload, facts)
    for group in of.groups_of(of.bindings_of(behind, facts), facts):
        if group.target_type != "ip":
            yield Obstacle(
                service.name,
                f"target group {group.name} has nodes for targets ({group.target_type})",
                "nothing: its slots have target groups of Pods, of their own",
            )
    for each in behind:
        if each.get("spec", {}).get("type") in ("NodePort", "LoadBalancer"):
            yield Obstacle(
                service.name,
                f"{of.said(each)} is of type {each['spec']['type']}",
                "what comes in there goes on to the old Pods; lead it to the host before they go",
            )


def _hardening(service: ServiceProposal, spec: Object, container: Object) -> Iterator[Obstacle]:
    own = {**(spec.get("securityContext") or {}), **(container.get("securityContext") or {})}
    if not own.get("runAsNonRoot"):
        yield Obstacle(
            service.name,
            "it may run as root today, and its slots may not",
            "see that its image runs as another user",
        )
    if not own.get("readOnlyRootFilesystem"):
        yield Obstacle(
            service.name,
            "it may write anywhere today, and its slots may write to writable_paths alone",
            "name the folders that it writes to",
        )


def _captured(service: ServiceProposal, facts: Facts) -> Iterator[Obstacle]:
    """Selectors of today's that would take the slots' Pods as well."""
    shared = {
        "app.kubernetes.io/name": service.name,
        "app.kubernetes.io/part-of": "candlefish",
        "app.kubernetes.io/managed-by": MANAGER,
    }
    slots = [{**shared, "app.kubernetes.io/instance": slot_name(service.name, slot)} for slot in SLOTS]
    for each in facts.of(*HARMS, "NetworkPolicy"):
        spec = each.get("spec", {})
        selector = spec.get("selector") or spec.get("podSelector") or {}
        if each["kind"] == "Service":
            selector = {"matchLabels": selector}
        if names_labels(selector) and any(selects(selector, labels) for labels in slots):
            yield Obstacle(
                service.name,
                f"{of.said(each)} selects by {selector_words(selector)}, and so the slots' Pods too",
                UNCHANGING
                if each["kind"] == "Deployment"
                else "add app.kubernetes.io/instance to its selector before the first release",
                blocks=True,
            )
