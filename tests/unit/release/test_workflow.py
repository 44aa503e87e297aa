"""A GitHub workflow's token: what it has to say, that it counts for one execution, and what becomes of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.errors import NotAllowed
from candlefish.release.model import WorkflowClaims
from candlefish.release.workflow import audience_of, require_workflow
from candlefish.requester import Requester
from lab.memory.release import MemoryNonces, MemoryWorkflowTokens
from tests.support.release_world import CATALOG

NOW = 1_795_500_000.0
ISSUER = "https://token.actions.githubusercontent.com"
EXECUTION = "arn:aws:states:us-west-2:333333333333:execution:candlefish-production-release:r2"
MACHINE = "arn:aws:states:us-west-2:333333333333:stateMachine:candlefish-production-release"
CLAIMS = WorkflowClaims(
    iss=ISSUER,
    aud=MACHINE,
    jti="3b0e1d61",
    exp=NOW + 240,
    nbf=NOW - 660,
    iat=NOW - 60,
    repository="example-org/shop",
    actor="example-developer",
    ref="refs/heads/main",
    sha="0123456789abcdef0123456789abcdef01234567",
    environment="production",
    workflow_ref="example-org/shop/.github/workflows/unified-deployment.yml@refs/heads/main",
    run_id="1001",
)


class Gate:
    """Looks at tokens as the first function of a machine does."""

    def __init__(self) -> None:
        self.tokens, self.nonces = MemoryWorkflowTokens(), MemoryNonces()

    def __call__(
        self,
        services: tuple[str, ...] = ("backend-api",),
        execution: str = EXECUTION,
        now: float = NOW,
        **changes: Any,
    ) -> Requester:
        self.tokens.signed = {"token": msgspec.structs.replace(CLAIMS, **changes)}
        return require_workflow(
            "token",
            services,
            execution=execution,
            environment="production",
            catalog=CATALOG,
            issuer=ISSUER,
            tokens=self.tokens,
            nonces=self.nonces,
            now=lambda: now,
        )


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_the_audience_is_the_machine_and_nothing_else() -> None:
    assert audience_of(EXECUTION) == MACHINE


def test_a_token_says_who_asked_and_from_where(gate: Gate) -> None:
    asked = gate()
    assert asked.by == "github:example-developer"
    assert asked.proof == {
        "repository": "example-org/shop",
        "environment": "production",
        "ref": "refs/heads/main",
        "sha": CLAIMS.sha,
        "actor": "example-developer",
        "workflow_ref": CLAIMS.workflow_ref,
        "run_id": "1001",
    }


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"iss": "https://token.actions.githubusercontent.com.evil.example"}, "'iss' is"),
    ({"iss": "https://token.actions.githubusercontent.com/other"}, "'iss' is"),
    ({"aud": "sts.amazonaws.com"}, "'aud' is 'sts.amazonaws.com'"),
    ({"aud": MACHINE.replace("production", "staging")}, "'aud' is"),
    ({"aud": MACHINE.replace("release", "train")}, "'aud' is"),
    ({"aud": MACHINE.replace("us-west-2", "us-east-1")}, "'aud' is"),
    ({"environment": "staging"}, "'environment' is 'staging', here it must be 'production'"),
    ({"environment": ""}, "'environment' is ''"),
    ({"repository": "mallory/shop"}, "workflows of example-org/shop alone"),
    ({"repository": "example-org/shop2"}, "workflows of example-org/shop alone"),
    ({"jti": ""}, "has no id"),
    ({"actor": ""}, "names no actor"),
    ({"exp": NOW - 61}, "not valid now"),
    ({"nbf": NOW + 61}, "not valid now"),
    ({"exp": NOW + 7200}, "not valid now"),
    ({"exp": float("nan")}, "not valid now"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_a_token_that_is_not_for_this_is_refused(gate: Gate, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(NotAllowed, match=words) as refused:
        gate(**changes)
    assert "token" in str(refused.value)
    assert gate.nonces.used == {}, "a token that was refused is not used up by it"


def test_a_token_counts_for_one_execution(gate: Gate) -> None:
    assert gate() == gate(), "the machine tries again what failed after the look at the token"
    with pytest.raises(NotAllowed, match="used for another execution before"):
        gate(execution=EXECUTION + "-again")


def test_a_train_is_asked_for_by_a_repository_that_may_release_all_of_it(gate: Gate) -> None:
    assert gate(("backend-api", "website")).by == "github:example-developer"


def test_where_the_catalog_names_no_repository_no_workflow_releases(gate: Gate) -> None:
    service = msgspec.structs.replace(CATALOG.services["backend-api"], repository="")
    catalog = msgspec.structs.replace(CATALOG, services={"backend-api": service})
    gate.tokens.signed = {"token": CLAIMS}
    with pytest.raises(NotAllowed, match=r"write its name as `repository` in catalog/services\.yaml"):
        require_workflow(
            "token",
            ["backend-api"],
            execution=EXECUTION,
            environment="production",
            catalog=catalog,
            issuer=ISSUER,
            tokens=gate.tokens,
            nonces=gate.nonces,
            now=lambda: NOW,
        )
