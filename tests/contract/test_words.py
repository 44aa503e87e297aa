"""AWS's words: for every error that the model of an operation we call has, somebody has decided what it means.

Operations are read out of the adapters, errors out of botocore's models: a call that is added, or an error that AWS
adds, fails here until it stands in `words` (it passes), in the adapter (it is handled by name) or in `MENDED` below.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from candlefish.adapters.aws import words
from candlefish.adapters.aws.elasticache import ElastiCacheCaches
from candlefish.adapters.aws.refusals import aws_call, translated
from candlefish.adapters.aws.route53 import Cnames
from candlefish.adapters.aws.routing_controls import RoutingControls
from candlefish.errors import Misconfigured, Retryable, Throttled, Unavailable
from tools.layers import ROOT, aws_services

ADAPTERS = ROOT / "layers/control_plane/candlefish/adapters"
# Module -> the services that it calls.
CALLS = {
    "aws/alarms.py": ("cloudwatch",),
    "aws/backups.py": ("acm", "cloudwatch", "elasticache", "rds", "s3", "secretsmanager"),
    "aws/metric_data.py": ("cloudwatch",),
    "aws/cost_explorer.py": ("ce",),
    "aws/ecr.py": ("ecr",),
    "aws/elasticache.py": ("elasticache",),
    "aws/elbv2.py": ("elbv2",),
    "aws/eventbridge.py": ("events",),
    "aws/lambda_probe.py": ("lambda",),
    "aws/nodegroups.py": ("eks",),
    "aws/rds_failover.py": ("cloudwatch", "rds"),
    "aws/rds_restores.py": ("rds",),
    "aws/rds_sleep.py": ("rds",),
    "aws/route53.py": ("route53",),
    "aws/routing_controls.py": ("route53-recovery-cluster",),
    "aws/s3_bundles.py": ("s3",),
    "aws/secret_hosts.py": ("secretsmanager",),
    "aws/secrets.py": ("secretsmanager",),
    "aws/sns.py": ("sns",),
    "aws/sqs.py": ("sqs",),
    "aws/stepfunctions.py": ("stepfunctions",),
    "aws/tag_switch.py": ("stepfunctions",),
    "http/hooks.py": ("lambda",),
    "kubernetes/eks.py": ("eks",),
    "table/approvals.py": ("dynamodb",),
    "table/bills.py": ("dynamodb",),
    "table/calibrations.py": ("dynamodb",),
    "table/drills.py": ("dynamodb",),
    "table/failovers.py": ("dynamodb",),
    "table/history.py": ("dynamodb",),
    "table/items.py": ("dynamodb",),
    "table/journal.py": ("dynamodb",),
    "table/looks.py": ("dynamodb",),
    "table/signals.py": ("dynamodb",),
    "table/transactions.py": ("dynamodb",),
}
# Calls whose names the code puts together.
BUILT = {"aws/rds_sleep.py": ("start_db_cluster", "start_db_instance", "stop_db_cluster", "stop_db_instance")}
# By service: what does not pass. What is named or asked for is wrong, something is missing, a quota is full.
MENDED = {
    "acm": "InvalidArgsException ValidationException",
    "ce": "BillExpirationException InvalidNextTokenException ResourceNotFoundException",
    "cloudwatch": "InvalidNextToken LimitExceeded ResourceNotFound",
    "dynamodb": "IdempotentParameterMismatchException ItemCollectionSizeLimitExceededException ResourceNotFoundException",
    "ecr": "InvalidParameterException",
    "eks": "ClientException InvalidParameterException",
    "elasticache": """CacheClusterNotFound GlobalReplicationGroupNotFoundFault InvalidKMSKeyFault
        InvalidParameterCombination InvalidParameterValue NodeGroupNotFoundFault ReplicationGroupNotFoundFault
        SnapshotNotFoundFault TestFailoverNotAvailableFault""",
    "elbv2": """DuplicateTagKeys DuplicateTargetGroupName IncompatibleProtocols InvalidConfigurationRequest
        InvalidLoadBalancerAction InvalidTarget ListenerNotFound LoadBalancerNotFound OperationNotPermitted PriorityInUse
        ResourceInUse TargetGroupAssociationLimit TooManyActions TooManyRegistrationsForTargetId TooManyRules TooManyTags
        TooManyTargetGroups TooManyTargets TooManyUniqueTargetGroupsPerLoadBalancer TrustStoreNotFound
        UnsupportedProtocol""",
    "events": "",
    "lambda": """CodeArtifactUserDeletedException CodeArtifactUserFailedException DurableExecutionAlreadyStartedException
        EFSIOException EFSMountConnectivityException EFSMountFailureException InvalidParameterValueException
        InvalidRequestContentException ModeNotSupportedException NoPublishedVersionException
        RecursiveInvocationException RequestTooLargeException ResourceNotFoundException RuntimeAliasDeletedException
        RuntimeVersionDeletedException S3FilesMountConnectivityException S3FilesMountFailureException
        SerializedRequestEntityTooLargeException ServiceQuotaExceededException SnapStartException
        SnapStartRegenerationFailureException UnsupportedMediaTypeException""",
    "rds": """AuthorizationNotFound BackupPolicyNotFoundFault CertificateNotFound DBCapacityReservationNotFound
        DBClusterAlreadyExistsFault DBClusterParameterGroupNotFound DBClusterSnapshotNotFoundFault
        DBInstanceAutomatedBackupNotFound DBInstanceAutomatedBackupQuotaExceeded DBParameterGroupNotFound
        DBSecurityGroupNotFound DBSnapshotAlreadyExists DBSnapshotNotFound DBSubnetGroupDoesNotCoverEnoughAZs
        DBSubnetGroupNotAllowedFault DBSubnetGroupNotFoundFault DBUpgradeDependencyFailure DomainNotFoundFault
        GlobalClusterNotFoundFault InstanceQuotaExceeded InvalidDBCapacityReservationState InvalidDBSubnetGroupFault
        InvalidRestoreFault InvalidSubnet InvalidVPCNetworkStateFault KMSKeyNotAccessibleFault NetworkTypeNotSupported
        OptionGroupNotFoundFault ProvisionedIopsNotAvailableInAZFault SnapshotQuotaExceeded StorageQuotaExceeded
        StorageTypeNotAvailableFault StorageTypeNotSupported TenantDatabaseQuotaExceeded
        VpcEncryptionControlViolationException""",
    "route53": "InvalidChangeBatch InvalidInput NoSuchHealthCheck NoSuchHostedZone",
    "route53-recovery-cluster": "ResourceNotFoundException ServiceLimitExceededException ValidationException",
    "s3": "EncryptionTypeMismatch InvalidObjectState InvalidRequest InvalidWriteOffset TooManyParts",
    "secretsmanager": """DecryptionFailure EncryptionFailure InvalidParameterException ResourceExistsException
        ResourceNotFoundException""",
    "sns": """EndpointDisabled InvalidParameter InvalidSecurity KMSDisabled KMSInvalidState KMSNotFound KMSOptInRequired
        NotFound ParameterValueInvalid PlatformApplicationDisabled ValidationException""",
    "sqs": """BatchEntryIdsNotDistinct BatchRequestTooLong EmptyBatchRequest InvalidAddress InvalidBatchEntryId
        InvalidSecurity KmsDisabled KmsInvalidKeyUsage KmsInvalidState KmsNotFound KmsOptInRequired QueueDoesNotExist
        TooManyEntriesInBatchRequest UnsupportedOperation""",
    "stepfunctions": """InvalidArn InvalidExecutionInput InvalidName InvalidOutput KmsInvalidStateException ResourceNotFound
        StateMachineDeleting StateMachineDoesNotExist TooManyTags ValidationException""",
}
SERVICES = sorted({service for services in CALLS.values() for service in services})


@cache
def session() -> Any:
    return botocore.session.get_session()


def parsed(module: str) -> ast.Module:
    return ast.parse((ADAPTERS / module).read_text())


def texts(module: str) -> set[str]:
    """Every string of a module: among them the codes that it handles itself."""
    nodes = ast.walk(parsed(module))
    return {each.value for each in nodes if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def operations(module: str, service: str) -> list[Any]:
    """What a module calls of a service, by the names of botocore's methods and paginators in it."""
    named = texts(module) | {
        each.attr for each in ast.walk(parsed(module)) if isinstance(each, ast.Attribute)
    }
    named |= set(BUILT.get(module, ()))
    model = session().get_service_model(service)
    return [model.operation_model(name) for name in model.operation_names if xform_name(name) in named]


