"""What the codes mean with which AWS refuses a call: of every service, in one place.

Which codes are throttles, and which failures pass, botocore says: its own lists are used, so that what it learns we
learn. What it does not know stands here: what another change under way has refused, which is asked again.
Everything else with a 4xx is ours, or a person's, to mend. `tests/contract/test_words.py` asks for a decision about
every error that the models of the operations we call have.
"""

from __future__ import annotations

from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

THROTTLES = frozenset(ThrottledRetryableChecker._THROTTLED_ERROR_CODES) | {
    # ElastiCache counts calls of a customer in a day or an hour.
    "APICallRateForCustomerExceeded",
    "APICallRateForCustomerExceededFault",
    # KMS, through SNS, SQS and Step Functions.
    "KMSThrottling",
    "KMSThrottlingException",
    "KmsThrottled",
    "KmsThrottlingException",
}
THROTTLED_STATUS = 429
# What passes by itself wherever it is said.
PASSING = frozenset(TransientRetryableChecker._TRANSIENT_ERROR_CODES) | {
    # Cost Explorer: costs of a day come hours later; a page of a request that changed is asked for from the first.
    "BillingViewHealthStatusException",
    "DataUnavailableException",
    "RequestChangedException",
    # S3 and DynamoDB: somebody else writes the same thing at this moment.
    "ConditionalRequestConflict",
    "OperationAborted",
    "ReplicatedWriteConflictException",
    "TransactionConflictException",
    # CloudWatch: another change of the alarm; Step Functions: as many executions as the account may have run.
    "ConcurrentModificationException",
    "ExecutionLimitExceeded",
    "ResourceConflict",
    # What services say beside a 5xx.
    "EndpointTemporarilyUnavailableException",
    "InternalException",
    "InternalServerError",
    "InternalServerException",
    "InternalServiceError",
    "ServerException",
}

# The caller is known and may not do it.
DENIALS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "EC2AccessDeniedException",
        "KMSAccessDenied",
        "KMSAccessDeniedException",
        "KmsAccessDenied",
        "KmsAccessDeniedException",
        "UnauthorizedOperation",
    }
)
# AWS does not know who signed the call: no policy mends that.
UNKNOWN_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)

# Service (botocore's name) -> what passes by itself there and need not elsewhere: another change is under way.
BUSY: dict[str, frozenset[str]] = {
    "eks": frozenset({"InvalidRequestException", "ResourceInUseException"}),
    "elasticache": frozenset(
        {
            "InvalidCacheClusterState",
            "InvalidGlobalReplicationGroupState",
            "InvalidReplicationGroupState",
        }
    ),
    "lambda": frozenset(
        {
            "CodeArtifactUserPendingException",
            "EFSMountTimeoutException",
            "ResourceConflictException",
            "S3FilesMountTimeoutException",
            "SnapStartNotReadyException",
            "SnapStartTimeoutException",
        }
    ),
    "rds": frozenset(
        {
            "InsufficientDBInstanceCapacity",
            "InvalidDBClusterStateFault",
            "InvalidDBInstanceState",
            "InvalidDBInstanceStateFault",
            "InvalidDBSecurityGroupState",
            "InvalidDBShardGroupState",
            "InvalidDBSnapshotState",
            "InvalidDBSubnetGroupStateFault",
            "InvalidGlobalClusterStateFault",
        }
    ),
    # Somebody else changed a routing control at the same moment.
    "route53-recovery-cluster": frozenset({"ConflictException"}),
}
