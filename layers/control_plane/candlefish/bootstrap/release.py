"""Composition root of releases."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING

from candlefish.adapters.aws.api import client, session
from candlefish.bootstrap.core import (
    caller,
    callers,
    catalog,
    declared,
    environment,
    events,
    executions,
    journal,
    known,
    meter,
    now,
    records,
    requesters,
    switchboard,
    table,
)
from candlefish.invocation import seconds_left, seconds_to_write
from candlefish.settings import Setting, Settings, listed

if TYPE_CHECKING:
    from candlefish.adapters.aws.elbv2 import LoadBalancer
    from candlefish.adapters.aws.s3_bundles import S3Bundles
    from candlefish.adapters.http.attestations import SigstoreAttestations
    from candlefish.adapters.http.front_door import FrontDoor
    from candlefish.adapters.http.github import GitHubStatuses
    from candlefish.adapters.http.hooks import HookCaller
    from candlefish.adapters.http.prometheus_api import Authorize
    from candlefish.adapters.http.registry import OciRegistry
    from candlefish.adapters.http.workflow_tokens import GitHubTokens
    from candlefish.adapters.kubernetes.api import Api
    from candlefish.adapters.kubernetes.cluster import KubernetesCluster
    from candlefish.adapters.kubernetes.shares import ShareOfPods
    from candlefish.adapters.table.approvals import DynamoApprovals
    from candlefish.adapters.table.calibrations import DynamoCalibrations
    from candlefish.adapters.table.freezes import DynamoFreezes
    from candlefish.adapters.table.journal import DynamoJournalStore
    from candlefish.adapters.table.judgements import DynamoJudgements
    from candlefish.adapters.table.looks import DynamoLooks
    from candlefish.adapters.table.nonces import DynamoNonces
    from candlefish.analysis.ports import WindowSource
    from candlefish.release.press_button import ButtonReply, Decide
    from candlefish.requester import Requester
    from candlefish.service.model import RollbackRequest
    from candlefish.service.ports import ChangeableRecords, TakeBack
    from candlefish.traffic.fittings import FittingPlace
    from candlefish.traffic.movers import Movers
    from candlefish.traffic.ports import Rules

__all__ = [
    "caller",
    "callers",
    "catalog",
    "declared",
    "environment",
    "events",
    "executions",
    "journal",
    "known",
    "meter",
    "now",
    "records",
    "requesters",
    "seconds_left",
    "switchboard",
]


class ReleaseSettings(Settings):
    """What functions of releases are told."""

    cluster_name = Setting(str)
    # How long a function that writes weights may live, in seconds.
    writers_live_seconds = Setting(float)
    # How long one that writes to the cluster may, for those who wait until earlier ones are dead.
    cluster_writers_live_seconds = Setting(float)
    # Onboarding.
    listener_arns = Setting(listed)
    vpc_id = Setting(str)
    health_interval_seconds = Setting(int)
    deregistration_delay_seconds = Setting(int)
    # Empty where there is no Prometheus, no private registry, no Slack button.
    prometheus_url = Setting(str, optional="")
    # Empty where Prometheus asks nobody who he is, or is one of AMP.
    prometheus_secret = Setting(str, optional="")
    registry_secret = Setting(str, optional="")
    registry_endpoint = Setting(str, optional="")
    signing_secret = Setting(str, optional="")
    # Whose signatures on attestations count: a file with a Sigstore TrustedRoot.
    trust_root = Setting(str, optional="")
    # Who signs the tokens of GitHub workflows.
    github_issuer = Setting(str, optional="https://token.actions.githubusercontent.com")
    # Who tells GitHub how releases stand.
    github_api = Setting(str, optional="https://api.github.com")
    github_status_secret = Setting(str, optional="")


settings = ReleaseSettings()


@cache
def approvals() -> DynamoApprovals:
    from candlefish.adapters.table.approvals import DynamoApprovals

    return DynamoApprovals(client("dynamodb"), table())


@cache
def asked_freezes() -> DynamoFreezes:
    from candlefish.adapters.table.freezes import DynamoFreezes

    return DynamoFreezes(client("dynamodb"), table(), environment())


@cache
def nonces() -> DynamoNonces:
    from candlefish.adapters.table.nonces import DynamoNonces

    return DynamoNonces(client("dynamodb"), table())


@cache
def workflow_tokens() -> GitHubTokens:
    from candlefish.adapters.http.workflow_tokens import GitHubTokens

    return GitHubTokens(settings.github_issuer, now)


@cache
def timelines() -> DynamoJournalStore:
    """Releases and their timelines, for who only reads them."""
    from candlefish.adapters.table.journal import DynamoJournalStore

    return DynamoJournalStore(client("dynamodb"), table(), environment())


def service_released_by(release: str) -> str:
    """Whose release one is, for who only reads."""
    return timelines().read(release).service


@cache
def code_host() -> GitHubStatuses:
    from candlefish.adapters.aws.secrets import read_secret
    from candlefish.adapters.http.github import GitHubStatuses

    secret = partial(read_secret, client("secretsmanager"), settings.github_status_secret)
    return GitHubStatuses(settings.github_api, secret, now)


@cache
def proven() -> Callable[..., Requester]:
    """Who asked, by a workflow's token: the one use case behind both machines that GitHub starts."""
    from candlefish.release.workflow import require_workflow

    return partial(
        require_workflow,
        environment=environment(),
        catalog=catalog(),
        issuer=settings.github_issuer,
        tokens=workflow_tokens(),
        nonces=nonces(),
        now=now,
    )


