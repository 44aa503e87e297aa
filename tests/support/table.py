"""The control plane's one table, in moto."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore.session
from moto import mock_aws

TABLE = "candlefish-production"


def make_table(client: Any, name: str = TABLE) -> Any:
    """Make the table; the client."""
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    return client


@contextmanager
def dynamodb_table(name: str = TABLE) -> Iterator[Any]:
    """A client of a DynamoDB that has the table."""
    with mock_aws():
        yield make_table(botocore.session.Session().create_client("dynamodb", region_name="us-west-2"), name)
