"""What may be used only once, in the control plane's table."""

from __future__ import annotations

import hashlib
from typing import Any

from botocore.exceptions import ClientError

from candlefish.adapters.aws import aws_call, code_of


class DynamoNonces:
    """`release.button.Nonces`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def first(self, nonce: str, until: float) -> bool:
        key = hashlib.sha256(nonce.encode()).hexdigest()
        with aws_call("remembering a request"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        "pk": {"S": f"nonce#{key}"},
                        "sk": {"S": "nonce"},
                        "expires": {"N": str(round(until))},
                    },
                    ConditionExpression="attribute_not_exists(pk)",
                )
            except ClientError as error:
                if code_of(error) == "ConditionalCheckFailedException":
                    return False
                raise
        return True
