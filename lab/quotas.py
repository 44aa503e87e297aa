"""What an account may ask of AWS in one region, in token buckets, as AWS documents them.

- Elastic Load Balancing: 40 requests, 10 more a second; registrations 20 and 4
  (https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html). Other changes are scarcer
  by that page; 20 and 3 are our assumption, and so is that they also take from the 40.
- Step Functions (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html), as in us-west-2.
- CloudWatch (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html): so many a second.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import msgspec

LOAD_BALANCING, STATES, CLOUDWATCH = "elasticloadbalancing", "states", "monitoring"


# What a load balancer takes of rules beside the default ones, and an account of alarms in a region.
RULES, ALARMS = 100, 5000


class Quota(msgspec.Struct, frozen=True):
    """A bucket: of which actions (by how their names begin), how much it holds, how much comes a second."""

    service: str
    actions: tuple[str, ...]
    holds: float
    refill: float


AWS = (
    Quota(LOAD_BALANCING, ("",), 40, 10),
    Quota(LOAD_BALANCING, ("RegisterTargets", "DeregisterTargets"), 20, 4),
    Quota(LOAD_BALANCING, ("Create", "Modify", "Delete", "Set", "AddTags", "RemoveTags"), 20, 3),
    Quota(STATES, ("StartExecution",), 1300, 300),
    Quota(STATES, ("DescribeExecution",), 300, 15),
    Quota(STATES, ("StopExecution",), 1000, 200),
    Quota(STATES, ("ListTagsForResource",), 100, 1),
    Quota(STATES, ("SendTask",), 3000, 500),
    Quota(CLOUDWATCH, ("DescribeAlarms",), 9, 9),
    Quota(CLOUDWATCH, ("PutMetricAlarm", "PutCompositeAlarm"), 3, 3),
    Quota(CLOUDWATCH, ("DeleteAlarms",), 3, 3),
    Quota(CLOUDWATCH, ("GetMetricData",), 50, 50),
)


class Buckets:
    """The buckets of one account and region. Thread-safe.

    Parameters
    ----------
    clock
        Seconds, from whenever.
    """

    def __init__(self, clock: Callable[[], float], quotas: tuple[Quota, ...] = AWS) -> None:
        self._clock, self._quotas = clock, quotas
        self._lock = threading.Lock()
        self._levels = [(quota.holds, clock()) for quota in quotas]
        # How often each action was let through, and how often it was not.
        self.taken: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def take(self, service: str, action: str) -> bool:
        """Whether a request is let through; one that is not costs nothing."""
        now = self._clock()
        with self._lock:
            mine = [
                at
                for at, quota in enumerate(self._quotas)
                if quota.service == service and action.startswith(quota.actions)
            ]
            for at in mine:
                level, since = self._levels[at]
                quota = self._quotas[at]
                self._levels[at] = min(quota.holds, level + (now - since) * quota.refill), now
            well = all(self._levels[at][0] >= 1 for at in mine)
            for at in mine if well else ():
                self._levels[at] = self._levels[at][0] - 1, now
            (self.taken if well else self.refused)[action] += 1
        return well
