"""Listener rules as ELBv2 describes them: what they ask for and where they forward to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from candlefish.errors import Misconfigured
from candlefish.traffic.ports import RuleTags, TaggedRule

SMOKE_HEADER = "x-candlefish-smoke"


def smoke_token_of(rule: Mapping[str, Any]) -> str:
    """The value of the smoke header that a rule asks for; empty for any other rule."""
    for condition in rule.get("Conditions", ()):
        config = condition.get("HttpHeaderConfig", {})
        if config.get("HttpHeaderName", "").lower() == SMOKE_HEADER:
            return str(config["Values"][0])
    return ""


def tagged_rules(
    found: Iterable[Mapping[str, Any]], tags: Mapping[str, RuleTags], environment: str
) -> list[TaggedRule]:
    """Those of some rules that are an environment's own by their tags."""
    return [
        TaggedRule(
            rule=arn,
            service=said.service,
            weights=weights_of(rule),
            mark=said.mark,
            smoke_token=smoke_token_of(rule),
        )
        for rule in found
        if (said := tags.get(arn := rule["RuleArn"], RuleTags())).service and said.environment == environment
    ]


def weights_of(rule: Mapping[str, Any]) -> dict[str, int]:
    """The weights of a rule by target group ARN; none for one that does not forward."""
    for action in rule.get("Actions", ()):
        if action["Type"] == "forward":
            groups = action.get("ForwardConfig", {}).get("TargetGroups") or [
                {"TargetGroupArn": action["TargetGroupArn"], "Weight": 100}
            ]
            return {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}
    return {}


# What may stand before the forward of a rule and is somebody else's: it is written back as it is. By type, where its
# own words are.
LOGINS = {
    "authenticate-oidc": "AuthenticateOidcConfig",
    "authenticate-cognito": "AuthenticateCognitoConfig",
    "jwt-validation": "JwtValidationConfig",
}


def forward(weights: Mapping[str, int]) -> dict[str, Any]:
    """A forward action with the whole weight vector.

    Stickiness is switched off explicitly: it precedes weights, so a sticky client would stay on a
    version that was rolled back.
    """
    return {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [
                {"TargetGroupArn": arn, "Weight": weight} for arn, weight in sorted(weights.items())
            ],
            "TargetGroupStickinessConfig": {"Enabled": False},
        },
    }


def with_weights(rule: Mapping[str, Any], weights: Mapping[str, int]) -> list[dict[str, Any]]:
    """All actions of a rule as ModifyRule takes them, with other weights: the forward alone is ours.

    Conditions and transforms are not named in the call, and keep what they are.

    Raises
    ------
    Misconfigured
        The rule does something that would be lost: nothing may be written.
    """
    actions = sorted(rule.get("Actions", ()), key=lambda action: int(action.get("Order", 0)))
    before, last = actions[:-1], actions[-1] if actions else {"Type": "nothing"}
    unknown = [each["Type"] for each in before if not _is_login(each)]
    if unknown or last["Type"] != "forward":
        does = ", ".join(unknown) if unknown else last["Type"]
        raise Misconfigured(
            f"listener rule {rule.get('RuleArn', '')} does something that is not ours ({does}), and writing its weights "
            "would take that away; nothing was written: let it end in a forward to the service's target groups, with "
            f"nothing before it but {', '.join(LOGINS)}"
        )
    if not before:
        return [forward(weights)]
    kept = [_as_it_is(each, place) for place, each in enumerate(before, 1)]
    return [*kept, {**forward(weights), "Order": len(kept) + 1}]


def logins_of(rule: Mapping[str, Any]) -> tuple[str, ...]:
    """What stands before the forward of a rule, in words that change when it does."""
    actions = sorted(rule.get("Actions", ()), key=lambda action: int(action.get("Order", 0)))
    return tuple(_words(each) for each in actions[:-1])


def known_logins(said: Iterable[str]) -> tuple[str, ...]:
    """The logins among what a record remembers of others."""
    return tuple(each for each in said if each.split(" ")[0] in LOGINS)


def _is_login(action: Mapping[str, Any]) -> bool:
    """Whether an action is understood as a whole: what is newer than botocore's model comes without its words."""
    return bool(action.get(LOGINS.get(action["Type"], "")))


def _as_it_is(action: Mapping[str, Any], order: int) -> dict[str, Any]:
    """A login as ModifyRule takes it back: ELBv2 never shows a client's secret, and keeps the one that it has."""
    name = LOGINS[action["Type"]]
    config = dict(action[name])
    if action["Type"] == "authenticate-oidc":
        config.pop("ClientSecret", None)
        config["UseExistingClientSecret"] = True
    return {"Type": action["Type"], name: config, "Order": order}


def _words(action: Mapping[str, Any]) -> str:
    config = action.get(LOGINS.get(action["Type"], ""), {})
    where = config.get("Issuer") or config.get("UserPoolArn") or "?"
    client = config.get("ClientId") or config.get("UserPoolClientId") or ""
    lets = config.get("OnUnauthenticatedRequest", "")
    return " ".join(filter(None, (action["Type"], where, client, lets)))
