"""Bundles of rendered manifests in S3."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from candlefish.adapters.aws.refusals import aws_call, code_of
from candlefish.bounds import decoded, explained
from candlefish.errors import InvalidInput
from candlefish.release.model import Manifest

LARGEST_BUNDLE = 5 * 1024 * 1024


def bundle_objects(body: bytes, what: str) -> list[Manifest]:
    """The objects in a bundle's text.

    Raises
    ------
    InvalidInput
        It is no JSON array of objects.
    """
    try:
        return msgspec.convert(decoded(body, what), list[dict[str, Any]])
    except (InvalidInput, msgspec.ValidationError) as error:
        raise InvalidInput(f"{what} is no JSON array of Kubernetes objects: {explained(error)}") from error


class S3Bundles:
    """`release.ports.Bundles`: JSON arrays of Kubernetes objects in S3."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def read(self, uri: str, digest: str) -> list[Manifest]:
        return bundle_objects(self._body(uri, digest), f"bundle {uri}")

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
