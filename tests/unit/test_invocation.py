"""How long what is written may take, and that adapters keep to it."""

from __future__ import annotations

import math

import pytest

from candlefish.adapters.aws.elbv2 import LoadBalancer
from candlefish.errors import Unavailable
from candlefish.invocation import begin, seconds_left, seconds_to_write, written_within


class Client:
    """Notes the rules that were written."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def describe_rules(self, RuleArns: list[str]) -> object:  # noqa: N803 - as botocore has it
        return {
            "Rules": [{"RuleArn": RuleArns[0], "Actions": [{"Type": "forward", "TargetGroupArn": "group"}]}]
        }

    def modify_rule(self, RuleArn: str, Actions: object) -> None:  # noqa: N803 - as botocore has it
        self.written.append(RuleArn)


def test_only_what_is_written_inside_is_bounded() -> None:
    begin(None)
    assert math.isinf(seconds_to_write())
    with written_within(20):
        assert seconds_to_write() <= 20
        with written_within(60):
            assert seconds_to_write() <= 20, "the inner one gives no more"
        assert math.isinf(seconds_left()), "reading is not bounded"
    assert math.isinf(seconds_to_write())


def test_a_new_invocation_is_not_bounded_by_what_the_last_one_was() -> None:
    with written_within(20):
        begin(None)
        assert math.isinf(seconds_to_write())


def test_weights_are_not_written_once_their_time_is_over() -> None:
    client = Client()
    begin(None)
    with written_within(0), pytest.raises(Unavailable, match="nothing was written"):
        LoadBalancer(client).write("rule", {"group": 100})
    assert client.written == []
    with written_within(600):
        LoadBalancer(client).write("rule", {"group": 100})
    assert client.written == ["rule"]
