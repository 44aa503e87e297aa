"""Alertmanager's webhook from end to end: HTTP, a function URL, the real function, a secret and a queue."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.lab_account import Account

pytestmark = pytest.mark.loopback

ROOT = Path(__file__).parents[3]
# The function as it is, beside the layer's package.
FUNCTION = f"""
import runpy, sys
sys.path.insert(0, "{ROOT}/layers/control_plane")
handler = runpy.run_path("{ROOT}/functions/receive_alerts/app.py")["lambda_handler"]
"""
ALERT = {
    "status": "firing",
    "labels": {"alertname": "HighErrorRate", "severity": "critical"},
    "annotations": {},
    "startsAt": "2026-11-24T10:00:00Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "fingerprint": "f1",
}


def post(url: str, token: str) -> int:
    """The status of the answer to one notification."""
    body = {"version": "4", "status": "firing", "groupKey": "g", "receiver": "candlefish", "alerts": [ALERT]}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_an_alert_with_the_right_token_is_queued_and_no_other(account: Account) -> None:
    queue, _ = account.queue()
    secret = account.client("secretsmanager").create_secret(
        Name="webhook-tokens", SecretString='{"tokens": [{"token": "right"}]}'
    )
    variables = {"SIGNALS_QUEUE_URL": queue, "TOKENS_SECRET": secret["ARN"], "ENVIRONMENT": "production"}
    function = account.function(FUNCTION, Environment={"Variables": variables})
    urls = account.client("lambda").create_function_url_config(FunctionName=function, AuthType="NONE")
    account.open_to_all(function)
    assert post(urls["FunctionUrl"], "wrong") == 401
    assert post(urls["FunctionUrl"], "right") == 202
    (queued,) = account.received(queue)
    assert queued["alerts"][0]["fingerprint"] == "f1"
