"""A GitHub workflow that asks for releases: what its token has to say, and what the catalog lets it do.

GitHub's role starts the machines directly. That it is GitHub's role says which repositories may call at all; who
asked, for what, from where, only the token says (docs/security.md).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from candlefish.catalog.model import Catalog, Service
from candlefish.errors import NotAllowed
from candlefish.ports import Now
from candlefish.release.model import WorkflowClaims
from candlefish.release.ports import Nonces, WorkflowTokens
from candlefish.requester import Requester

# Clocks may differ by this much; a token lives for minutes. Seconds.
SKEW, LONGEST_LIFE = 60.0, 3600.0
# What of a token is kept with a release.
FACTS = ("repository", "environment", "ref", "sha", "actor", "workflow_ref", "run_id")


def audience_of(execution: str) -> str:
    """For whom a token has to be made: the ARN of the machine whose execution carries it, and nothing else."""
    return execution.rpartition(":")[0].replace(":execution:", ":stateMachine:")


def require_workflow(
    token: str,
    services: Iterable[str],
    *,
    execution: str,
    environment: str,
    catalog: Catalog,
    issuer: str,
    tokens: WorkflowTokens,
    nonces: Nonces,
    now: Now,
) -> Requester:
    """Who asked, as a workflow's token proves it, for a release of these services. A token counts for one execution.

    Raises
    ------
    NotAllowed
        The token proves nothing here: the message says which claim, and what to do.
    Unavailable
        GitHub's keys could not be fetched.
    """
    claims = tokens.read(token)
    require_claims(claims, issuer=issuer, audience=audience_of(execution), environment=environment, now=now())
    for name in services:
        require_repository(claims, catalog.service(name))
    if not nonces.first(f"github {claims.jti}", claims.exp + SKEW, holder=execution):
        raise NotAllowed("the token was used for another execution before; get a new one for each release")
    facts = {name: getattr(claims, name) for name in FACTS}
    return Requester(f"github:{claims.actor}", {name: value for name, value in facts.items() if value})


def require_claims(
    claims: WorkflowClaims, *, issuer: str, audience: str, environment: str, now: float
) -> None:
    """Refuse a token that GitHub signed, and that is not for this machine, now.

    Raises
    ------
    NotAllowed
        Which claim is not as it must be.
    """
    for name, value, wanted in (
        ("iss", claims.iss, issuer),
        ("aud", claims.aud, audience),
        ("environment", claims.environment, environment),
    ):
        if value != wanted:
            raise NotAllowed(
                f"the token's {name!r} is {value!r}, here it must be {wanted!r}; the job has to run in GitHub's "
                f"environment {environment}, and ask for a token for this machine (.github/actions/deploy does)"
            )
    if not claims.jti or not claims.actor:
        raise NotAllowed("the token names no actor or has no id; use the one that GitHub gives the job")
    if not claims.nbf - SKEW <= now < claims.exp + SKEW or claims.exp - claims.iat > LONGEST_LIFE:
        raise NotAllowed(
            "the token is not valid now; it lives for minutes, so ask for it right before the release is started"
        )


def require_repository(claims: WorkflowClaims, service: Service) -> None:
    """Refuse a workflow of another repository than the catalog names for a service.

    Raises
    ------
    NotAllowed
        The catalog names another, or none.
    """
    if not service.repository:
        raise NotAllowed(
            f"no GitHub repository may release {service.name}; write its name as `repository` in catalog/services.yaml"
        )
    if claims.repository != service.repository:
        raise NotAllowed(
            f"{service.name} is released by workflows of {service.repository} alone, the token is of "
            f"{claims.repository}; release it there, or change `repository` in catalog/services.yaml"
        )


def without_token(request: msgspec.Struct) -> dict[str, object]:
    """A request as something may keep it: without what proves who asked."""
    given: dict[str, object] = msgspec.to_builtins(request)
    return {name: value for name, value in given.items() if name != "token"}
