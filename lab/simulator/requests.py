"""Which requests to AWS a call of a port is, for the account's quotas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from candlefish.traffic.ports import TAGS_AT_ONCE
from lab.quotas import CLOUDWATCH, LOAD_BALANCING, STATES

# A service of AWS, as IAM calls it, and one of its actions.
Action = tuple[str, str]
# What a call sends, by its arguments.
Sends = Callable[[tuple[Any, ...]], Sequence[Action]]


def _always(service: str, *actions: str) -> Sends:
    made = [(service, action) for action in actions]
    return lambda args: made


def _tags(args: tuple[Any, ...]) -> Sequence[Action]:
    return [(LOAD_BALANCING, "DescribeTags")] * -(-len(args[0]) // TAGS_AT_ONCE)


def _balancing(*actions: str) -> Sends:
    return _always(LOAD_BALANCING, *actions)


CALLS: Mapping[tuple[str, str], Sends] = {
    ("rules", "read"): _balancing("DescribeRules"),
    ("rules", "listed"): _balancing("DescribeRules"),
    ("rules", "tags"): _tags,
    ("rules", "health"): _balancing("DescribeTargetHealth"),
    # What stands in the rule is looked at first; `look_ahead` asks for it sooner, not more often.
    ("rules", "write"): _balancing("DescribeRules", "ModifyRule"),
    ("rules", "stamp"): _balancing("DescribeTags", "AddTags"),
    ("rules", "ensure_target_group"): _balancing(
        "DescribeTargetGroups", "CreateTargetGroup", "ModifyTargetGroupAttributes"
    ),
    ("rules", "create_rule"): _balancing("CreateRule"),
    ("windows", "windows"): _always(CLOUDWATCH, "GetMetricData"),
    ("custom_windows", "windows"): _always(CLOUDWATCH, "GetMetricData"),
    ("alarms", "existing"): _always(CLOUDWATCH, "DescribeAlarms"),
    ("alarms", "put"): _always(CLOUDWATCH, "PutMetricAlarm"),
    ("alarms", "delete"): _always(CLOUDWATCH, "DeleteAlarms"),
    ("executions", "start"): _always(STATES, "StartExecution"),
    ("executions", "status"): _always(STATES, "DescribeExecution"),
    ("executions", "find"): _always(STATES, "DescribeExecution"),
    ("executions", "succeed"): _always(STATES, "SendTaskSuccess"),
    ("executions", "fail"): _always(STATES, "SendTaskFailure"),
    ("switchboard", "off"): _always(STATES, "ListTagsForResource"),
}


def calls_of(port: str, method: str, args: tuple[Any, ...]) -> Sequence[Action]:
    """The requests that a call of a port sends to what has a quota; none for all else."""
    sends = CALLS.get((port, method))
    return sends(args) if sends else ()
