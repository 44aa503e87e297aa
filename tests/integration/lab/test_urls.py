"""Function URLs, and who signed."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lab.iam.policies import Ask
from lab.moto.iam import ANYBODY
from tests.support.lab_account import REGION, Account

pytestmark = pytest.mark.loopback

ECHO = """
def handler(event, context):
    if event["rawPath"] == "/boom": raise RuntimeError("no")
    identity = event["requestContext"].get("authorizer", {}).get("iam", {})
    return {"statusCode": 201, "headers": {"X-Test": "yes"}, "body": repr([identity.get("userArn"), event.get("body"),
            event.get("queryStringParameters"), event["requestContext"]["http"]["method"]])}
"""


def url_of(account: Account, auth: str) -> str:
    function = account.function(ECHO)
    made = account.client("lambda").create_function_url_config(FunctionName=function, AuthType=auth)
    if auth == "NONE":
        account.open_to_all(function)
    return str(made["FunctionUrl"])


def person(account: Account, name: str, may: tuple[str, ...] = ("lambda:*",)) -> Credentials:
    iam = account.client("iam")
    iam.create_user(UserName=name)
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": list(may), "Resource": "*"}],
    }
    iam.put_user_policy(UserName=name, PolicyName="may", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def post(url: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, str]:
    request = urllib.request.Request(url, body, headers or {}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def signed(url: str, body: bytes, credentials: Credentials) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "X-Amz-Content-Sha256": hashlib.sha256(body).hexdigest()}
    request = AWSRequest("POST", url, data=body, headers=headers)
    SigV4Auth(credentials, "lambda", REGION).add_auth(request)
    return dict(request.headers.items())


def test_anybody_may_call_without_authorisation(account: Account) -> None:
    status, text = post(url_of(account, "NONE") + "hook?a=1&b=%20x", b'{"x": 1}')
    assert (status, text) == (201, repr([None, '{"x": 1}', {"a": "1", "b": " x"}, "POST"]))


def test_the_signature_says_who_calls(account: Account) -> None:
    url = url_of(account, "AWS_IAM") + "decide?release=a%2Fb"
    alice = person(account, "alice")
    status, text = post(url, b"{}", signed(url, b"{}", alice))
    assert status == 201
    assert "arn:aws:iam::123456789012:user/alice" in text


@pytest.mark.parametrize("how", ["unsigned", "unknown key", "wrong secret", "other body", "garbage"])
def test_nobody_gets_in_without_a_valid_signature(account: Account, how: str) -> None:
    url = url_of(account, "AWS_IAM")
    bob = person(account, f"bob-{how.replace(' ', '-')}")
    headers: dict[str, dict[str, str]] = {
        "unsigned": {},
        "unknown key": signed(url, b"{}", Credentials("AKIAUNKNOWN", "x")),
        "wrong secret": signed(url, b"{}", Credentials(bob.access_key, "x")),
        "other body": signed(url, b'{"answer": "denied"}', bob),
        "garbage": {"Authorization": "AWS4-HMAC-SHA256 Credential=x"},
    }
    assert post(url, b"{}", headers[how]) == (403, json.dumps({"Message": "Forbidden"}))


def test_a_function_that_fails_is_a_bad_gateway(account: Account) -> None:
    answer: tuple[int, Any] = post(url_of(account, "NONE") + "boom", b"{}")
    assert answer[0] == 502


def test_a_url_takes_both_permissions_and_a_key_alone_none(account: Account) -> None:
    url = url_of(account, "AWS_IAM")
    both = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
    for number, may in enumerate([(), both[:1], both[1:]]):
        refused = person(account, f"may_not_{number}", ("sqs:ListQueues", *may))
        assert post(url, b"{}", signed(url, b"{}", refused))[0] == 403, may
    assert post(url, b"{}", signed(url, b"{}", person(account, "may", both)))[0] == 201


def test_an_open_url_without_its_permissions_is_open_to_nobody(account: Account) -> None:
    function = account.function(ECHO)
    made = account.client("lambda").create_function_url_config(FunctionName=function, AuthType="NONE")
    assert post(made["FunctionUrl"], b"{}")[0] == 403
    account.open_to_all(function)
    assert post(made["FunctionUrl"], b"{}")[0] == 201
    # What is open by its URL is not open to Invoke.
    plain = account.aws.authority
    assert plain.refuse(ANYBODY, [Ask("lambda:InvokeFunction", account.arn(function))])
