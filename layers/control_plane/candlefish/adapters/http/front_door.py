"""The small edges of a release: the front door, hooks, bundles."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
import urllib3
from botocore.exceptions import ClientError

from candlefish.adapters.aws.api import aws_call, code_of
from candlefish.errors import InvalidInput, Unavailable
from candlefish.release.manifests import Manifest
from candlefish.release.ports import Answer, HookAnswer

LARGEST_BUNDLE = 5 * 1024 * 1024


class FrontDoor:
    """`release.ports.Web`: the load balancer as users reach it."""

    def __init__(self, url: str) -> None:
        """`url` is the load balancer's own address; requests carry the service's host."""
        parts = urlsplit(url)
        self._url = url.rstrip("/")
        self._tls = parts.scheme == "https"
        self._pools: dict[str, urllib3.PoolManager] = {}

    def _pool(self, host: str) -> urllib3.PoolManager:
        if host not in self._pools:
            tls: dict[str, Any] = {"server_hostname": host, "assert_hostname": host} if self._tls else {}
            timeout = urllib3.Timeout(connect=2, read=5)
            self._pools[host] = urllib3.PoolManager(retries=False, timeout=timeout, **tls)
        return self._pools[host]

    def get(self, host: str, path: str, headers: Mapping[str, str]) -> Answer:
        try:
            answer = self._pool(host).request(
                "GET", f"{self._url}{path}", headers={"Host": host, **headers}, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            return Answer(0, str(error))
        return Answer(answer.status, answer.reason or "")

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)


class HookCaller:
    """`release.ports.Hooks`: Lambda functions by name, or HTTPS URLs."""

    def __init__(self, lambda_client: Any) -> None:
        self._lambda = lambda_client
        self._pool = urllib3.PoolManager(retries=False)

    def call(self, target: str, payload: Mapping[str, Any], within: float) -> HookAnswer:
        if target.startswith("https://"):
            return self._http(target, payload, within)
        with aws_call(f"calling hook {target}"):
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
    except msgspec.MsgspecError:
        return HookAnswer(False, f'{target} must answer {{"passed": true or false, "reason": "..."}}')


class S3Bundles:
    """`release.ports.Bundles`: JSON arrays of Kubernetes objects in S3."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def read(self, uri: str, digest: str) -> list[Manifest]:
        body = self._body(uri, digest)
        try:
            return msgspec.json.decode(body, type=list[dict[str, Any]])
        except msgspec.MsgspecError as error:
            raise InvalidInput(f"bundle {uri} is no JSON array of Kubernetes objects: {error}") from error

    def carry(self, uri: str, digest: str, bucket: str, there: Any) -> str:
        """Copy a bundle into a bucket of the region that the client `there` is of; its URI there."""
        body, key = self._body(uri, digest), uri.removeprefix("s3://").partition("/")[2]
        with aws_call(f"copying bundle {uri} to {bucket}"):
            there.put_object(Bucket=bucket, Key=key, Body=body)
        return f"s3://{bucket}/{key}"

    def _body(self, uri: str, digest: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        with aws_call(f"reading bundle {uri}"):
            try:
                body: bytes = self._client.get_object(Bucket=bucket, Key=key)["Body"].read(LARGEST_BUNDLE + 1)
            except ClientError as error:
                if code_of(error) not in ("NoSuchKey", "NoSuchBucket"):
                    raise
                raise InvalidInput(f"there is no bundle {uri}; upload it with: candlefish bundle") from error
        seen = hashlib.sha256(body).hexdigest()
        if seen != digest.removeprefix("sha256:"):
            raise InvalidInput(
                f"bundle {uri} has SHA-256 {seen}, the release names {digest}: it was changed since"
            )
        return body
