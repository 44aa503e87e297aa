"""IAM that refuses: who signs with a key, what that principal brings, and what IAM says to each of its calls.

Principals, their policies and boundaries are moto's; the decision is `lab.iam`'s. What only the lab itself does (the key
`lab`, and whatever is no key of IAM's) is nobody's call and is not looked at.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import msgspec
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from lab.iam.conditions import Unknown
from lab.iam.policies import Ask, Decision, Grants, Principal, decide, policy
from lab.moto import ACCOUNT
from lab.moto.iam_resources import key_of, policy_of, tags_of

LOG = logging.getLogger("lab")
_REMEMBERED = 10_000
# What a service does with the key of what it keeps, in the name of whoever calls it.
_READS, _WRITES = ("kms:Decrypt",), ("kms:Decrypt", "kms:GenerateDataKey")
_GRANTS = ("kms:CreateGrant", "kms:DescribeKey")
USES_OF_KEYS = {
    "sqs:SendMessage": _WRITES,
    "sqs:ReceiveMessage": _READS,
    "sns:Publish": _WRITES,
    "secretsmanager:GetSecretValue": _READS,
    "secretsmanager:PutSecretValue": _WRITES,
    "rds:RestoreDBInstanceFromDBSnapshot": _GRANTS,
    "rds:RestoreDBInstanceToPointInTime": _GRANTS,
    "rds:CreateDBInstanceReadReplica": _GRANTS,
    "rds:CopyDBSnapshot": _GRANTS,
    **{
        f"dynamodb:{operation}": _READS
        for operation in (
            "GetItem",
            "PutItem",
            "UpdateItem",
            "DeleteItem",
            "Query",
            "Scan",
            "BatchGetItem",
            "BatchWriteItem",
            "TransactWriteItems",
        )
    },
}


class Caller(msgspec.Struct, frozen=True):
    """Somebody who calls: the name that the lab gives them, whom IAM sees, and the ARN of whose policies they have."""

    name: str
    principal: Principal
    role: str


# Who does not sign.
ANYBODY = Caller("anybody", Principal(), "")


class Refusal(msgspec.Struct, frozen=True):
    """A call that IAM refused: when (epoch seconds), whose, and in AWS's words why."""

    at: float
    caller: str
    role: str
    action: str
    resource: str
    message: str


class Authority:
    """Says whether a call is allowed, and remembers what it refused."""

    def __init__(self) -> None:
        self._callers: dict[str, Caller | None] = {}
        self._lock = threading.Lock()
        self.refusals: deque[Refusal] = deque(maxlen=_REMEMBERED)
        # Called with every ask, and the sentence of its refusal if it was refused.
        self.watch: Callable[[Caller, Ask, str], None] = lambda caller, ask, refused: None

    # --- who ------------------------------------------------------------------------------------

    def caller(self, access_key: str) -> Caller | None:
        """Who signs with an access key: an IAM user, or whoever took a role; None for what IAM gave nobody."""
        if access_key not in self._callers:
            found = self._find(access_key)
            if found is None:
                return None
            self._callers[access_key] = found
        return self._callers[access_key]

    @staticmethod
    def _find(access_key: str) -> Caller | None:
        for user in list(iam_backends[ACCOUNT]["aws"].users.values()):
            if any(key.access_key_id == access_key for key in user.access_keys):
                return Caller(str(user.name), Principal((user.arn,), ACCOUNT), user.arn)
        for taken in list(sts_backends[ACCOUNT]["aws"].assumed_roles):
            if taken.access_key_id == access_key:
                return session(taken.role_arn, taken.session_name)
        return None

    # --- may they ---------------------------------------------------------------------------------

    def refuse(self, caller: Caller, asks: Sequence[Ask]) -> str:
        """Why a call that asks for all this is refused, in AWS's words; empty when it is allowed."""
        if caller.role and asks and _holder(caller.role) is None:
            # Lambda and Step Functions go on with the credentials of a role that was deleted, and are refused. That says
            # nothing of what the role allowed, so it is not written down against it.
            return _sentence(caller.principal, asks[0], Decision(False, "because its role was deleted"))
        grants = self._grants(caller) if caller.role else None
        for ask in asks:
            # The key after the resource: whoever may not have the one is not asked about the other.
            for each in chain((ask,), _uses_of_key(ask)):
                if said := self._one(caller, each, grants):
                    return said
        return ""

    def refuse_service(self, service: str, ask: Ask, source: str = "", *, as_owner: bool = False) -> str:
        """Why a service of AWS that acts by itself (for a rule, a topic) is refused; empty when it is allowed.

        `as_owner`: it says whose it is as well, which is what the policy that SNS gives every topic asks for.
        """
        about = [("aws:SourceAccount", (ACCOUNT,)), *([("aws:SourceArn", (source,))] if source else [])]
        if as_owner:
            about.append(("aws:SourceOwner", (ACCOUNT,)))
        caller = Caller(service, Principal(account=ACCOUNT if as_owner else "", service=service), "")
        ask = msgspec.structs.replace(ask, context=(*ask.context, *about))
        for each in chain((ask,), _uses_of_key(ask, via=False, more=tuple(about))):
            if said := self._one(caller, each, None):
                return said
        return ""

    def refuse_federated(self, role: str, claims: Mapping[str, str]) -> str:
        """Why a token of GitHub's with these claims (`aud`, `sub`) does not take a role; empty when it does.

        The lab has one provider: whoever's tokens it knows are its own GitHub's.
        """
        host = "token.actions.githubusercontent.com"
        provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"
        said = tuple((f"{host}:{name}", (claims[name],)) for name in ("aud", "sub") if claims.get(name))
        caller = Caller(host, Principal((provider,)), "")
        return self._one(caller, Ask("sts:AssumeRoleWithWebIdentity", role, said), None)

    def _one(self, caller: Caller, ask: Ask, grants: Grants | None) -> str:
        who, values = caller.principal, _values(caller.principal, ask)
        try:
            decision = decide(
                who, ask.action, ask.resource, values, grants=grants, on_resource=policy_of(ask.resource)
            )
        except Unknown as error:
            decision = Decision(False, f"because the lab cannot tell: {error}")
        said = "" if decision.allowed else _sentence(who, ask, decision)
        self.watch(caller, ask, said)
        if said:
            LOG.warning("IAM: %s", said)
            at = datetime.now(UTC).timestamp()
            self.refusals.append(Refusal(at, caller.name, caller.role, ask.action, ask.resource, said))
        return said

    @staticmethod
    def _grants(caller: Caller) -> Grants:
        """The policies of a user (their groups' too) or a role, and the boundary around them."""
        backend = iam_backends[ACCOUNT]["aws"]
        holder = _holder(caller.role)
        if holder is None:
            return Grants(policy())
        holders = [holder]
        if ":user/" in caller.role:
            holders += [g for g in backend.groups.values() if holder in g.users]
        documents = [text for each in holders for text in _documents(each)]
        bound = getattr(holder, "permissions_boundary_arn", None)
        boundary = policy(*_managed(backend.managed_policies[bound])) if bound else None
        return Grants(policy(*documents), boundary)


