"""What AWS's refusals and silences mean to a person at a terminal, and what to do next."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from candlefish.adapters.aws.words import DENIALS, THROTTLES, UNKNOWN_CREDENTIALS

SIGN_IN = "sign in again (aws sso login), or set AWS_PROFILE; in the lab: source .lab/env"
MISSING = frozenset(
    {
        "ResourceNotFoundException",
        "StateMachineDoesNotExist",
        "ExecutionDoesNotExist",
        "NoSuchBucket",
        "TableNotFoundException",
    }
)


def explain(error: BotoCoreError | ClientError) -> str:
    """One line: what happened, to what, and what to do next."""
    if isinstance(error, (NoCredentialsError, PartialCredentialsError, SSOError, TokenRetrievalError)):
        return f"there are no AWS credentials that work ({error}); {SIGN_IN}"
    if isinstance(error, ConnectionError):
        return f"AWS does not answer ({error}); look at the network, and at AWS_ENDPOINT_URL in the lab"
    if not isinstance(error, ClientError):
        return str(error)
    told = error.response["Error"]
    code, said = told.get("Code", ""), f"{error.operation_name}: {told.get('Message', '')}"
    if code in UNKNOWN_CREDENTIALS:
        return f"AWS does not know these credentials (any more) ({said}); {SIGN_IN}"
    if code in DENIALS:
        return f"your credentials do not allow {said}; docs/security.md says who needs what"
    if code in THROTTLES:
        return f"AWS asks us to slow down ({said}); wait a minute, and try again"
    if code in MISSING:
        return f"there is no such thing in this account and region ({said}); make preflight says what is deployed"
    return f"AWS refused {said} ({code})"
