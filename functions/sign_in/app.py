"""Sign people in at the catalog's issuer: where, and the token for a code. Called through the HTTP API by whoever has none yet."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import sign_in as wire
from candlefish.handler import handler
from candlefish.views.sign_in import sign_in
from candlefish.web import HttpAnswer, HttpRequest, respond

use = partial(
    sign_in,
    console=wire.declared_console(),
    endpoints=wire.endpoints,
    exchange=wire.exchange,
    read=wire.read_token,
    secret=wire.secret,
)


@handler
def lambda_handler(event: HttpRequest) -> HttpAnswer:
    return respond(lambda: use(event))