def errors(module: str, service: str) -> set[str]:
    """Codes of the errors that those calls may come back with, but for those that a 5xx comes with."""
    found = set()
    for operation in operations(module, service):
        for shape in operation.error_shapes:
            said = shape.metadata.get("error", {})
            if said.get("httpStatusCode", 0) < 500:
                found.add(said.get("code", shape.name))
    return found


def modules(service: str) -> Iterator[str]:
    return (module for module, services in CALLS.items() if service in services)


def test_every_adapter_that_calls_aws_is_looked_at() -> None:
    callers = {
        str(path.relative_to(ADAPTERS))
        for path in ADAPTERS.rglob("*.py")
        if {"aws_call", "translated", "rds_call"}
        & {each.id for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.Name)}
    }
    assert callers - {"aws/refusals.py"} == set(CALLS)
    assert all(any(operations(m, s) for s in services) for m, services in CALLS.items())


@pytest.mark.parametrize("service", SERVICES)
def test_somebody_decided_what_each_error_of_a_service_means(service: str) -> None:
    modelled = set().union(*(errors(module, service) for module in modules(service)))
    handled = set().union(*(texts(module) for module in modules(service)))
    passing = words.THROTTLES | words.PASSING | words.BUSY.get(service, frozenset())
    mended = set(MENDED[service].split())
    undecided = modelled - handled - passing - words.DENIALS - mended
    assert not undecided, (
        "does it pass by itself (words), is it handled (adapter), or does a person mend it (MENDED)?"
    )
    assert not mended & passing


