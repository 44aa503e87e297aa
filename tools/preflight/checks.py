"""What has to hold before a stack is deployed: one function for each subject, pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from candlefish.catalog.checks.kinds import why_uncounted
from candlefish.catalog.model import CUSTOM, Catalog
from candlefish.catalog.stack_parameters import NAMES, PLACEHOLDER
from candlefish.catalog.stack_parameters import derived as derived_from
from candlefish.names import partition_of
from candlefish.service.model import balancer_of
from candlefish.traffic.fittings import MOST_RULES, balancers_needed
from tools.preflight.model import Cluster, Finding, Found, Section, fails_over

MODES = ("API", "API_AND_CONFIG_MAP")
# preStop.sleep (docs/kubernetes.md).
OLDEST_KUBERNETES = (1, 30)
# Releases, schedules and alarms at a time; what a reservation must leave to everybody else is as much.
LEAST_CONCURRENCY = UNRESERVED = 100
CONCURRENCY = 1000
# Rules of a load balancer for one service: users' and the smoke tests'.
RULES_OF_A_SERVICE = 2
# States of a stack that can only be deleted.
DEAD = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")
# APIs that a gateway endpoint leads to; the others have interface endpoints.
BY_GATEWAY = frozenset({"dynamodb", "s3"})

Findings = Iterator[Finding]


# --- without asking anybody ---------------------------------------------------------------------


def written(section: Section, declared: dict[str, Any]) -> Findings:
    """The section against the template and the catalog."""
    values, environment = section.values, section.environment
    for name in values:
        if name not in declared:
            yield Finding(name, "template.yaml has no such parameter")
        elif PLACEHOLDER in values[name]:
            yield Finding(
                name, f"samconfig.toml says {PLACEHOLDER}; the comment above it says where it is found"
            )
    for name, spec in declared.items():
        if "Default" not in spec and not values.get(name):
            yield Finding(name, "give a value")
    agree = [
        ("region", section.deploy.get("region"), section.region),
    ]
    if section.recovery:
        agree.append(("HomeRegion", section.get("HomeRegion") or "nothing", environment.region))
    else:
        agree.append(("ClusterName", section.get("ClusterName"), environment.cluster))
        agree.append(("HomeRegion", section.get("HomeRegion") or environment.region, environment.region))
    for name, here, there in agree:
        if here and here != there:
            yield Finding(name, f"samconfig.toml says {here}, the catalog says {there}; change one")
    if bool(section.get("FunctionSubnetIds")) != bool(section.get("FunctionSecurityGroupIds")):
        yield Finding(
            "FunctionSubnetIds",
            "subnets and security groups belong together; give FunctionSecurityGroupIds as well, or neither",
        )


def counted(section: Section, catalog: Catalog) -> Findings:
    """Whether there is a Prometheus for services whose work no load balancer counts, nor they themselves in CloudWatch."""
    uncounted = [
        service.name
        for service in catalog.services.values()
        if why_uncounted(service) and CUSTOM not in catalog.policies[service.judge].sources
    ]
    if uncounted and not section.get("PrometheusUrl"):
        yield Finding(
            "PrometheusUrl",
            f"there is none, and no load balancer counts what {', '.join(sorted(uncounted))} does: nothing judges a release "
            "of it, and each asks a person (docs/judge.md)",
            blocks=False,
        )


def derived(section: Section, catalog: Catalog) -> Findings:
    """Whether the parameters that say what the catalog names say what it names."""
    wanted = derived_from(section.environment, catalog)
    if differ := [name for name in NAMES if section.get(name) != wanted.get(name, "")]:
        yield Finding(
            ", ".join(differ),
            "samconfig.toml does not say what the catalog says, and the stack would be another environment's or reach something else",
            f"candlefish catalog samconfig -e {section.environment.name} --write",
        )


def room(section: Section, services: int) -> Findings:
    """Whether the catalog's services fit on the load balancers."""
    listeners = section.several("ListenerArns")
    needs, have = balancers_needed(services), len({balancer_of(each) for each in listeners})
    if listeners and have < needs:
        yield Finding(
            "ListenerArns",
            f"{services} services need {needs} load balancers, and listeners of {have} are given (docs/deploy.md, Listeners)",
        )


