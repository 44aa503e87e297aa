"""Policies, compiled once, and what IAM says to a request: the same account, identities, boundaries, resource policies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from lab.iam.conditions import Condition, Unknown, Values, compiled, like

ALLOW, DENY = "Allow", "Deny"


# The values of a request by condition key.
Context = tuple[tuple[str, tuple[str, ...]], ...]


class Ask(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """An action on a resource (an ARN, or `*` where the request names none), with what the request says beside."""

    action: str
    resource: str
    context: Context = ()

    @property
    def region(self) -> str:
        """Where the resource is; empty when the ARN does not say."""
        return self.resource.split(":")[3] if self.resource.startswith("arn:") else ""


class Principal(msgspec.Struct, frozen=True):
    """Who asks: an IAM user, a session of a role, or a service of AWS (`service` alone).

    A service with an `account` acts as its owner, as the oldest do: everybody of AWS's accounts is it as well.
    `arns` are all that a policy may call it: the user's; or the session's and the role's.
    """

    arns: tuple[str, ...] = ()
    account: str = ""
    service: str = ""

    @property
    def arn(self) -> str:
        """What an error calls it."""
        return self.arns[0] if self.arns else self.service or "anonymous"


class Statement(msgspec.Struct, frozen=True):
    """One statement. An empty `principals` is an identity policy's."""

    effect: str
    actions: Callable[[str], bool]
    resources: Callable[[str], bool]
    conditions: tuple[Condition, ...]
    principals: tuple[tuple[str, str], ...] = ()
    problem: str = ""

    def fits(self, resource: str, values: Values) -> bool:
        """Whether it speaks of this resource, under its conditions."""
        if not self.resources(resource):
            return False
        if self.problem:
            raise Unknown(self.problem)
        return all(condition(values) for condition in self.conditions)


class Policy:
    """The statements of some documents, found by action."""

    def __init__(self, documents: Iterable[Mapping[str, Any]]) -> None:
        # CloudFormation leaves a gap where `AWS::NoValue` stood.
        self._statements = [_statement(s) for d in documents for s in _listed(d["Statement"]) if s]
        self._by_action: dict[str, tuple[list[Statement], list[Statement]]] = {}

    def about(self, action: str) -> tuple[list[Statement], list[Statement]]:
        """What allows an action, and what denies it."""
        action = action.lower()
        if (found := self._by_action.get(action)) is None:
            here = [each for each in self._statements if each.actions(action)]
            found = [s for s in here if s.effect == ALLOW], [s for s in here if s.effect == DENY]
            self._by_action[action] = found
        return found


class Decision(msgspec.Struct, frozen=True):
    """What IAM says. `reason` ends the sentence of the refusal as AWS writes it."""

    allowed: bool
    reason: str = ""


YES = Decision(True)


class Grants(msgspec.Struct, frozen=True):
    """What a principal brings: its own policies, and the boundary around them, if it has one."""

    identity: Policy
    boundary: Policy | None = None


class OnResource(msgspec.Struct, frozen=True):
    """The policy of a resource. `final`: nobody gets in by an identity policy alone (keys, roles' trust)."""

    policy: Policy
    final: bool = False


def decide(
    principal: Principal,
    action: str,
    resource: str,
    values: Values,
    *,
    grants: Grants | None = None,
    on_resource: OnResource | None = None,
) -> Decision:
    """What IAM says to a request of a principal of the resource's own account, or of a service.

    Raises
    ------
    Unknown
        A policy asks what the lab cannot answer.
    """
    identity = grants.identity.about(action) if grants else ([], [])
    boundary = grants.boundary.about(action) if grants and grants.boundary else None
    of_resource = on_resource.policy.about(action) if on_resource else ([], [])
    for what, denials in (
        ("an identity-based policy", identity[1]),
        ("a permissions boundary", boundary[1] if boundary else []),
    ):
        if any(s.fits(resource, values) for s in denials):
            return Decision(False, f"with an explicit deny in {what}")
    if any(_named(s, principal) and s.fits(resource, values) for s in of_resource[1]):
        return Decision(False, "with an explicit deny in a resource-based policy")
    given = [s for s in of_resource[0] if s.fits(resource, values)]
    direct = [match for s in given if (match := _named(s, principal))]
    # Who is named as a session or a user is past the boundary; a role that is named is within it.
    if "everything" in direct:
        return YES
    within = boundary is None or any(s.fits(resource, values) for s in boundary[0])
    if "role" in direct and within:
        return YES
    if on_resource and on_resource.final and not any(_delegates(s, principal) for s in given):
        return Decision(False, f"because no resource-based policy allows the {action} action")
    if not any(s.fits(resource, values) for s in identity[0]):
        why = "resource-based" if grants is None else "identity-based"
        return Decision(False, f"because no {why} policy allows the {action} action")
    return YES if within else Decision(False, f"because no permissions boundary allows the {action} action")


def _named(statement: Statement, principal: Principal) -> str:
    """How a statement of a resource's policy names somebody: `everything`, as a `role`, or not at all."""
    for kind, name in statement.principals:
        if name == "*" and (kind == "*" or (kind == "AWS" and (principal.account or not principal.service))):
            return "everything"
        if kind == "Service" and name == principal.service:
            return "everything"
        if kind in ("AWS", "Federated") and name in principal.arns:
            return "role" if name != principal.arns[0] else "everything"
        if statement.effect == DENY and _is_account(name, principal):
            return "everything"
    return ""


def _delegates(statement: Statement, principal: Principal) -> bool:
    """Whether a statement leaves it to the account's own policies."""
    return any(_is_account(name, principal) for kind, name in statement.principals if kind == "AWS")


def _is_account(name: str, principal: Principal) -> bool:
    return bool(principal.account) and name in (
        principal.account,
        f"arn:aws:iam::{principal.account}:root",
    )


@lru_cache(maxsize=4096)
def policy(*documents: str) -> Policy:
    """The policy of some documents, compiled once."""
    return Policy(json.loads(document) for document in documents)


def _statement(said: Mapping[str, Any]) -> Statement:
    problem = ""
    found: tuple[Condition, ...] = ()
    try:
        found = tuple(compiled(said.get("Condition", {})))
    except Unknown as error:
        # Refused when somebody gets there: what nobody uses needs no answer.
        problem = str(error)
    resources = _matcher(said, "Resource")
    if "${" in json.dumps(said.get("Resource", "")):
        problem = f"the lab evaluates no policy variables: {said['Resource']}"
    return Statement(
        said["Effect"],
        _matcher(said, "Action", lower=True),
        resources,
        found,
        tuple(_principals(said.get("Principal", {}))),
        problem or ("the lab evaluates no NotPrincipal" if "NotPrincipal" in said else ""),
    )


def _matcher(said: Mapping[str, Any], element: str, *, lower: bool = False) -> Callable[[str], bool]:
    negated = f"Not{element}" in said
    # The policy of a resource need not say which.
    patterns = _listed(said[f"Not{element}"] if negated else said.get(element, "*"))
    if lower:
        patterns = [each.lower() for each in patterns]
    if patterns == ["*"]:
        return lambda value: not negated
    exact = frozenset(p for p in patterns if not re.search(r"[*?]", p))
    wild = [p for p in patterns if p not in exact]
    return lambda value: (value in exact or any(like(value, each) for each in wild)) != negated


def _principals(said: Any) -> Iterable[tuple[str, str]]:
    if said == "*":
        yield "*", "*"
        return
    for kind, names in said.items():
        for name in _listed(names):
            yield kind, name


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
