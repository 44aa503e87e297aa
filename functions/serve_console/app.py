"""Serve the page to a browser. No one has to have signed in, and it may do nothing in the account."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import console as wire
from candlefish.handler import handler
from candlefish.views.serve_console import serve_console
from candlefish.web import HttpAnswer, HttpRequest

use = partial(serve_console, site=wire.console_files(__file__))


@handler
def lambda_handler(event: HttpRequest) -> HttpAnswer:
    return use(event)