def patience(section: Section, declared: dict[str, Any], strategy: str, ready_within: float) -> Findings:
    """Whether a slot can get ready in time: a target is healthy when two checks in a row have passed."""
    given = section.get("HealthIntervalSeconds") or declared["HealthIntervalSeconds"]["Default"]
    needs = 2 * float(given)
    if needs >= ready_within:
        yield Finding(
            "HealthIntervalSeconds",
            f"two checks take {needs:.0f} s, and strategy {strategy} gives a slot {ready_within:.0f} s to get ready: check "
            "more often, or raise its ready_within in catalog/strategies.yaml",
        )


# --- against the account ------------------------------------------------------------------------


def account(section: Section, found: Found) -> Findings:
    environment = section.environment
    if found.account != environment.account:
        yield Finding(
            "credentials",
            f"they are of account {found.account}, and {environment.name} is in {environment.account}: "
            f"choose another profile, or change catalog/environments/{environment.name}.yaml",
        )
    boundary = section.get("PermissionsBoundaryArn")
    if boundary and not found.boundary:
        yield Finding(
            "PermissionsBoundaryArn",
            f"there is no policy {boundary}; deploy/bootstrap.yaml makes one (docs/deploy.md, step 1)",
        )
    wanted = section.get("GitHubSubjects") and not section.get("GitHubProviderArn") and not section.recovery
    if wanted and found.provider and not found.stack:
        yield Finding(
            "GitHubProviderArn",
            f"the account has GitHub's OIDC provider, and can have it once: GitHubProviderArn={found.provider}",
        )


def stack(section: Section, found: Found) -> Findings:
    name = section.deploy.get("stack_name", "")
    at = f"--stack-name {name} --region {section.region}"
    if found.stack in DEAD:
        yield Finding(
            "stack",
            f"{name} is in {found.stack}: its first deployment failed, and CloudFormation takes no other until it is deleted",
            f"aws cloudformation delete-stack {at} && aws cloudformation wait stack-delete-complete {at}",
        )
    elif found.stack == "UPDATE_ROLLBACK_FAILED":
        yield Finding(
            "stack",
            f"{name} could not go back to what it was; see its events, mend that, and let it go on",
            f"aws cloudformation continue-update-rollback {at}",
        )
    elif found.stack.endswith("_IN_PROGRESS") and found.stack != "REVIEW_IN_PROGRESS":
        yield Finding("stack", f"{name} is being changed ({found.stack}); wait for it")
    if found.kept and (not found.stack or found.stack == "REVIEW_IN_PROGRESS"):
        yield Finding(
            "stack",
            f"{' and '.join(found.kept)} are there, kept from a stack that was deleted, and would be in the way; the new "
            "stack can take them over with all that they hold",
            f"make take-over ENV={section.name}",
        )


def concurrency(section: Section, found: Found, reserving: int) -> Findings:
    """Lambda's quota: new accounts have 10."""
    limits, region = found.limits, section.region
    raise_it = (
        "aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 "
        f"--desired-value {CONCURRENCY} --region {region}"
    )
    if limits.total < LEAST_CONCURRENCY:
        yield Finding(
            "Lambda",
            f"the account may run {limits.total} executions at a time in {region}, as new accounts may; "
            f"releases would be throttled with less than {LEAST_CONCURRENCY}. Raise the quota and wait until it is granted",
            raise_it,
        )
    elif section.get("ReserveConcurrency") == "yes":
        left = limits.unreserved + limits.ours - reserving
        if left < UNRESERVED:
            yield Finding(
                "ReserveConcurrency",
                f"{reserving} reserved executions would leave {left} of {limits.total} to all other functions of the "
                f'account, and AWS refuses less than {UNRESERVED}. Raise the quota, or say "no"',
                raise_it,
            )


def cluster(section: Section, found: Found) -> Findings:
    name, it = section.get("ClusterName"), found.cluster
    if it is None:
        yield Finding("ClusterName", f"there is no EKS cluster {name} in {section.region}")
        return
    update = f"aws eks update-cluster-config --name {name} --region {section.region}"
    if it.mode not in MODES:
        yield Finding(
            "ClusterName",
            f"{name} takes no access entries (its authentication mode is {it.mode}); aws-auth goes on working, and there "
            "is no way back",
            f"{update} --access-config authenticationMode=API_AND_CONFIG_MAP",
        )
    if _version(it.version) < OLDEST_KUBERNETES:
        yield Finding(
            "ClusterName",
            f"{name} has Kubernetes {it.version}; slots need {'.'.join(map(str, OLDEST_KUBERNETES))}. One minor version at a time",
            f"aws eks update-cluster-version --name {name} --region {section.region} --kubernetes-version {_next(it.version)}",
        )
    yield from _endpoint(section, it, update)
    yield from _inside(name, found)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])


