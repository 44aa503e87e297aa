"""The load balancer as users reach it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import urllib3

from candlefish.release.model import HttpResponse


class FrontDoor:
    """`release.ports.Web`."""

    def __init__(self, address_of: Callable[[str], str]) -> None:
        """`address_of` tells the URL of a listener at its load balancer; requests carry the service's host."""
        self._address_of = cache(address_of)
        self._pools: dict[tuple[str, str], urllib3.PoolManager] = {}

    def _pool(self, url: str, host: str) -> urllib3.PoolManager:
        if (url, host) not in self._pools:
            secure = urlsplit(url).scheme == "https"
            tls: dict[str, Any] = {"server_hostname": host, "assert_hostname": host} if secure else {}
            timeout = urllib3.Timeout(connect=2, read=5)
            self._pools[url, host] = urllib3.PoolManager(retries=False, timeout=timeout, **tls)
        return self._pools[url, host]

    def get(self, listener: str, host: str, path: str, headers: Mapping[str, str]) -> HttpResponse:
        url = self._address_of(listener)
        try:
            answer = self._pool(url, host).request(
                "GET", f"{url}{path}", headers={"Host": host, **headers}, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            return HttpResponse(0, str(error))
        return HttpResponse(answer.status, answer.reason or "")
