"""The load balancer as users reach it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3

from candlefish.release.model import HttpResponse


class FrontDoor:
    """`release.ports.Web`."""

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

    def get(self, host: str, path: str, headers: Mapping[str, str]) -> HttpResponse:
        try:
            answer = self._pool(host).request(
                "GET", f"{self._url}{path}", headers={"Host": host, **headers}, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            return HttpResponse(0, str(error))
        return HttpResponse(answer.status, answer.reason or "")
