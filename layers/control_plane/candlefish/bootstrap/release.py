"""Composition root of releases: builds each adapter once, when a function first asks for it.

Adapters are imported where they are built, so that a function pays only for what it uses.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING

from candlefish.adapters.aws.api import aws_call, client, session
from candlefish.settings import Settings

if TYPE_CHECKING:
    from candlefish.adapters.aws.elbv2 import LoadBalancer
    from candlefish.adapters.aws.stepfunctions import StepFunctionsExecutions
    from candlefish.adapters.http.front_door import FrontDoor, HookCaller, S3Bundles
    from candlefish.adapters.kubernetes import KubernetesCluster
    from candlefish.adapters.table.approvals import DynamoApprovals
    from candlefish.adapters.table.calibrations import DynamoCalibrations
    from candlefish.adapters.table.records import DynamoJournal, DynamoRecords
    from candlefish.analysis.ports import WindowSource
    from candlefish.catalog.model import Catalog
    from candlefish.release.button import Decide

now = time.time


@cache
def settings() -> Settings:
    return Settings.from_env()


def environment() -> str:
    return settings()["ENVIRONMENT"]


@cache
def catalog() -> Catalog:
    from candlefish.catalog.read import read

    return read(settings()["CATALOG_PATH"])


@cache
def records() -> DynamoRecords:
    from candlefish.adapters.table.records import DynamoRecords

    return DynamoRecords(client("dynamodb"), settings()["TABLE_NAME"], environment())


@cache
def journal() -> DynamoJournal:
    from candlefish.adapters.aws.eventbridge import EventBus, publisher
    from candlefish.adapters.table.records import DynamoJournal
    from candlefish.handler import logger

    publish = publisher(EventBus(client("events"), settings()["BUS_NAME"]), logger.warning)
    return DynamoJournal(client("dynamodb"), settings()["TABLE_NAME"], environment(), publish)


@cache
def approvals() -> DynamoApprovals:
    from candlefish.adapters.table.approvals import DynamoApprovals

    return DynamoApprovals(client("dynamodb"), settings()["TABLE_NAME"])


@cache
def rules() -> LoadBalancer:
    from candlefish.adapters.aws.elbv2 import LoadBalancer

    return LoadBalancer(client("elbv2"))


@cache
def executions() -> StepFunctionsExecutions:
    from candlefish.adapters.aws.stepfunctions import StepFunctionsExecutions

    return StepFunctionsExecutions(client("stepfunctions"), settings().machines)


@cache
def web() -> FrontDoor:
    from candlefish.adapters.http.front_door import FrontDoor

    return FrontDoor(settings()["FRONT_DOOR_URL"])


@cache
def hooks() -> HookCaller:
    from candlefish.adapters.http.front_door import HookCaller

    return HookCaller(client("lambda", read_timeout=300))


@cache
def bundles() -> S3Bundles:
    from candlefish.adapters.http.front_door import S3Bundles

    return S3Bundles(client("s3"))


@cache
def cluster() -> KubernetesCluster:
    from candlefish.adapters.aws.eks_token import EksTokens
    from candlefish.adapters.kubernetes import connect

    name = settings()["CLUSTER_NAME"]
    eks = client("eks")
    with aws_call(f"finding cluster {name}"):
        found = eks.describe_cluster(name=name)["cluster"]
    tokens = EksTokens(session().get_credentials(), cluster=name, region=eks.meta.region_name, now=now)
    ca = base64.b64decode(found["certificateAuthority"]["data"]).decode()
    return connect(found["endpoint"], ca, tokens)


@cache
def calibrations() -> DynamoCalibrations:
    from candlefish.adapters.table.calibrations import DynamoCalibrations

    return DynamoCalibrations(client("dynamodb"), settings()["TABLE_NAME"], environment())


@cache
def sources() -> Mapping[str, WindowSource]:
    from candlefish.adapters.aws.cloudwatch_metrics import CloudWatchWindows

    found: dict[str, WindowSource] = {"cloudwatch": CloudWatchWindows(client("cloudwatch"))}
    if url := settings().values.get("PROMETHEUS_URL"):
        from candlefish.adapters.http.prometheus import PrometheusWindows, amp_signer

        region = re.search(r"//aps-workspaces\.([a-z0-9-]+)\.amazonaws\.com", url)
        sign = amp_signer(session(), region.group(1)) if region else None
        found["prometheus"] = PrometheusWindows(url, sign=sign)
    return found


@cache
def decided() -> Decide:
    """The one use case behind every way of answering a release's question."""
    from candlefish.release.approval import decide

    return partial(
        decide,
        catalog=catalog(),
        approvals=approvals(),
        records=records(),
        executions=executions(),
        journal=journal(),
        now=now,
    )
