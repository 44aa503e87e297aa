"""Hooks of a strategy: Lambda functions by name, or HTTPS URLs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import urllib3

from candlefish.adapters.aws.refusals import aws_call
from candlefish.adapters.aws.words import BUSY
from candlefish.bounds import NO_JSON
from candlefish.errors import Unavailable
from candlefish.release.model import HookAnswer


class HookCaller:
    """`release.ports.Hooks`."""

    def __init__(self, lambda_client: Any) -> None:
        self._lambda = lambda_client
        self._pool = urllib3.PoolManager(retries=False)

    def call(self, target: str, payload: Mapping[str, Any], within: float) -> HookAnswer:
        if target.startswith("https://"):
            return self._http(target, payload, within)
        with aws_call(f"calling hook {target}", busy=BUSY["lambda"]):
            answer = self._lambda.invoke(FunctionName=target, Payload=msgspec.json.encode(payload))
        body = answer["Payload"].read()
        if answer.get("FunctionError"):
            raise Unavailable(f"hook {target} failed: {body[:500].decode(errors='replace')}")
        return _hook_answer(target, body)

    def _http(self, url: str, payload: Mapping[str, Any], within: float) -> HookAnswer:
        try:
            answer = self._pool.request(
                "POST",
                url,
                body=msgspec.json.encode(payload),
                headers={"content-type": "application/json"},
                timeout=within,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"hook {url} did not answer: {error}") from error
        if answer.status >= 300:
            return HookAnswer(False, f"{url} answered {answer.status}")
        return _hook_answer(url, answer.data)


def _hook_answer(target: str, body: bytes) -> HookAnswer:
    try:
        return msgspec.json.decode(body, type=HookAnswer)
    except NO_JSON:
        return HookAnswer(False, f'{target} must answer {{"passed": true or false, "reason": "..."}}')
