"""Servers of the lab whose clients come and go."""

from __future__ import annotations

import logging
import sys
from http.server import ThreadingHTTPServer
from typing import Any

LOG = logging.getLogger(__name__)


class HttpServer(ThreadingHTTPServer):
    """A server for browsers and scrapers, which go away in the middle of an answer."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """What went away is no news; anything else is a fault of the lab's."""
        if isinstance(sys.exception(), ConnectionError):
            LOG.debug("connection from %s ended early", client_address)
        else:
            super().handle_error(request, client_address)
