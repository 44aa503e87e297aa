"""The load balancer's own errors, which are those of all its services: no evidence, and no promotion in silence."""

from __future__ import annotations

import msgspec

from candlefish.analysis.model import MetricTarget, Verdict, hold_or_ask
from candlefish.analysis.ports import WindowSource
from candlefish.analysis.remembered import Remembered
from candlefish.catalog.model import JudgePolicy

# The load balancer's own errors rose when there are so many more, at least this many, and this share of the canary's
# requests, than this many times what there was before.
OWN_LEAST, OWN_SHARE, OWN_RISE = 20, 0.01, 2.0


def unless_the_balancer_errs(
    source: WindowSource,
    policy: JudgePolicy,
    aim: MetricTarget,
    memory: Remembered,
    verdict: Verdict,
    *,
    over: bool,
) -> Verdict:
    """The verdict; or "hold" ("ask" at the deadline) while the load balancer's own errors rose with the step.

    They are those of all its services, and no target group's: no evidence against the canary, but nothing that a
    promotion may pass by in silence. What both slots did not answer is counted already.
    """
    state = memory.state
    passed = state.until - state.since
    own = source.own_errors(aim, state.since, state.until)
    if own is None or passed <= 0:
        return verdict
    span = min(passed, float(policy.history))
    before = (source.own_errors(aim, memory.began - span, memory.began) or 0.0) * passed / span
    total = state.metrics["errors"].total
    unexplained = own - total[1] - total[3]
    if unexplained <= max(OWN_LEAST, OWN_SHARE * total[2]) + OWN_RISE * before:
        return verdict
    reason = (
        f"the load balancer itself answered {own:.0f} requests with 5xx since this step began, in as long before the "
        f"release {before:.0f}; it does not say whose they are: look at HTTPCode_ELB_5XX_Count, at the targets of both "
        f"slots and at the other services behind it. Otherwise: {verdict.reason}"
    )
    return msgspec.structs.replace(verdict, action=hold_or_ask(over), reason=reason)
