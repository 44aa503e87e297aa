"""Ask a person, and keep the token of the task that waits for the answer."""

from __future__ import annotations

from functools import partial
from typing import Any

from candlefish.bootstrap import release as wire
from candlefish.handler import handler, parse
from candlefish.release.approval import ApprovalRequest, request_approval

use = partial(
    request_approval,
    approvals=wire.approvals(),
    records=wire.records(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: Any) -> Any:
    return use(parse(event, ApprovalRequest))
