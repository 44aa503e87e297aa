"""Requests by HTTP: what they ask for, what they posted, and our errors as statuses. The one parser of their events.

Function URLs and API Gateway's HTTP API send the same format (2.0). Who calls is proven elsewhere (`bootstrap.core.callers`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from candlefish.bounds import decoded, explained
from candlefish.errors import (
    ControlPlaneError,
    InvalidInput,
    NotAllowed,
    NotOnboarded,
    NotSignedIn,
    Retryable,
    UnknownService,
)

T = TypeVar("T")
LARGEST_BODY = 64 * 1024
# What proves who calls, and the header that binds it to one request (`adapters.aws.caller_proof`).
PROOF_HEADER = "x-candlefish-proof"
BOUND_HEADER = "x-candlefish-request"
# Of a query, in characters: no parameter of ours needs more.
LONGEST_QUERY = 2048
PROBLEM = "application/problem+json"

# The first class that an error is an instance of gives the status.
STATUSES: tuple[tuple[type[ControlPlaneError], int], ...] = (
    (NotSignedIn, 401),
    (NotAllowed, 403),
    (UnknownService, 404),
    (NotOnboarded, 404),
    (InvalidInput, 400),
    (Retryable, 503),
    (ControlPlaneError, 409),
)


class _Camel(msgspec.Struct, frozen=True, rename="camel"):
    """Base of what is read from the event: unknown fields are skipped."""


class Iam(_Camel, frozen=True):
    user_arn: str = ""


class Authorizer(_Camel, frozen=True):
    iam: Iam | None = None


class Http(_Camel, frozen=True):
    method: str = ""


class RequestContext(_Camel, frozen=True):
    http: Http = Http()
    # The host that the request was sent to.
    domain_name: str = ""
    authorizer: Authorizer | None = None


class HttpRequest(_Camel, frozen=True):
    """The event of a function URL or an HTTP API (payload format 2.0)."""

    raw_path: str = ""
    raw_query_string: str = ""
    headers: dict[str, str] | None = None
    body: str | None = None
    is_base64_encoded: bool = False
    request_context: RequestContext = RequestContext()

    @property
    def method(self) -> str:
        return self.request_context.http.method

    def header(self, name: str) -> str:
        """A header's value by its name in lower case; empty when it was not sent."""
        return next((v for k, v in (self.headers or {}).items() if k.lower() == name), "")

    @property
    def takes_gzip(self) -> bool:
        """Whether the answer may be compressed (RFC 9110, Accept-Encoding): gzip is named, and not to refuse it."""
        for each in self.header("accept-encoding").lower().split(","):
            coding, _, weight = each.replace(" ", "").partition(";")
            if coding == "gzip":
                return not re.fullmatch(r"q=0(?:\.0{0,3})?", weight)
        return False

    @property
    def bearer(self) -> str:
        """The token that the request shows; empty when it shows none."""
        kind, _, token = self.header("authorization").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""

    def query(self) -> dict[str, str]:
        """What stands behind the `?`, by name.

        Raises
        ------
        InvalidInput
            It is too long, is no text, or says one thing twice.
        """
        if len(self.raw_query_string) > LONGEST_QUERY:
            raise InvalidInput(
                f"the query has {len(self.raw_query_string)} characters, at most {LONGEST_QUERY} are taken"
            )
        try:
            pairs = parse_qsl(
                self.raw_query_string, keep_blank_values=True, errors="strict", max_num_fields=20
            )
        except ValueError as error:
            raise InvalidInput("the query is not one that can be read; write it as name=value&...") from error
        said = dict(pairs)
        if len(said) != len(pairs):
            raise InvalidInput("the query says one thing twice; name each parameter once")
        return said

    def raw(self) -> bytes:
        """The body as it was sent.

        Raises
        ------
        InvalidInput
            It says that it is base64 and is not.
        """
        text = self.body or ""
        if not self.is_base64_encoded:
            return text.encode("utf-8", "surrogatepass")
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidInput("the body is not base64") from error

    def caller(self) -> str:
        """The ARN of the principal that the event names; who may invoke the function can write another (`ProvenCallers`).

        Raises
        ------
        NotAllowed
            The request carries none: the function URL is not protected by IAM.
        """
        authorizer = self.request_context.authorizer
        arn = authorizer.iam.user_arn if authorizer and authorizer.iam else ""
        if not arn:
            raise NotAllowed(
                "the request carries no IAM identity; sign it (the CLI does) and call the function URL"
            )
        return arn

    def posted(self, kind: type[T], *paths: str) -> T:
        """The JSON body of a POST as a value; what the path names (`/v1/releases/{release}/answers`) is a part of it.

        Raises
        ------
        InvalidInput
            It is no POST, too large, not of that shape, or says of what the path names something else.
        """
        self.require_post()
        body = self.raw()
        if len(body) > LARGEST_BODY:
            raise InvalidInput(f"the body has {len(body)} bytes, at most {LARGEST_BODY} are taken")
        found = (matched(pattern, self.raw_path) for pattern in paths)
        named = next((each for each in found if each is not None), {})
        # What the path says in full needs no body.
        said = decoded(body if body or not named else b"{}", "the body")
        if named:
            if not isinstance(said, dict) or not named.keys().isdisjoint(said):
                raise InvalidInput(
                    f"the body must be an object without {', '.join(named)}, which the path says; nothing was changed"
                )
            said = {**said, **named}
        try:
            return msgspec.convert(said, kind)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"the body is not as it must be: {explained(error)}") from error

    def require_post(self) -> None:
        """Refuse what is no POST: nothing else changes anything."""
        if self.method != "POST":
            raise InvalidInput(
                f"a {self.method or 'request without a method'} changes nothing here; send a POST"
            )


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", pattern)
    return re.compile(
        "".join(
            f"(?P<{part}>[A-Za-z0-9._=@+-]{{1,80}})" if number % 2 else re.escape(part)
            for number, part in enumerate(parts)
        )
    )