@cache
def rules() -> LoadBalancer:
    from candlefish.adapters.aws.elbv2 import LoadBalancer

    return LoadBalancer(client("elbv2"))


@cache
def movers() -> Movers:
    """Who moves traffic, for functions that may ask the cluster too: rules of the load balancer, or shares of Pods."""
    from candlefish.traffic.movers import Movers

    return Movers(rules(), shares)


@cache
def shares() -> ShareOfPods:
    from candlefish.adapters.kubernetes.shares import ShareOfPods

    return ShareOfPods(cluster(), _kubernetes())


@cache
def balancer() -> LoadBalancer:
    """The load balancer for whoever makes target groups: they take the addresses that Pods have."""
    from candlefish.adapters.aws.elbv2 import LoadBalancer
    from candlefish.adapters.kubernetes.eks import ip_family

    return LoadBalancer(client("elbv2"), lambda: ip_family(client("eks"), settings.cluster_name))


@cache
def urgent_rules() -> LoadBalancer:
    """For those who take users back."""
    from candlefish.adapters.aws.elbv2 import LoadBalancer

    return LoadBalancer(client("elbv2", urgent=True))


def taking_back() -> TakeBack:
    """For those who decide a rollback and carry it out: what they need of the load balancer is built at the start."""
    return partial(_take_back, rules=urgent_rules())


def _take_back(
    request: RollbackRequest, *, execution: str, records: ChangeableRecords, rules: Rules
) -> object:
    from candlefish.errors import ControlPlaneError
    from candlefish.release.restore_traffic import take_back
    from candlefish.telemetry import logger

    try:
        return take_back(request, execution=execution, records=records, rules=rules, now=now)
    except ControlPlaneError as error:
        logger.warning("%s is left to the machine: %s: %s", request.id, type(error).__name__, error)
        raise


def fitting_place() -> FittingPlace:
    from candlefish.traffic.fittings import FittingPlace

    return FittingPlace(
        listeners=settings.listener_arns,
        vpc=settings.vpc_id,
        interval=settings.health_interval_seconds,
        deregistration_delay=settings.deregistration_delay_seconds,
    )


@cache
def web() -> FrontDoor:
    from candlefish.adapters.aws.elbv2 import address_of
    from candlefish.adapters.http.front_door import FrontDoor

    return FrontDoor(partial(address_of, client("elbv2")))


@cache
def hooks() -> HookCaller:
    from candlefish.adapters.http.hooks import HookCaller

    return HookCaller(client("lambda", read_timeout=300))


@cache
def bundles() -> S3Bundles:
    from candlefish.adapters.aws.s3_bundles import S3Bundles

    return S3Bundles(client("s3"))


