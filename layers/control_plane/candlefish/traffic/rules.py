"""Listener rules as ELBv2 describes them: what they ask for and where they forward to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SMOKE_HEADER = "x-candlefish-smoke"


def smoke_token_of(rule: Mapping[str, Any]) -> str:
    """The value of the smoke header that a rule asks for; empty for any other rule."""
    for condition in rule.get("Conditions", ()):
        config = condition.get("HttpHeaderConfig", {})
        if config.get("HttpHeaderName", "").lower() == SMOKE_HEADER:
            return str(config["Values"][0])
    return ""


def weights_of(rule: Mapping[str, Any]) -> dict[str, int]:
    """The weights of a rule by target group ARN; none for one that does not forward."""
    for action in rule.get("Actions", ()):
        if action["Type"] == "forward":
            groups = action.get("ForwardConfig", {}).get("TargetGroups") or [
                {"TargetGroupArn": action["TargetGroupArn"], "Weight": 100}
            ]
            return {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}
    return {}