def matched(pattern: str, path: str) -> dict[str, str] | None:
    """What a path names, by the `{names}` of a pattern; None where it is another path. Names are ids: nothing is encoded."""
    found = _compiled(pattern).fullmatch(path)
    return found.groupdict() if found else None


def bound(function: str, body: bytes) -> str:
    """What stands for one body that is posted to one function, in the request that proves the caller."""
    return hashlib.sha256(function.encode() + b"\n" + body).hexdigest()


class HttpAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What is answered to a request."""

    status_code: int
    headers: dict[str, str]
    body: str
    # Whether the body is base64 of what is meant: API Gateway takes no bytes.
    is_base64_encoded: bool = False


# Nothing that we answer is for a cache between, or anything but what it says it is.
SHIELDS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def answer(status: int, body: Any, **headers: str) -> HttpAnswer:
    """A JSON answer; `headers` are called like parameters: `www_authenticate`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(
        status,
        {"content-type": "application/json", **SHIELDS, **named},
        msgspec.json.encode(body).decode(),
    )


class Problem(msgspec.Struct, frozen=True):
    """Why a request was refused (RFC 9457): `title` is our error's name, `detail` says what to do."""

    type: str
    title: str
    status: int
    detail: str
    # The same for readers of before.
    error: str
    message: str


def problem(error: ControlPlaneError, status: int = 0, **headers: str) -> HttpAnswer:
    """An error of ours as an answer; `status` and `headers` where HTTP has more to say than its kind."""
    status = status or next(code for kind, code in STATUSES if isinstance(error, kind))
    name, text = type(error).__name__, str(error)
    more = {"www_authenticate": "Bearer", **headers} if status == 401 else headers
    return answer(
        status, Problem("about:blank", name, status, text, name, text), content_type=PROBLEM, **more
    )


def respond(use: Callable[[], Any]) -> HttpAnswer:
    """What a use case answers as an HTTP answer; an error of ours as its status and reason."""
    try:
        return answer(200, use())
    except ControlPlaneError as error:
        return problem(error)