@cache
def _kubernetes() -> Api:
    from candlefish.adapters.kubernetes.eks import eks_api

    credentials = session().get_credentials()
    return eks_api(client("eks"), settings.cluster_name, credentials, now, seconds_to_write)


@cache
def cluster() -> KubernetesCluster:
    from candlefish.adapters.kubernetes.cluster import KubernetesCluster

    return KubernetesCluster(_kubernetes())


@cache
def calibrations() -> DynamoCalibrations:
    from candlefish.adapters.table.calibrations import DynamoCalibrations

    return DynamoCalibrations(client("dynamodb"), table(), environment())


@cache
def judgements() -> DynamoJudgements:
    from candlefish.adapters.table.judgements import DynamoJudgements

    return DynamoJudgements(client("dynamodb"), table())


@cache
def looks() -> DynamoLooks:
    from candlefish.adapters.table.looks import DynamoLooks

    # A judge that waits for what people see decides late, or is stopped before it has decided.
    return DynamoLooks(client("dynamodb", read_timeout=2, attempts=2), table())


@cache
def sources() -> Mapping[str, WindowSource]:
    from candlefish.adapters.aws.cloudwatch_metrics import CloudWatchWindows
    from candlefish.adapters.aws.custom_metrics import CustomMetricWindows
    from candlefish.catalog.model import CUSTOM

    found: dict[str, WindowSource] = {
        "cloudwatch": CloudWatchWindows(client("cloudwatch")),
        CUSTOM: CustomMetricWindows(client("cloudwatch")),
    }
    if url := settings.prometheus_url:
        from candlefish.adapters.http.prometheus import PrometheusWindows
        from candlefish.adapters.http.prometheus_api import amp_signer

        region = re.search(r"//aps-workspaces\.([a-z0-9-]+)\.amazonaws\.com", url)
        sign = amp_signer(session(), region.group(1)) if region else None
        found["prometheus"] = PrometheusWindows(url, sign=sign, authorize=_login(settings.prometheus_secret))
    return found


def _login(secret: str) -> Authorize | None:
    if not secret:
        return None
    from candlefish.adapters.http.prometheus_login import authorizer

    return authorizer(lambda: _secret(secret), secret)


def tell_failure(source: str, error: Exception) -> None:
    """A failure of ours while a source was judged: logged with its trace, and no evidence of anything."""
    from candlefish.telemetry import logger

    logger.error("this is a bug: judging by %s failed", source, exc_info=error)


@cache
def registry() -> OciRegistry:
    from candlefish.adapters.aws.ecr import EcrLogins
    from candlefish.adapters.http.logins import RegistryLogins
    from candlefish.adapters.http.references import registry_of
    from candlefish.adapters.http.registry import OciRegistry

    services = catalog().services.values()
    hosts = {registry_of(image) for service in services for image in (service.image, *service.sidecars)}
    ecr = EcrLogins(lambda region: client("ecr", region), now)
    logins = RegistryLogins(lambda: _secret(settings.registry_secret), hosts, ecr.login)
    return OciRegistry(attestations().verified, logins.login, settings.registry_endpoint)


@cache
def attestations() -> SigstoreAttestations:
    from candlefish.adapters.http.attestations import SigstoreAttestations

    return SigstoreAttestations(settings.trust_root, settings.github_issuer)


def slack_signing_secret() -> str:
    """Slack's signing secret, empty where there is none; read at each click, so that a rotated one counts at once."""
    return _secret(settings.signing_secret)


def reply_in_slack(answer: ButtonReply) -> None:
    """Tell the person who clicked; it is a courtesy and never fails a decision."""
    from candlefish.adapters.http.slack import reply
    from candlefish.telemetry import logger

    reply(answer, warn=logger.warning)


def _secret(name: str) -> str:
    from candlefish.adapters.aws.secrets import read_secret

    return read_secret(client("secretsmanager"), name) if name else ""


@cache
def decider() -> Decide:
    """The one use case behind every way of answering a release's question."""
    from candlefish.release.decide_approval import decide_approval

    return partial(
        decide_approval,
        catalog=catalog(),
        approvals=approvals(),
        records=records(),
        executions=executions(),
        journal=journal(),
        now=now,
    )
