"""Answer a release's question. Called through the HTTP API with a token, or a function URL with IAM."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.decide_approval import ApprovalDecision, decide_approval
from candlefish.web import HttpAnswer, HttpRequest, respond

use = partial(
    decide_approval,
    catalog=wire.catalog(),
    approvals=wire.approvals(),
    records=wire.records(),
    executions=wire.executions(),
    journal=wire.journal(),
    now=wire.now,
)
who = wire.callers("approver")


@handler
def lambda_handler(event: HttpRequest) -> HttpAnswer:
    return respond(
        lambda: use(
            principal=who(event), decision=event.posted(ApprovalDecision, "/v1/releases/{release}/answers")
        )
    )