@pytest.mark.parametrize("service", sorted(words.BUSY))
def test_who_can_meet_a_busy_resource_waits_for_it(service: str) -> None:
    meeting = [module for module in modules(service) if errors(module, service) & words.BUSY[service]]
    assert meeting
    for module in meeting:
        # By the service's own list, or through the one function that has it.
        assert service in texts(module) or "rds_call" in (ADAPTERS / module).read_text(), module


def test_the_layer_has_the_model_of_every_service_that_is_called() -> None:
    assert set(SERVICES) <= aws_services(ADAPTERS.parent)


def refusal(code: str, status: int = 400) -> ClientError:
    error = {"Error": {"Code": code, "Message": "said"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(error, "Some")


def test_what_botocore_tries_again_is_tried_again() -> None:
    """Its own lists, whatever they are in the version that is installed."""
    for code in ThrottledRetryableChecker._THROTTLED_ERROR_CODES:
        assert isinstance(translated(refusal(code), "asking"), Retryable), code
    for code in TransientRetryableChecker._TRANSIENT_ERROR_CODES:
        assert isinstance(translated(refusal(code), "asking"), Retryable), code
    for status in (429, *TransientRetryableChecker._TRANSIENT_STATUS_CODES):
        assert isinstance(translated(refusal("NeverHeardOf", status), "asking"), Retryable), status
    assert isinstance(translated(refusal("NeverHeardOf"), "asking"), Misconfigured)


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("KmsThrottled", 400, Throttled),
        ("KMSThrottling", 400, Throttled),
        ("KmsThrottlingException", 400, Throttled),
        ("APICallRateForCustomerExceeded", 400, Throttled),
        ("LimitExceededException", 400, Throttled),
        ("DataUnavailableException", 400, Unavailable),
        ("TransactionConflictException", 400, Unavailable),
        ("ExecutionLimitExceeded", 400, Unavailable),
    ],
)
def test_what_botocore_does_not_know_and_passes_all_the_same(
    code: str, status: int, error: type[Exception]
) -> None:
    assert type(translated(refusal(code, status), "asking")) is error


@pytest.mark.parametrize("code", ["UnrecognizedClientException", "ExpiredToken", "InvalidClientTokenId"])
def test_credentials_that_nobody_knows_are_no_missing_right(code: str) -> None:
    said = str(translated(refusal(code, 403), "asking"))
    assert "does not know the credentials" in said and "mend its policy" not in said


def test_busy_is_what_the_callers_service_calls_so() -> None:
    for code, service in (("ResourceInUseException", "eks"), ("InvalidDBInstanceState", "rds")):
        with pytest.raises(Unavailable, match="it is busy"), aws_call("changing", busy=words.BUSY[service]):
            raise refusal(code)
        with pytest.raises(Misconfigured), aws_call("changing"):
            raise refusal(code)


class Refusing:
    """A client whose every call is refused in the same way."""

    def __init__(self, code: str, status: int = 400) -> None:
        self.error, self.asked = refusal(code, status), 0

    def __getattr__(self, name: str) -> Any:
        def call(**_: Any) -> None:
            self.asked += 1
            raise self.error

        return call


def test_a_conflict_at_one_endpoint_of_arc_is_tried_at_the_next_and_then_later() -> None:
    endpoints = {region: Refusing("ConflictException", 409) for region in ("us-west-2", "us-east-1")}
    routes = RoutingControls(endpoints, {"us-west-2": "a", "us-east-1": "b"}, "us-west-2", "balancer")
    with pytest.raises(Unavailable, match="us-east-1"):
        routes.lead(["www.example.com"])
    assert [endpoint.asked for endpoint in endpoints.values()] == [1, 1]


def test_a_refusal_by_arc_that_no_endpoint_takes_back_is_not_asked_of_the_next() -> None:
    endpoints = {region: Refusing("ValidationException") for region in ("us-west-2", "us-east-1")}
    routes = RoutingControls(endpoints, {"us-west-2": "a", "us-east-1": "b"}, "us-west-2", "balancer")
    with pytest.raises(Misconfigured):
        routes.lead(["www.example.com"])
    assert [endpoint.asked for endpoint in endpoints.values()] == [1, 0]


def test_caches_and_records_that_are_busy_are_asked_again() -> None:
    caches = ElastiCacheCaches("us-west-2", Refusing("InvalidGlobalReplicationGroupState"))
    with pytest.raises(Unavailable):
        caches.promote("sessions", "us-west-2", "group")
    with pytest.raises(Throttled):
        ElastiCacheCaches("us-west-2", Refusing("APICallRateForCustomerExceeded")).fail_over("group", "0001")
    with pytest.raises(Throttled):
        Cnames(Refusing("PriorRequestNotComplete")).point("Z1", "db.example.com", "orders.example")
