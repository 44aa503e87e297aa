"""Presigned requests to STS, GetCallerIdentity: moto takes anybody's word for a signature, and this is what proves callers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from lab.aws import errors, signature
from lab.aws.function_urls import Identity
from lab.moto import ACCOUNT


def answer(
    environ: dict[str, Any], identity: Callable[[str], Identity | None], respond: Callable[..., Any]
) -> Iterable[bytes]:
    """Say who signed, or refuse the signature."""
    query = environ.get("QUERY_STRING", "")
    key = parse_qs(query)["X-Amz-Credential"][0].split("/")[0]
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    found = identity(key)
    try:
        valid = found is not None and signature.presigned(
            query, found.secret, method=environ["REQUEST_METHOD"], path=environ["PATH_INFO"], headers=headers
        )
    except (ValueError, KeyError):
        valid = False
    if found is None or not valid:
        text = "The request signature we calculated does not match the signature you provided."
        return errors.answer("sts", "", 403, "SignatureDoesNotMatch", text, respond)
    who = {"Account": ACCOUNT, "Arn": found.arn, "UserId": found.user_id}
    body = json.dumps({"GetCallerIdentityResponse": {"GetCallerIdentityResult": who}}).encode()
    respond("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
