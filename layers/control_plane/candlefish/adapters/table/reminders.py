"""When people were last told of what only they can put right, in the control plane's table."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from candlefish.adapters.aws.api import aws_call, code_of
from candlefish.adapters.table import keys
from candlefish.adapters.table.items import ABSENT, expiry
from candlefish.ports import TOLD_AGAIN_AFTER

KEEP = 2 * 86400.0


class DynamoReminders:
    """`ports.Reminders`."""

    def __init__(self, client: Any, table: str, environment: str) -> None:
        self._client = client
        self._table = table
        self._environment = environment

    def due(self, about: str, now: float) -> bool:
        item = {
            **keys.REMINDER.key(environment=self._environment, about=about),
            "told": {"N": str(now)},
            "expires": expiry(now, KEEP),
        }
        with aws_call(f"remembering that people were told of {about}"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression=f"{ABSENT} OR told <= :again",
                    ExpressionAttributeValues={":again": {"N": str(now - TOLD_AGAIN_AFTER)}},
                )
            except ClientError as error:
                if code_of(error) == "ConditionalCheckFailedException":
                    return False
                raise
        return True