def _next(version: str) -> str:
    major, minor = _version(version)
    return f"{major}.{minor + 1}"


def _endpoint(section: Section, it: Cluster, update: str) -> Findings:
    """Whether functions reach the cluster's endpoint from where they run."""
    joined = bool(section.get("FunctionSubnetIds"))
    if not joined and not it.open:
        where = f"from {', '.join(it.cidrs)} alone" if it.public else "inside its VPC alone"
        yield Finding(
            "FunctionSubnetIds",
            f"the cluster's endpoint answers {where}, and functions without a VPC come from any address of AWS: give "
            "private subnets of its VPC, and security groups that the cluster lets in (docs/deploy.md, A private network)",
        )
    if joined and not it.private and not it.open:
        yield Finding(
            "ClusterName",
            f"functions in the VPC come to the public endpoint from the addresses of NAT, and it answers "
            f"{', '.join(it.cidrs)} alone; switch the private one on",
            f"{update} --resources-vpc-config endpointPrivateAccess=true",
        )


def _inside(name: str, found: Found) -> Findings:
    """What the cluster itself needs."""
    inside = found.kubernetes
    if inside.unknown:
        yield Finding(
            "cluster", f"it could not be asked for its controller and metrics: {inside.unknown}", blocks=False
        )
        return
    helm = (
        "helm upgrade --install aws-load-balancer-controller aws-load-balancer-controller "
        f"--repo https://aws.github.io/eks-charts -n kube-system --set clusterName={name}"
    )
    if not inside.bindings:
        yield Finding(
            "cluster",
            "it knows no TargetGroupBinding: install the AWS Load Balancer Controller (docs/kubernetes.md)",
            helm,
        )
    elif not inside.controller:
        yield Finding(
            "cluster",
            "no AWS Load Balancer Controller runs in kube-system under its chart's label; where none runs elsewhere "
            "either, target groups stay empty",
            helm,
            blocks=False,
        )
    if not inside.metrics:
        yield Finding(
            "cluster",
            "it has no metrics API: autoscalers keep a slot inside its range, but do not follow load",
            "kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml",
            blocks=False,
        )


def listeners(section: Section, found: Found) -> Findings:
    for arn, it in found.listeners.items():
        if it is None:
            yield Finding("ListenerArns", f"there is no listener {arn}")
            continue
        if it.vpc != section.get("VpcId"):
            yield Finding("VpcId", f"the load balancer of {arn} is in {it.vpc}, not {section.get('VpcId')}")
        if it.scheme == "internal" and not section.get("FunctionSubnetIds"):
            yield Finding(
                "FunctionSubnetIds",
                f"the load balancer of {arn} is internal, and smoke tests ask it: give private subnets that reach it "
                "(docs/deploy.md, A private network)",
            )
        free = (MOST_RULES - it.rules) // RULES_OF_A_SERVICE
        if free < 1:
            yield Finding(
                "ListenerArns",
                f"{it.rules} of {MOST_RULES} rules of the load balancer of {arn} are taken; there is no room for a new service",
                blocks=False,
            )


def prometheus(section: Section, found: Found) -> Findings:
    host = urlsplit(section.get("PrometheusUrl")).hostname or ""
    if host and _private(host) and not section.get("FunctionSubnetIds"):
        yield Finding(
            "FunctionSubnetIds",
            f"Prometheus at {host} is private, and the judge asks it: give private subnets that reach it "
            "(docs/deploy.md, A private network)",
        )
    secret, workspace = section.get("PrometheusSecretArn"), section.get("PrometheusWorkspaceArn")
    if secret and not host:
        yield Finding(
            "PrometheusSecretArn", "it is the login at a Prometheus that PrometheusUrl does not name"
        )
    elif secret and (workspace or ".amazonaws.com" in host):
        what = (
            "a workspace of AMP knows the functions by their roles, and takes no login: take the secret out"
        )
        yield Finding("PrometheusSecretArn", what)
    elif secret and section.get("PrometheusUrl").startswith("http://") and not _private(host):
        what = f"the login would go to {host} in clear text, through the internet: write an https:// address"
        yield Finding("PrometheusUrl", what)


