"""The order in which to go, with commands that can be run as they stand. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from candlefish.names import partition_of
from candlefish.release.manifests.model import SERVICE_LABEL
from cli.adopt import workloads as of
from cli.adopt.facts import Balancer, Facts
from cli.adopt.proposal import Guess, ServiceProposal, Step
from cli.adopt.surroundings import in_front

# What the Load Balancer Controller writes on what it makes.
CONTROLLER = "elbv2.k8s.aws/cluster"
# Shares of the users, in percent, over to the control plane's load balancer.
SHARES = (10, 50, 100)
TLS = "ELBSecurityPolicy-TLS13-1-2-2021-06"


def way(
    environment: str,
    facts: Facts,
    services: list[ServiceProposal],
    fields: dict[str, Guess],
    people: Mapping[str, Mapping[str, Any]],
    again: str,
) -> list[Step]:
    """All steps. `again` is the command that init was called with."""
    found = [_account(), *_balancer(environment, facts, services, again), *_stack(environment, fields)]
    found.append(_cluster(facts, production=bool(fields["production"].value)))
    found += _people(environment, facts, people)
    for service in services:
        found += _service(environment, service, facts)
    return found


def _account() -> Step:
    return Step(
        "The account, once",
        "The permissions boundary that all roles of the control plane have.",
        "aws cloudformation deploy --stack-name candlefish-bootstrap \\\n"
        "    --template-file deploy/bootstrap.yaml --capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset",
    )


def _balancer(environment: str, facts: Facts, services: list[ServiceProposal], again: str) -> Iterator[Step]:
    """A load balancer of its own, like the one that most services are behind today."""
    names = [each.balancer for each in services if each.balancer]
    if in_front(facts, environment) or not names:
        return
    model = next(each for each in facts.balancers if each.name == max(names, key=names.count))
    name = f"candlefish-{environment}"[:32].rstrip("-")
    yield Step(
        "A load balancer of its own",
        f"Like {model.name}, which the services are behind today and which nothing here changes: its subnets, its "
        "certificates. Its listener is the control plane's alone. The last command puts it into samconfig.toml.",
        "\n".join([*_security(name, facts, model), *_made(name, environment, model), again]),
    )


def _security(name: str, facts: Facts, model: Balancer) -> list[str]:
    """A security group, where the model's belongs to the controller and goes when its Ingress goes."""
    if not model.groups:
        return []
    if CONTROLLER not in model.tags:
        return [f"groups='{' '.join(model.groups)}'"]
    ports = sorted({each.port for each in model.listeners})
    sources = facts.networks if model.internal and facts.networks else ("0.0.0.0/0",)
    lines = [
        f"groups=$(aws ec2 create-security-group --group-name {name} --description 'in front of the services' \\\n"
        f"    --vpc-id {model.vpc} --query GroupId --output text)"
    ]
    lines += [
        f'aws ec2 authorize-security-group-ingress --group-id "$groups" --protocol tcp --port {port} --cidr {source}'
        for port in ports
        for source in sources
    ]
    if facts.cluster and facts.cluster.groups:
        lines.append(
            f"aws ec2 authorize-security-group-ingress --group-id {facts.cluster.groups[0]} --protocol=-1 \\\n"
            '    --source-group "$groups"'
        )
    return lines


def _made(name: str, environment: str, model: Balancer) -> list[str]:
    groups = " --security-groups $groups" if model.groups else ""
    lines = [
        f"balancer=$(aws elbv2 create-load-balancer --name {name} --type application --scheme {model.scheme} \\\n"
        f"    --subnets {' '.join(model.subnets)}{groups} \\\n"
        f"    --tags Key=candlefish:environment,Value={environment} \\\n"
        "    --query 'LoadBalancers[0].LoadBalancerArn' --output text)"
    ]
    secure = [each for each in model.listeners if each.protocol == "HTTPS"]
    for each in secure[:1] or model.listeners[:1]:
        kind = f"--protocol {each.protocol} --port {each.port}"
        if each.certificates:
            kind += f" \\\n    --certificates CertificateArn={each.certificates[0]} --ssl-policy {each.ssl_policy or TLS}"
        lines.append(
            f'listener=$(aws elbv2 create-listener --load-balancer-arn "$balancer" {kind} \\\n'
            "    --default-actions 'Type=fixed-response,FixedResponseConfig={StatusCode=404,ContentType=text/plain}' \\\n"
            "    --query 'Listeners[0].ListenerArn' --output text)"
        )
        lines += [
            f'aws elbv2 add-listener-certificates --listener-arn "$listener" --certificates CertificateArn={more}'
            for more in each.certificates[1:]
        ]
    return lines


def _stack(environment: str, fields: dict[str, Guess]) -> Iterator[Step]:
    yield Step(
        "The stack",
        "`make preflight` says what is wrong between catalog, parameters, account and cluster, with what mends it; "
        "do what it says until it finds nothing.",
        f"candlefish catalog check\ncandlefish catalog samconfig -e {environment} --write\n"
        f"make preflight ENV={environment}\nmake deploy ENV={environment}",
    )


