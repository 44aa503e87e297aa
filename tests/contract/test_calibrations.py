"""What is known of burstiness, kept in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from candlefish.adapters.table.calibrations import DynamoCalibrations
from candlefish.analysis.calibration import Calibration
from tests.support.table import make_table

TABLE = "candlefish-production"
KNOWN = {"errors": Calibration([0.0, -1.5, -6.9, -6.9], [-1.0, 0.0, -2.0, -3.0], 90, 1_790_000_000.0)}


@pytest.fixture
def table() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client(
            "dynamodb",
            region_name="us-west-2",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        make_table(client, TABLE)
        yield client


def test_what_is_kept_comes_back_by_service_and_source(table: Any) -> None:
    store = DynamoCalibrations(table, TABLE, "production")
    assert store.get("backend-api", "cloudwatch") == {}
    store.put("backend-api", "cloudwatch", KNOWN)
    assert store.get("backend-api", "cloudwatch") == KNOWN
    assert store.get("backend-api", "prometheus") == {} and store.get("website", "cloudwatch") == {}
    assert DynamoCalibrations(table, TABLE, "staging").get("backend-api", "cloudwatch") == {}


def test_what_another_version_wrote_is_learnt_again(table: Any) -> None:
    item = {
        "pk": {"S": "calibration#production"},
        "sk": {"S": "website#cloudwatch"},
        "body": {"S": '{"errors": 1}'},
    }
    table.put_item(TableName=TABLE, Item=item)
    assert DynamoCalibrations(table, TABLE, "production").get("website", "cloudwatch") == {}
