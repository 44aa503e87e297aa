"""The switch of automation, as a tag: for the command line, and for whoever is at the AWS console and has none."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from candlefish.adapters.aws.refusals import aws_call
from candlefish.automation import TAG, switched_off
from candlefish.errors import Throttled

# Seconds for which the last answer stands in when AWS wants fewer requests: in a storm of alerts every message asks,
# and Step Functions answers about tags once a second.
STANDS_IN = 60.0


class TagSwitch:
    """`ports.Switchboard`: the tag `candlefish:automation` on the `respond` state machine."""

    def __init__(self, client: Any, machine: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._machine = machine
        self._clock = clock
        self._said, self._at = "", float("-inf")

    def off(self) -> str:
        try:
            with aws_call(f"reading the tags of {self._machine}"):
                tags = self._client.list_tags_for_resource(resourceArn=self._machine)["tags"]
        except Throttled:
            if self._clock() - self._at > STANDS_IN:
                raise
        else:
            said = next((str(tag["value"]) for tag in tags if tag["key"] == TAG), "")
            self._said, self._at = said, self._clock()
        return switched_off(self._said)

    def turn(self, said: str) -> None:
        """Let the tag say this from now on: `on`, or what `automation.off_tag` makes of a reason."""
        with aws_call(f"tagging {self._machine}"):
            self._client.tag_resource(resourceArn=self._machine, tags=[{"key": TAG, "value": said}])