def _cluster(facts: Facts, *, production: bool) -> Step:
    namespace = facts.namespace
    name = facts.cluster.name if facts.cluster else "CLUSTER"
    lines = [
        f"aws eks update-kubeconfig --name {name}",
        f"kubectl label --overwrite namespace {namespace} elbv2.k8s.aws/pod-readiness-gate-inject=enabled",
        f"kubectl label --overwrite namespace {namespace} pod-security.kubernetes.io/warn=restricted",
        f"kubectl apply -n {namespace} -f deploy/rbac.yaml",
    ]
    if not production:
        lines.append("kubectl apply -f deploy/rbac-capacity.yaml")
    return Step(
        "The cluster",
        "What runs in the namespace today goes on as it is: Pod Security warns, and refuses nothing.",
        "\n".join(lines),
    )


def _people(environment: str, facts: Facts, people: Mapping[str, Mapping[str, Any]]) -> Iterator[Step]:
    """Policies for IAM users who approve; whoever runs init is taken for the administrator that they are."""
    users = [
        principal.removeprefix("user/")
        for said in people.values()
        for principal in said.get("aws", ())
        if principal.startswith("user/") and principal != facts.caller
    ]
    lines = [
        f"aws iam attach-user-policy --user-name {user} \\\n"
        f"    --policy-arn arn:{partition_of(facts.region)}:iam::{facts.account}:policy/candlefish-{environment}-{part}"
        for user in users
        for part in ("reader", "approver")
    ]
    if lines:
        yield Step(
            "People",
            "Who approves sees what is asked, and answers (docs/security.md says what other parts there are).",
            "\n".join(lines),
        )


def _service(environment: str, service: ServiceProposal, facts: Facts) -> Iterator[Step]:
    image = service.image or f"{service.fields['image'].value}@sha256:..."
    first = (
        f"candlefish onboard {service.name} -e {environment}\n"
        f'candlefish deploy {service.name} {image} -e {environment} --reason "what runs today"'
    )
    yield from MOVES[service.fields["kind"].value](environment, service, facts, first)


def _web(environment: str, service: ServiceProposal, facts: Facts, first: str) -> Iterator[Step]:
    yield Step(
        f"{service.name}: the same version, beside what runs",
        f"{service.source} goes on serving; its version starts once more, behind the control plane's listener.",
        first,
    )
    moves = [f"candlefish take-over {service.name} -e {environment} --share {share}" for share in SHARES]
    yield Step(
        f"{service.name}: users move over",
        "In DNS, a share at a time; watch the errors of both load balancers at each. "
        f"`candlefish give-back {service.name} -e {environment}` takes all of it back, as long as "
        f"{service.source} runs. Leave it for a day.",
        "\n".join(moves),
    )


def _in_cluster(environment: str, service: ServiceProposal, facts: Facts, first: str) -> Iterator[Step]:
    """Its callers move with its Service, where that is called like it."""
    workload = of.called(facts, service.source)
    names = [of.name_of(each) for each in of.services_of(workload, facts)]
    if service.name in names:
        words = (
            f"Service {service.name} is handed over by a label. Its callers stay on the Pods of {service.source} until the "
            "release has all of its own ready, and are led there in one write. "
            f"`candlefish give-back {service.name} -e {environment}` leads them back, as long as {service.source} runs."
        )
        handed = f"kubectl -n {facts.namespace} label --overwrite service {service.name} candlefish.ai/share=cluster"
        first = f"{handed}\n{first}"
    else:
        words = (
            f"Onboarding makes Service {service.name}, and the release runs behind it. Who calls {', '.join(names)} stays with "
            f"{service.source}: change their addresses, then take it away."
        )
    yield Step(f"{service.name}: the same version, and its callers", words, first)


def _worker(environment: str, service: ServiceProposal, facts: Facts, first: str) -> Iterator[Step]:
    """Nobody calls it: it takes its work, and two take what one took."""
    workload = of.called(facts, service.source)
    scale = f"kubectl -n {facts.namespace} scale deployment {of.name_of(workload)} --replicas"
    yield Step(
        f"{service.name}: the same version, beside what runs",
        f"Both take work from now on, until {service.source} goes: where two must not, do the next step first.",
        first,
    )
    yield Step(
        f"{service.name}: its work moves over",
        f"{service.source} takes no more. The way back is `{scale}={workload['spec'].get('replicas', 1)}`, then "
        f"`candlefish give-back {service.name} -e {environment} --unseen`.",
        f"{scale}=0",
    )


def _stateful(environment: str, service: ServiceProposal, facts: Facts, first: str) -> Iterator[Step]:
    """It stays the StatefulSet that it is."""
    workload = of.called(facts, service.source)
    handed = [f"kubectl -n {facts.namespace} label statefulset {service.name} {SERVICE_LABEL}={service.name}"]
    if service.name in [of.name_of(each) for each in of.services_of(workload, facts)]:
        handed.append(
            f"kubectl -n {facts.namespace} label --overwrite service {service.name} candlefish.ai/share=stateful"
        )
    yield Step(
        f"{service.name}: taken over where it stands",
        f"{service.source} is handed over by a label, with its volumes. The release replaces its Pods one after another, "
        "from the highest number down; where the first one does not come up, what runs today is put back.",
        "\n".join([*handed, first]),
    )


MOVES = {"web": _web, "cluster": _in_cluster, "worker": _worker, "stateful": _stateful}
