"""Conditions of a statement: operators over the values that a request has for a key.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

# The values of a key in a request; None: the request has no such key.
Values = Callable[[str], Sequence[str] | None]
Condition = Callable[[Values], bool]

# Keys whose values the lab knows. Another one in a policy is refused loudly: guessing it would flatter.
KEYS = frozenset(
    {
        "aws:currenttime",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:requestedregion",
        "aws:securetransport",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceowner",
        "aws:tagkeys",
        "aws:username",
        "dynamodb:leadingkeys",
        "elasticloadbalancing:createaction",
        "kms:calleraccount",
        "kms:grantisforawsresource",
        "kms:viaservice",
        "lambda:functionurlauthtype",
        "lambda:invokedviafunctionurl",
        "route53:changeresourcerecordsetsactions",
        "route53:changeresourcerecordsetsnormalizedrecordnames",
        "route53:changeresourcerecordsetsrecordtypes",
        "secretsmanager:resource/type",
        "token.actions.githubusercontent.com:aud",
        "token.actions.githubusercontent.com:sub",
    }
)
# Keys that end in a name of somebody's own.
FAMILIES = ("aws:requesttag/", "aws:resourcetag/", "kms:encryptioncontext:")
_SET = re.compile(r"(ForAllValues|ForAnyValue):", re.IGNORECASE)


class Unknown(Exception):
    """A policy says what the lab cannot evaluate: it has to be taught, or nobody knows what AWS would say."""


def _same(value: str, wanted: str) -> bool:
    return value == wanted


def _same_in_any_case(value: str, wanted: str) -> bool:
    return value.lower() == wanted.lower()


def like(value: str, wanted: str) -> bool:
    """Whether a text fits a pattern of `*` and `?`."""
    return _pattern(wanted).fullmatch(value) is not None


@lru_cache(maxsize=8192)
def _pattern(wanted: str) -> re.Pattern[str]:
    parts = re.split(r"([*?])", wanted)
    return re.compile("".join({"*": ".*", "?": "."}.get(p, re.escape(p)) for p in parts), re.DOTALL)


def arn_like(value: str, wanted: str) -> bool:
    """Whether an ARN fits a pattern, part by part: `*` reaches over no colon of the first five."""
    given, patterns = value.split(":", 5), wanted.split(":", 5)
    return len(given) == len(patterns) and all(map(like, given, patterns))


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda value, wanted: compare(float(value), float(wanted))


# Operator -> how one value is compared, and whether it is the opposite that is asked for.
OPERATORS: Mapping[str, tuple[Callable[[str, str], bool], bool]] = {
    "stringequals": (_same, False),
    "stringnotequals": (_same, True),
    "stringequalsignorecase": (_same_in_any_case, False),
    "stringnotequalsignorecase": (_same_in_any_case, True),
    "stringlike": (like, False),
    "stringnotlike": (like, True),
    # AWS treats the two alike.
    "arnequals": (arn_like, False),
    "arnlike": (arn_like, False),
    "arnnotequals": (arn_like, True),
    "arnnotlike": (arn_like, True),
    "bool": (_same_in_any_case, False),
    "numericequals": (_number(lambda a, b: a == b), False),
    "numericlessthan": (_number(lambda a, b: a < b), False),
    "numericlessthanequals": (_number(lambda a, b: a <= b), False),
    "numericgreaterthan": (_number(lambda a, b: a > b), False),
    "numericgreaterthanequals": (_number(lambda a, b: a >= b), False),
}


def compiled(block: Mapping[str, Mapping[str, Any]]) -> list[Condition]:
    """A statement's conditions, all of which must hold.

    Raises
    ------
    Unknown
        An operator, a key or a policy variable that the lab does not evaluate.
    """
    return [
        _condition(operator, key, wanted)
        for operator, pairs in block.items()
        for key, wanted in pairs.items()
    ]


def _condition(operator: str, key: str, wanted: Any) -> Condition:
    key = known(key)
    texts = [_text(each) for each in (wanted if isinstance(wanted, list) else [wanted])]
    if unread := [text for text in texts if "${" in text]:
        raise Unknown(f"the lab evaluates no policy variables: {unread[0]} at {key}")
    if operator.lower() == "null":
        missing = texts[0].lower() == "true"
        return lambda values: (values(key) is None) == missing
    name = operator.lower()
    quantifier = match[1].lower() if (match := _SET.match(operator)) else ""
    name = _SET.sub("", name) if not quantifier else name.split(":", 1)[1]
    lenient = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    if name not in OPERATORS:
        raise Unknown(f"the lab does not evaluate the condition operator {operator}")
    compare, negated = OPERATORS[name]

    def one(value: str) -> bool:
        return any(compare(value, text) for text in texts) != negated

    def holds(values: Values) -> bool:
        found = values(key)
        if quantifier == "forallvalues":
            # Of no values all fit: why such a condition needs another one that asks for the key.
            return all(map(one, found or ()))
        if quantifier == "foranyvalue":
            return any(map(one, found or ()))
        if found is None:
            return negated or lenient
        # A key of several values without a quantifier: one that fits is enough, and for the opposite none may.
        return all(map(one, found)) if negated else any(map(one, found))

    return holds


def known(key: str) -> str:
    """A key as it is asked for: its family in lower case.

    Raises
    ------
    Unknown
        The lab has no value for such a key.
    """
    lower = key.lower()
    for family in FAMILIES:
        if lower.startswith(family):
            return family + key[len(family) :]
    if lower not in KEYS:
        raise Unknown(f"the lab does not know the condition key {key}")
    return lower


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