def signing_in(section: Section, found: Found) -> Findings:
    """CloudFormation fails at an authorizer whose issuer does not answer, and nobody signs in with what it cannot read."""
    if (issuer := found.issuer) is None or section.environment.console is None:
        return
    name = section.environment.console.issuer
    if issuer.unknown:
        yield Finding("console", f"{name} is no issuer that people can sign in at: {issuer.unknown}")
    elif issuer.algorithms and "RS256" not in issuer.algorithms:
        signs = ", ".join(issuer.algorithms)
        yield Finding(
            "console", f"{name} signs with {signs}; API Gateway takes RS256: choose it for the client there"
        )


def _private(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".internal", ".local", ".svc"))


def network(section: Section, found: Found, needed: frozenset[str]) -> Findings:
    """The subnets of functions: that they are there, and lead to AWS's APIs. `needed` are the services that are asked."""
    vpcs = {}
    for name, subnet in found.subnets.items():
        if subnet is None:
            yield Finding("FunctionSubnetIds", f"there is no subnet {name} in {section.region}")
        else:
            vpcs[subnet.vpc] = name
            if subnet.way_out == "igw":
                yield Finding(
                    "FunctionSubnetIds",
                    f"{name} is a public subnet, where functions have no address of their own and reach nothing outside; "
                    "take private ones",
                )
    for name, vpc in found.groups.items():
        if vpc is None:
            yield Finding(
                "FunctionSecurityGroupIds", f"there is no security group {name} in {section.region}"
            )
        elif vpcs and vpc not in vpcs:
            yield Finding(
                "FunctionSecurityGroupIds", f"{name} is of {vpc}, and the subnets are of {', '.join(vpcs)}"
            )
    if found.cluster and vpcs and found.cluster.vpc and found.cluster.vpc not in vpcs:
        yield Finding(
            "FunctionSubnetIds",
            f"the subnets are in {', '.join(vpcs)} and the cluster in {found.cluster.vpc}; they have to be peered",
            blocks=False,
        )
    there = [subnet for subnet in found.subnets.values() if subnet]
    if there and not all(subnet.way_out in ("nat", "other") for subnet in there):
        yield from _endpoints(section, found, needed, next(iter(vpcs)))


def _endpoints(section: Section, found: Found, needed: frozenset[str], vpc: str) -> Findings:
    missing = sorted(needed - found.endpoints)
    for service in missing:
        kind = "Gateway" if service in BY_GATEWAY else "Interface"
        more = (
            "--route-table-ids ..."
            if service in BY_GATEWAY
            else f"--private-dns-enabled --subnet-ids {' '.join(found.subnets)} --security-group-ids ..."
        )
        yield Finding(
            "FunctionSubnetIds",
            f"the subnets have no NAT, and {vpc} has no endpoint for {service}, which functions there ask",
            f"aws ec2 create-vpc-endpoint --vpc-id {vpc} --vpc-endpoint-type {kind} "
            f"--service-name com.amazonaws.{section.region}.{service} {more} --region {section.region}",
        )
    if fails_over(section):
        yield Finding(
            "FunctionSubnetIds",
            "failovers ask the other region and Route 53, where no endpoint of this VPC leads: they need NAT",
            blocks=False,
        )


def subscriptions(section: Section, found: Found) -> Findings:
    """Whether anybody hears what the control plane cannot do itself."""
    known = found.subscriptions
    told = section.get("NoticesEmail") or section.get("NoticesUrl")
    if known is None and not told:
        yield Finding(
            "NoticesEmail",
            "nobody would hear of the control plane's own alarms, of the budget and of what a person must look at: give "
            "an address, or NoticesUrl",
        )
    if known is not None and not any(each.confirmed for each in known):
        waiting = ", ".join(each.endpoint for each in known if not each.confirmed)
        yield Finding(
            "NoticesEmail",
            f"nobody is subscribed to the notices; {waiting} did not confirm (the mail is valid for two days)"
            if waiting
            else "nobody is subscribed to the notices: give an address, or NoticesUrl",
            f"aws sns subscribe --region {section.region} --protocol email --notification-endpoint "
            f"{section.get('NoticesEmail') or 'ADDRESS'} "
            f"--topic-arn arn:{partition_of(section.region)}:sns:{section.region}:{found.account}:{section.table}-notices",
            blocks=False,
        )


ABOUT_THE_ACCOUNT: tuple[Callable[[Section, Found], Findings], ...] = (
    account,
    stack,
    cluster,
    listeners,
    prometheus,
    signing_in,
    subscriptions,
)
