"""Who calls a URL is what STS says of the caller's signature, whatever the event says."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest
from botocore.credentials import Credentials

from candlefish.adapters.aws.caller_proof import ProvenCallers, caller_proof, sts_endpoint
from candlefish.errors import NotAllowed, Unavailable
from candlefish.web import PROOF_HEADER, HttpRequest
from lab.moto import ACCOUNT
from tests.support.lab_account import REGION, Account

pytestmark = pytest.mark.loopback

FUNCTION = "candlefish-production-decide-approval"
BODY = '{"answer": "approved"}'


def arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


@pytest.fixture(scope="module")
def people(account: Account) -> dict[str, Credentials]:
    iam, found = account.client("iam"), {}
    for name in ("carol", "dan"):
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        found[name] = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    return found


def proof(account: Account, who: Credentials, function: str = FUNCTION, body: str = BODY) -> str:
    return caller_proof(
        who, endpoint=account.aws.endpoint, region=REGION, function=function, body=body.encode()
    )


def event(says: str, headers: Mapping[str, str]) -> HttpRequest:
    context = {"http": {"method": "POST"}, "authorizer": {"iam": {"userArn": says}}}
    return msgspec.convert({"headers": dict(headers), "body": BODY, "requestContext": context}, HttpRequest)


def test_the_one_who_signed_is_the_caller(account: Account, people: dict[str, Credentials]) -> None:
    callers = ProvenCallers(endpoint=account.aws.endpoint, function=FUNCTION)
    assert callers(event(arn("carol"), {PROOF_HEADER: proof(account, people["carol"])})) == arn("carol")


def test_whoever_may_invoke_the_function_names_nobody_but_himself(
    account: Account, people: dict[str, Credentials]
) -> None:
    callers = ProvenCallers(endpoint=account.aws.endpoint, function=FUNCTION)
    mine = proof(account, people["dan"])
    stranger = Credentials(people["carol"].access_key, "guessed")
    said = dict(parse_qsl(mine))
    for forged, why in (
        ("", "does not prove who calls"),
        (mine, f"says that {arn('carol')} calls and proves that {arn('dan')} does"),
        (proof(account, stranger), "STS does not know who signed"),
        # What carol signed for another function, or for another answer.
        (proof(account, people["carol"], function="candlefish-staging-decide-approval"), "STS does not know"),
        (proof(account, people["carol"], body='{"answer": "denied"}'), "STS does not know"),
        # Not the question who signed.
        (urlencode(said | {"Action": "GetSessionToken"}), "is not one that this function takes"),
        (urlencode(said | {"RoleArn": "x"}), "is not one that this function takes"),
        (urlencode(said | {"X-Amz-SignedHeaders": "host"}), "is not one that this function takes"),
        (urlencode(said | {"X-Amz-Expires": "3600"}), "is not one that this function takes"),
        (mine + "&Action=GetCallerIdentity", "is not one that this function takes"),
        ("x" * 10_000, "is not one that this function takes"),
    ):
        with pytest.raises(NotAllowed, match=why.replace("(", r"\(")):
            callers(event(arn("carol"), {PROOF_HEADER: forged}))


def test_an_sts_that_does_not_answer_is_no_refusal(account: Account, people: dict[str, Credentials]) -> None:
    callers = ProvenCallers(endpoint="http://127.0.0.1:9", function=FUNCTION)
    with pytest.raises(Unavailable):
        callers(event(arn("carol"), {PROOF_HEADER: proof(account, people["carol"])}))


def test_where_sts_is() -> None:
    assert sts_endpoint("us-west-2", {}) == "https://sts.us-west-2.amazonaws.com"
    assert sts_endpoint("cn-north-1", {}) == "https://sts.cn-north-1.amazonaws.com.cn"
