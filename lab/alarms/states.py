"""The state of an alarm: of a metric's last periods, of other alarms' states.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Literal

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def state_of(
    values: list[float | None],
    comparison: str,
    threshold: float,
    to_alarm: int,
    missing: str | None,
    current: State,
) -> State:
    """The state of an alarm over its last periods, oldest first; None is a period without data."""
    breaching = 0
    present = 0
    for value in values:
        if value is None:
            if missing == "breaching":
                breaching += 1
            if missing in ("breaching", "notBreaching"):
                present += 1
            continue
        present += 1
        breaching += _COMPARISONS[comparison](value, threshold)
    if present == 0:
        return current if missing == "ignore" else "INSUFFICIENT_DATA"
    if breaching >= to_alarm:
        return "ALARM"
    if missing == "ignore" and None in values and breaching:
        return current
    return "OK"


_TERM = re.compile(r'(ALARM|OK|INSUFFICIENT_DATA)\(\s*"?([^")]+)"?\s*\)|TRUE|FALSE')


def composite(rule: str, states: dict[str, str]) -> bool:
    """Whether the rule of a composite alarm holds, given the states of other alarms by name."""

    def term(match: re.Match[str]) -> str:
        if match.group(1) is None:
            return str(match.group(0) == "TRUE")
        name = match.group(2).split(":alarm:")[-1]
        return str(states.get(name, "INSUFFICIENT_DATA") == match.group(1))

    words = _TERM.sub(term, rule)
    words = re.sub(r"\b(AND|OR|NOT)\b", lambda match: match.group(1).lower(), words)
    if re.fullmatch(r"(?:True|False|and|or|not|[\s()])*", words) is None:
        raise ValueError(f"cannot read the rule of a composite alarm: {rule}")
    # Nothing but the words matched above is left in it.
    return bool(eval(words, {"__builtins__": {}}))
