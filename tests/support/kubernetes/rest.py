"""Plain requests to a Kubernetes API, as an administrator sends them."""

from __future__ import annotations

import json
import ssl
from typing import Any

import urllib3

from tests.support.waiting import PATIENCE

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class Rest:
    """One API and one bearer token."""

    def __init__(self, endpoint: str, ca_pem: str, token: str) -> None:
        context = ssl.create_default_context(cadata=ca_pem)
        self._pool = urllib3.PoolManager(ssl_context=context, retries=False, maxsize=4)
        self._endpoint, self._token = endpoint, token

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        """Status and decoded answer of a request; a body that is text is sent as it is."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": content_type}
        data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        answer = self._pool.request(
            method, self._endpoint + path, body=data, headers=headers, timeout=PATIENCE
        )
        text = answer.data
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.decode()

    def must(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """The answer of a request that has to succeed."""
        status, answer = self.call(method, path, body, content_type)
        assert status < 300, (method, path, status, answer)
        return answer
