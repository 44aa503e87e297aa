"""The switch of automation, as a tag: for the command line, and for whoever is at the AWS console and has none."""

from __future__ import annotations

from typing import Any

from candlefish.adapters.aws.api import aws_call
from candlefish.automation import TAG, switched_off


class TagSwitch:
    """`ports.Switchboard`: the tag `candlefish:automation` on the `respond` state machine."""

    def __init__(self, client: Any, machine: str) -> None:
        self._client = client
        self._machine = machine

    def off(self) -> str:
        with aws_call(f"reading the tags of {self._machine}"):
            tags = self._client.list_tags_for_resource(resourceArn=self._machine)["tags"]
        return switched_off(next((str(tag["value"]) for tag in tags if tag["key"] == TAG), ""))

    def turn(self, said: str) -> None:
        """Let the tag say this from now on: `on`, or what `automation.off_tag` makes of a reason."""
        with aws_call(f"tagging {self._machine}"):
            self._client.tag_resource(resourceArn=self._machine, tags=[{"key": TAG, "value": said}])
