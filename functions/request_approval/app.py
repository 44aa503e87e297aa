"""Ask a person, and keep the token of the task that waits for the answer."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.payloads import ApprovalRequest
from candlefish.release.request_approval import request_approval

use = partial(
    request_approval,
    catalog=wire.catalog(),
    approvals=wire.approvals(),
    records=wire.records(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: ApprovalRequest) -> None:
    return use(event)
