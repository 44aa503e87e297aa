"""Queues: what is put on them, and when a message of one comes again."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from candlefish.adapters.aws.refusals import aws_call, code_of
from candlefish.errors import Unavailable

# SendMessageBatch takes ten messages; older regions take 256 KiB in one call.
AT_ONCE = 10
BYTES_AT_ONCE = 256 * 1024
# Seconds; whoever asks for more is asked again.
LONGEST_DELAY = 900
# What SQS says of a receipt whose message another receive has now, or that was deleted.
NOT_OURS = frozenset({"MessageNotInflight", "ReceiptHandleIsInvalid"})


class SqsQueue:
    """`signals.ports.SignalQueue`."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, messages: Iterable[bytes]) -> None:
        batch: list[bytes] = []
        size = 0
        for message in messages:
            if batch and (len(batch) == AT_ONCE or size + len(message) > BYTES_AT_ONCE):
                self._send(batch)
                batch, size = [], 0
            batch.append(message)
            size += len(message)
        if batch:
            self._send(batch)

    def put_off(self, receipt: str, seconds: float) -> None:
        """Let a message that was received come again after so many seconds, whatever the queue has as its own.

        One that is out of this receipt's hands came again already, or was dealt with: nothing is to be put off.
        """
        with aws_call("putting off a message"):
            try:
                self._client.change_message_visibility(
                    QueueUrl=self._url,
                    ReceiptHandle=receipt,
                    VisibilityTimeout=min(LONGEST_DELAY, max(1, math.ceil(seconds))),
                )
            except ClientError as error:
                if code_of(error) not in NOT_OURS:
                    raise

    def _send(self, batch: list[bytes]) -> None:
        entries = [{"Id": str(i), "MessageBody": body.decode()} for i, body in enumerate(batch)]
        with aws_call("queueing signals"):
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        failed = answer.get("Failed") or ()
        if failed:
            raise Unavailable(
                f"queueing signals: {len(failed)} messages were not taken ({failed[0].get('Code')})"
            )
