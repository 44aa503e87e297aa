"""Show people how things stand. Called through the HTTP API with a token, or a function URL with IAM."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import views as wire
from candlefish.handler import handler
from candlefish.views.serve_views import serve_views
from candlefish.web import HttpAnswer, HttpRequest

use = partial(
    serve_views, who=wire.readers(), views=wire.served(), document=wire.api_document, others=wire.others()
)


@handler
def lambda_handler(event: HttpRequest) -> HttpAnswer:
    return use(event)
