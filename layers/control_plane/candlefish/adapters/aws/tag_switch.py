"""The kill switch that is a tag, for whoever is at the AWS console and has no command line."""

from __future__ import annotations

from typing import Any

from candlefish.adapters.aws.api import aws_call

TAG = "candlefish:automation"
# What the tag may say for automation to act; a missing tag is on as well.
ON = frozenset({"", "on", "enabled", "true"})


class TagSwitch:
    """`signals.ports.Switchboard`: the tag `candlefish:automation` on the `respond` state machine."""

    def __init__(self, client: Any, machine: str) -> None:
        self._client = client
        self._machine = machine

    def off(self) -> str:
        with aws_call(f"reading the tags of {self._machine}"):
            tags = self._client.list_tags_for_resource(resourceArn=self._machine)["tags"]
        said = next((str(tag["value"]) for tag in tags if tag["key"] == TAG), "")
        return switched_off(said, self._machine.rpartition(":")[2])


def switched_off(said: str, machine: str) -> str:
    """Why automation is off when the tag says so; empty when it is on."""
    if said.strip().lower() in ON:
        return ""
    return f"automation was switched off by the tag {TAG}={said} on {machine}"
