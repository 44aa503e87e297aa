"""Function URLs: who calls, what they posted, and our errors as HTTP statuses."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

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

# The first class that an error is an instance of gives the status.
STATUSES: tuple[tuple[type[ControlPlaneError], int], ...] = (
    (NotAllowed, 403),
    (UnknownService, 404),
    (NotOnboarded, 404),
    (InvalidInput, 400),
    (Retryable, 503),
    (ControlPlaneError, 409),
)


def caller(event: Mapping[str, Any]) -> str:
    """The ARN of the principal whose credentials signed the request.

    Raises
    ------
    NotAllowed
        The request carries none: the function URL is not protected by IAM.
    """
    authorizer = event.get("requestContext", {}).get("authorizer", {})
    arn = authorizer.get("iam", {}).get("userArn", "")
    if not arn:
        raise NotAllowed(
            "the request carries no IAM identity; sign it (the CLI does) and call the function URL"
        )
    return str(arn)


def posted(event: Mapping[str, Any], kind: type[T]) -> T:
    """The JSON body of a POST as a value.

    Raises
    ------
    InvalidInput
        It is no POST, too large, or not of that shape.
    """
    method = event.get("requestContext", {}).get("http", {}).get("method", "")
    if method != "POST":
        raise InvalidInput(f"a {method or 'request without a method'} changes nothing here; send a POST")
    text = event.get("body") or ""
    body = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    if len(body) > LARGEST_BODY:
        raise InvalidInput(f"the body has {len(body)} bytes, at most {LARGEST_BODY} are taken")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the body is not as it must be: {error}") from error


def respond(answer: Callable[[], Any]) -> dict[str, Any]:
    """An answer as a function URL's response; an error of ours as its status and reason."""
    try:
        return _response(200, answer())
    except ControlPlaneError as error:
        status = next(code for kind, code in STATUSES if isinstance(error, kind))
        return _response(status, {"error": type(error).__name__, "message": str(error)})


def _response(status: int, body: Any) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": msgspec.json.encode(body).decode(),
    }
