"""Answer a release's question. Called through a function URL with IAM, which names the caller."""

from __future__ import annotations

from typing import Any

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.approval import Decision
from candlefish.web import caller, posted, respond

use = wire.decided()


@handler
def lambda_handler(event: Any) -> dict[str, Any]:
    def answer() -> dict[str, Any]:
        approval = use(posted(event, Decision), principal=caller(event))
        return {"release": approval.release, "status": approval.status, "by": approval.by}

    return respond(answer)