def session(role: str, name: str) -> Caller:
    """Whoever took a role, under the name of the session."""
    taken = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rsplit('/', 1)[-1]}/{name}"
    return Caller(name, Principal((taken, role), ACCOUNT), role)


def keys_of(role: str, name: str, region: str) -> tuple[str, str, str]:
    """Credentials of a session of a role: access key, secret, session token."""
    taken = sts_backends[ACCOUNT]["aws"].assume_role(
        region_name=region,
        role_session_name=name,
        role_arn=role,
        policy=None,  # type: ignore[arg-type]
        duration=43200,
        external_id=None,  # type: ignore[arg-type]
    )
    return taken.access_key_id, taken.secret_access_key, taken.session_token


def _holder(arn: str) -> Any:
    backend = iam_backends[ACCOUNT]["aws"]
    name = arn.rsplit("/", 1)[-1]
    if ":user/" in arn:
        return backend.users.get(name)
    return next((r for r in list(backend.roles.values()) if r.arn == arn), None)


def _documents(holder: Any) -> Iterator[str]:
    yield from (
        text if isinstance(text, str) else msgspec.json.encode(text).decode()
        for text in holder.policies.values()
    )
    for managed in holder.managed_policies.values():
        yield from _managed(managed)


def _managed(found: Any) -> Iterator[str]:
    for version in found.versions:
        if version.version_id == found.default_version_id:
            text = version.document
            yield text if isinstance(text, str) else msgspec.json.encode(text).decode()


def _uses_of_key(
    ask: Ask, *, via: bool = True, more: tuple[tuple[str, tuple[str, ...]], ...] = ()
) -> Iterator[Ask]:
    """What the service asks KMS for in the caller's name, where a customer's key encrypts the resource."""
    needed = USES_OF_KEYS.get(ask.action, ())
    if not needed or not (key := key_of(ask.resource)):
        return
    service = ask.action.partition(":")[0]
    context = [("kms:GrantIsForAWSResource", ("true",)), *more]
    if via:
        context.append(("kms:ViaService", (f"{service}.{ask.region}.amazonaws.com",)))
    for action in needed:
        yield Ask(action, key, tuple(sorted(context)))


def _values(who: Principal, ask: Ask) -> Callable[[str], Sequence[str] | None]:
    said = {_lower(key): values for key, values in ask.context}
    # The lab speaks plain HTTP on loopback, and takes it for what a client of AWS sends.
    said["aws:securetransport"] = ("true",)
    if who.arns:
        said["aws:principalarn"] = (who.arns[-1],)
        for key in ("aws:principalaccount", "kms:calleraccount", "aws:sourceowner"):
            said.setdefault(key, (ACCOUNT,))
        if ":user/" in who.arns[0]:
            said["aws:username"] = (who.arns[0].rsplit("/", 1)[-1],)
    if ask.region:
        said["aws:requestedregion"] = (ask.region,)

    def values(key: str) -> Sequence[str] | None:
        if key.startswith("aws:resourcetag/"):
            tag = tags_of(ask.resource).get(key.partition("/")[2])
            return None if tag is None else (tag,)
        return said.get(key)

    return values


def _lower(key: str) -> str:
    """A key as conditions ask for it: the names of tags keep their case."""
    family, mark, rest = key.partition("/")
    return f"{family.lower()}{mark}{rest}" if mark and "tag" in family.lower() else key.lower()


def _sentence(who: Principal, ask: Ask, decision: Decision) -> str:
    on = f" on resource: {ask.resource}" if ask.resource != "*" else ""
    return f"User: {who.arn} is not authorized to perform: {ask.action}{on} {decision.reason}"
