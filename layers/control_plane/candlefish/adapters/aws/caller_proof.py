"""Who calls a function's URL, proven by STS: a request to GetCallerIdentity that only the caller's credentials can sign.

What a URL's event says of its caller is true when the URL wrote it; whoever may invoke the function writes it himself. So
the caller signs, for one minute, a request to STS that also names the function and the body, and the function has STS
say whose it is. https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec
import urllib3
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials

from candlefish.errors import NotAllowed, Unavailable
from candlefish.web import BOUND_HEADER, PROOF_HEADER, HttpRequest, bound

VALID_FOR = 60
LONGEST = 8192
# All that such a request may say; anything else could be another request of STS.
PARAMETERS = frozenset(
    {
        "Action",
        "Version",
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
    }
)
ASKED = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
SIGNED = f"host;{BOUND_HEADER}"
AGAIN = "call again with the candlefish command of this version"


def sts_endpoint(region: str, environ: Mapping[str, str]) -> str:
    """Where a region's STS is; the AWS SDKs' own variable points elsewhere."""
    suffix = ".cn" if region.startswith("cn-") else ""
    return environ.get("AWS_ENDPOINT_URL") or f"https://sts.{region}.amazonaws.com{suffix}"


def caller_proof(
    credentials: Credentials | ReadOnlyCredentials, *, endpoint: str, region: str, function: str, body: bytes
) -> str:
    """The value of `PROOF_HEADER` for a body that is posted to a function's URL, signed now."""
    request = AWSRequest(
        "GET",
        f"{endpoint}/?Action={ASKED['Action']}&Version={ASKED['Version']}",
        headers={BOUND_HEADER: bound(function, body)},
    )
    SigV4QueryAuth(credentials, "sts", region, expires=VALID_FOR).add_auth(request)
    return str(request.url).partition("?")[2]


class ProvenCallers:
    """Has STS say who called `function`; `endpoint` is the region's STS."""

    def __init__(self, *, endpoint: str, function: str) -> None:
        self._endpoint, self._function = endpoint, function
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=2, read=5))

    def __call__(self, request: HttpRequest) -> str:
        """The ARN of the principal who called.

        Raises
        ------
        NotAllowed
            The request proves nobody, or somebody else than its event names.
        Unavailable
            STS does not answer.
        """
        claimed, proof = request.caller(), request.header(PROOF_HEADER)
        _require_question(proof)
        try:
            answer = self._pool.request(
                "GET",
                f"{self._endpoint}/?{proof}",
                headers={BOUND_HEADER: bound(self._function, request.raw()), "accept": "application/json"},
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"asking STS who calls: {error}") from error
        if answer.status >= 500 or answer.status == 429:
            raise Unavailable(f"asking STS who calls: it answered {answer.status}")
        if answer.status != 200:
            raise NotAllowed(
                f"STS does not know who signed the request's proof of its caller ({answer.status}); {AGAIN}"
            )
        proven = _arn(answer.data)
        if proven != claimed:
            raise NotAllowed(
                f"the request says that {claimed} calls and proves that {proven} does; nothing was done"
            )
        return proven


def _require_question(proof: str) -> None:
    """Refuse a proof that is not just the question who signed it, for this request."""
    if not proof:
        raise NotAllowed(f"the request does not prove who calls ({PROOF_HEADER}); {AGAIN}")
    pairs = parse_qsl(proof, keep_blank_values=True) if len(proof) <= LONGEST else []
    said = dict(pairs)
    if (
        len(said) != len(pairs)
        or not said.keys() <= PARAMETERS
        or {name: said.get(name) for name in ASKED} != ASKED
        or said.get("X-Amz-SignedHeaders") != SIGNED
        or not said.get("X-Amz-Expires", "").isdecimal()
        or int(said["X-Amz-Expires"]) > VALID_FOR
    ):
        raise NotAllowed(f"the request's proof of its caller is not one that this function takes; {AGAIN}")


class _Identity(msgspec.Struct, frozen=True, rename="pascal"):
    arn: str


class _Result(msgspec.Struct, frozen=True, rename="pascal"):
    get_caller_identity_result: _Identity


class _Answer(msgspec.Struct, frozen=True, rename="pascal"):
    get_caller_identity_response: _Result


def _arn(data: bytes) -> str:
    try:
        found = msgspec.json.decode(data, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unavailable(f"asking STS who calls: its answer cannot be read ({error})") from error
    return found.get_caller_identity_response.get_caller_identity_result.arn
