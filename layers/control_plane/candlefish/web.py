"""Function URLs: who calls, what they posted, and our errors as HTTP statuses. The one parser of their events."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from candlefish.bounds import decoded, explained
from candlefish.errors import (
    ControlPlaneError,
    InvalidInput,
    NotAllowed,
    NotOnboarded,
    Retryable,
    UnknownService,
)

T = TypeVar("T")
LARGEST_BODY = 64 * 1024
# What proves who calls, and the header that binds it to one request (`adapters.aws.caller_proof`).
PROOF_HEADER = "x-candlefish-proof"
BOUND_HEADER = "x-candlefish-request"

# The first class that an error is an instance of gives the status.
STATUSES: tuple[tuple[type[ControlPlaneError], int], ...] = (
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
    authorizer: Authorizer | None = None


class HttpRequest(_Camel, frozen=True):
    """A function URL's event (payload format 2.0)."""

    headers: dict[str, str] | None = None
    body: str | None = None
    is_base64_encoded: bool = False
    raw_path: str = ""
    request_context: RequestContext = RequestContext()

    @property
    def method(self) -> str:
        return self.request_context.http.method

    def header(self, name: str) -> str:
        """A header's value by its name in lower case; empty when it was not sent."""
        return next((v for k, v in (self.headers or {}).items() if k.lower() == name), "")

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

    def posted(self, kind: type[T]) -> T:
        """The JSON body of a POST as a value.

        Raises
        ------
        InvalidInput
            It is no POST, too large, or not of that shape.
        """
        self.require_post()
        body = self.raw()
        if len(body) > LARGEST_BODY:
            raise InvalidInput(f"the body has {len(body)} bytes, at most {LARGEST_BODY} are taken")
        try:
            return msgspec.convert(decoded(body, "the body"), kind)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"the body is not as it must be: {explained(error)}") from error

    def require_post(self) -> None:
        """Refuse what is no POST: nothing else changes anything."""
        if self.method != "POST":
            raise InvalidInput(
                f"a {self.method or 'request without a method'} changes nothing here; send a POST"
            )


def bound(function: str, body: bytes) -> str:
    """What stands for one body that is posted to one function, in the request that proves the caller."""
    return hashlib.sha256(function.encode() + b"\n" + body).hexdigest()


class HttpAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What a function URL answers."""

    status_code: int
    headers: dict[str, str]
    body: str
    # Whether the body is base64 of what is meant: API Gateway takes no bytes.
    is_base64_encoded: bool = False


def answer(status: int, body: Any, **headers: str) -> HttpAnswer:
    """A JSON answer; `headers` are called like parameters: `www_authenticate`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(
        status, {"content-type": "application/json", **named}, msgspec.json.encode(body).decode()
    )


def respond(use: Callable[[], Any]) -> HttpAnswer:
    """What a use case answers as an HTTP answer; an error of ours as its status and reason."""
    try:
        return answer(200, use())
    except ControlPlaneError as error:
        status = next(code for kind, code in STATUSES if isinstance(error, kind))
        return answer(status, {"error": type(error).__name__, "message": str(error)})
