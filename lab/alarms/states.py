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


# An alarm looks at so many periods more than it judges, for what is late.
LOOK_BACK = 2


def state_of(
    values: list[float | None],
    comparison: str,
    threshold: float,
    to_alarm: int,
    missing: str | None,
    current: State,
    periods: int = 0,
) -> State:
    """The state of an alarm over its evaluation range, oldest first; None is a period without data.

    Of the range the newest `periods` points that are there are judged (0: as many as the range has). Only when there
    are fewer, `missing` says what those that lack count as.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    periods = periods or len(values)
    real = [_COMPARISONS[comparison](value, threshold) for value in values if value is not None][-periods:]
    lacking = periods - len(real)
    breaching = sum(real) + (lacking if missing == "breaching" else 0)
    if breaching >= to_alarm:
        return "ALARM"
    if not lacking or missing in ("breaching", "notBreaching"):
        return "OK"
    if not real:
        return current if missing == "ignore" else "INSUFFICIENT_DATA"
    if not all(real):
        return "OK"
    if missing == "ignore":
        return current
    # Nothing but breaches, too few: the first of them must be old enough for all of those that were to come.
    oldest = next(at for at, value in enumerate(values) if value is not None)
    return "ALARM" if len(values) - oldest >= to_alarm else current


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
