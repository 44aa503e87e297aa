"""Listener rules as ELBv2 describes them: what they ask for and where they forward to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

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
