"""Messages by SNS: mail, pagers, whatever subscribes to the topic."""

from __future__ import annotations

from typing import Any

from candlefish.adapters.aws.refusals import aws_call
from candlefish.signals.notification import Notification

# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html: under 100 characters, ASCII, one line.
LONGEST_SUBJECT = 99


class SnsChannel:
    """`signals.ports.Channel`."""

    def __init__(self, client: Any, topic: str) -> None:
        self._client = client
        self._topic = topic

    def send(self, message: Notification) -> None:
        printable = "".join(c if " " <= c <= "~" else " " for c in message.title)
        with aws_call("publishing a message"):
            self._client.publish(
                TopicArn=self._topic,
                Subject=" ".join(printable.split())[:LONGEST_SUBJECT] or "Candlefish control plane",
                Message=message.plain(),
                MessageAttributes={"tone": {"DataType": "String", "StringValue": message.tone}},
            )
