"""Rules that others made and that take a host's requests before the service's own rule can. Pure.

ELBv2 tries rules by priority, the lowest number first, and takes the first whose conditions all match.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from candlefish.catalog.checks.patterns import why_slow
from candlefish.traffic.rules import logins_of, smoke_token_of

# What every path matches, as a wildcard and as a regular expression, and every address.
EVERY_PATH = frozenset({"*", "/*"})
EVERY_PATH_REGEX = frozenset({".*", "^/.*$", "^.*$", "/.*"})
EVERY_ADDRESS = frozenset({"0.0.0.0/0", "::/0"})
CONFIGS = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
    "query-string": "QueryStringConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "source-ip": "SourceIpConfig",
}


class Shadow(msgspec.Struct, frozen=True):
    """A rule in front of ours, and what it takes: `narrowed` says by what, empty when it takes every request."""

    rule: str
    priority: int
    narrowed: str = ""

    @property
    def words(self) -> str:
        """What it does, as a sentence says it."""
        what = f"part of the traffic (by {self.narrowed})" if self.narrowed else "the whole traffic"
        return f"rule {self.rule} (priority {self.priority}) takes {what}"


def shadowing(rules: Iterable[Mapping[str, Any]], ours: Mapping[str, Any]) -> list[Shadow]:
    """What takes requests that our rule is there for, by priority; `ours` is among the rules or like one of them.

    Both are as DescribeRules gives them. Smoke rules are in front on purpose. A rule for a host that ours is not for
    takes nothing; a rule with a condition that is not understood may take something.
    """
    host, before = _host(ours), int(ours["Priority"])
    found = [
        Shadow(str(rule["RuleArn"]), int(rule["Priority"]), ", ".join(narrowed))
        for rule in rules
        if rule["Priority"] != "default"
        and int(rule["Priority"]) < before
        and not smoke_token_of(rule)
        and (narrowed := _takes(rule, host)) is not None
    ]
    return sorted(found, key=lambda each: each.priority)


def beside(ours: Mapping[str, Any], shadows: Iterable[Shadow]) -> tuple[str, ...]:
    """What others have on a listener for our rule's host: the logins of our rule, and the rules in front of it."""
    return (*logins_of(ours), *(shadow.words for shadow in shadows))


def taken_whole(shadows: Iterable[Shadow]) -> str:
    """That a rule in front of ours takes all of its traffic, and what to do; empty when none does."""
    for shadow in shadows:
        if not shadow.narrowed:
            return (
                f"{shadow.words} before the service's own: no user reaches it, whatever is shifted. Give that "
                "rule a priority behind the service's own, or take it away"
            )
    return ""


def _host(rule: Mapping[str, Any]) -> str:
    for condition in rule.get("Conditions", ()):
        if condition.get("Field") == "host-header":
            return str(next(iter(_values(condition)), "")).lower()
    return ""


def _takes(rule: Mapping[str, Any], host: str) -> list[str] | None:
    """By what a rule takes only some of a host's requests; None when it takes none of them."""
    narrowed: list[str] = []
    for condition in rule.get("Conditions", ()):
        field = str(condition.get("Field", "a condition without a name"))
        if field == "host-header":
            if not _is_for(condition, host):
                return None
        elif not _is_every(field, condition):
            narrowed.append(" ".join([field, *_shown(condition)]))
    return narrowed


def _is_for(condition: Mapping[str, Any], host: str) -> bool:
    # `fnmatchcase` keeps thousands of patterns compiled, `re` forgets most hosts of a large listener between two looks.
    return any(fnmatchcase(host, str(each).lower()) for each in _values(condition)) or any(
        _finds(str(each), host) for each in _regexes(condition)
    )


def _finds(pattern: str, host: str) -> bool:
    """Whether a regular expression finds a host; one that Python reads otherwise, or would be slow, may."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return True
    return bool(why_slow(pattern)) or re.search(pattern, host, re.IGNORECASE) is not None


def _is_every(field: str, condition: Mapping[str, Any]) -> bool:
    values = {str(value) for value in _values(condition)}
    if field == "path-pattern":
        return bool(values & EVERY_PATH) or any(each in EVERY_PATH_REGEX for each in _regexes(condition))
    return field == "source-ip" and bool(values & EVERY_ADDRESS)


def _values(condition: Mapping[str, Any]) -> list[Any]:
    return list(_config(condition).get("Values") or condition.get("Values") or ())


def _regexes(condition: Mapping[str, Any]) -> list[Any]:
    return list(_config(condition).get("RegexValues") or condition.get("RegexValues") or ())


def _config(condition: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = condition.get(CONFIGS.get(str(condition.get("Field")), ""), {})
    return found


def _shown(condition: Mapping[str, Any]) -> Iterator[str]:
    if name := _config(condition).get("HttpHeaderName"):
        yield str(name)
    for value in [*_values(condition), *_regexes(condition)][:3]:
        yield f"{value.get('Key', '')}={value.get('Value', '')}" if isinstance(value, dict) else str(value)
