"""Listener rules as ELBv2 keeps, shows and refuses them, and what it refuses of target groups.

moto takes any list of actions, shows a client's secret, and knows neither transforms, `jwt-validation` nor regular
expressions in conditions. https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyRule.html
"""

from __future__ import annotations

from typing import Any

from moto.elbv2 import models
from moto.elbv2.exceptions import ActionTargetGroupNotFoundError, InvalidActionTypeError, ValidationError
from moto.elbv2.responses import ELBV2Response

from lab.moto import replace, wrap

LOGINS = {
    "authenticate-oidc": "AuthenticateOidcConfig",
    "authenticate-cognito": "AuthenticateCognitoConfig",
    "jwt-validation": "JwtValidationConfig",
}
# One of these ends a rule.
LAST = ("forward", "redirect", "fixed-response")
SECRET = "ClientSecret"
KEEP = "UseExistingClientSecret"
# Conditions may be regular expressions: of these moto demands values.
REGEX = {
    "_validate_host_header_condition": "HostHeaderConfig",
    "_validate_path_pattern_condition": "PathPatternConfig",
}


def install() -> None:
    """Put this in the place of moto's own answers."""
    fixed_response = models.ELBv2Backend._validate_fixed_response_action

    def validate(backend: Any, actions: list[Any]) -> None:
        if not actions:
            return
        _check_order(actions)
        for number, action in enumerate(actions, 1):
            if action.type == "forward":
                for arn in backend._get_target_group_arns_from(action_data=action.data):
                    if arn not in backend.target_groups:
                        raise ActionTargetGroupNotFoundError(arn)
            elif action.type == "fixed-response":
                fixed_response(backend, action, number - 1, number)
            elif action.type in LOGINS:
                if LOGINS[action.type] not in action.data:
                    raise ValidationError(
                        f"'{LOGINS[action.type]}' must be specified for {action.type} actions"
                    )
            elif action.type != "redirect":
                raise InvalidActionTypeError(action.type, number)

    def created(create: Any) -> Any:
        def make(response: Any) -> Any:
            params = response._get_params()
            _refuse_kept(params.get("Actions", []))
            answer = create(response)
            return _finish(answer, params, {})

        return make

    def modified(modify: Any) -> Any:
        def change(response: Any) -> Any:
            params = response._get_params()
            rules = response.elbv2_backend.describe_rules(listener_arn=None, rule_arns=[params["RuleArn"]])
            known = getattr(rules[0], "client_secrets", {}) if rules else {}
            for action in params.get("Actions", []):
                _refuse_without_secret(action, known)
            if params.get("Transforms") and params.get("ResetTransforms"):
                raise ValidationError("You can't specify both Transforms and ResetTransforms")
            return _finish(modify(response), params, known)

        return change

    def unless_regex(config: str) -> Any:
        def make(check: Any) -> Any:
            def unless(backend: Any, condition: dict[str, Any]) -> None:
                if not condition.get(config, {}).get("RegexValues"):
                    check(backend, condition)

            return unless

        return make

    def checked(create: Any) -> Any:
        def make(response: Any) -> Any:
            _check_times(response._get_params())
            return create(response)

        return make

    replace(models.ELBv2Backend, "_validate_actions", validate)
    wrap(ELBV2Response, "create_target_group", checked)
    wrap(ELBV2Response, "create_rule", created)
    wrap(ELBV2Response, "modify_rule", modified)
    for name, config in REGEX.items():
        wrap(models.ELBv2Backend, name, unless_regex(config))


def _check_times(asked: dict[str, Any]) -> None:
    """Health checks as often, and answers as soon, as ELBv2 has them."""
    interval = int(asked.get("HealthCheckIntervalSeconds", 30))
    patience = int(asked.get("HealthCheckTimeoutSeconds", 5))
    if not 5 <= interval <= 300:
        raise ValidationError(f"Health check interval '{interval}' must be in the range 5-300 seconds")
    if not 2 <= patience <= 120:
        raise ValidationError(f"Health check timeout '{patience}' must be in the range 2-120 seconds")
    if patience >= interval:
        raise ValidationError("Health check timeout must be smaller than the health check interval")


def _check_order(actions: list[Any]) -> None:
    """One action that ends the rule, and it is performed last."""
    if len(actions) > 1:
        orders = [action.data.get("Order") for action in actions]
        if None in orders or len(set(orders)) != len(orders):
            raise ValidationError("You must specify a unique 'Order' for each action when there are several")
    ends = sorted(actions, key=lambda action: int(action.data.get("Order") or 0))
    if [action.type in LAST for action in ends] != [False] * (len(ends) - 1) + [True]:
        raise ValidationError(
            f"A rule must have exactly one of {', '.join(LAST)}, and it must be the last action to be performed"
        )


def _refuse_kept(actions: list[dict[str, Any]]) -> None:
    for action in actions:
        _refuse_without_secret(action, {})


def _refuse_without_secret(action: dict[str, Any], known: dict[str, str]) -> None:
    config = action.get("AuthenticateOidcConfig")
    if config is None:
        return
    keeps = str(config.get(KEEP, "")).lower() == "true"
    if keeps and SECRET in config:
        raise ValidationError(f"You can't specify both '{SECRET}' and '{KEEP}'")
    if not keeps and SECRET not in config:
        raise ValidationError(f"'{SECRET}' must be specified")
    if keeps and config.get("Issuer") not in known:
        raise ValidationError("There is no existing client secret for this issuer")


def _finish(answer: Any, params: dict[str, Any], known: dict[str, str]) -> Any:
    """What a rule keeps to itself, and what moto does not keep."""
    rule = answer.result["Rules"][0]
    if params.get("Actions"):
        rule.client_secrets = {}
        for action in rule.actions:
            config = action.data.get("AuthenticateOidcConfig")
            if config is not None:
                issuer = config.get("Issuer")
                rule.client_secrets[issuer] = config.pop(SECRET, None) or known.get(issuer, "")
                config.pop(KEEP, None)
    if params.get("Transforms"):
        rule.transforms = params["Transforms"]
    elif str(params.get("ResetTransforms", "")).lower() == "true":
        rule.transforms = []
    return answer
