"""The one switch of everything that acts by itself: reconcilers, responses to signals, sleeping and waking.

It is a tag of the state machine `respond`, so that it outlives the table (whoever restores that has switched off
first), and so that somebody at the AWS console can switch as well. What people ask for goes on, and so does what
is under way: a release that was asked for, its watch, a rollback.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from candlefish.errors import ControlPlaneError
from candlefish.ports import Switchboard

TAG = "candlefish:automation"
# What the tag may say for automation to act; a missing tag is on as well.
ON = frozenset({"", "on", "enabled", "true"})
# What Step Functions takes in the value of a tag, and how much of it.
REFUSED, LONGEST = re.compile(r"[^\w\s.:/=+\-@]"), 256


def off_tag(reason: str, by: str, now: float) -> str:
    """What the tag says from now on; as much of the reason as a tag takes."""
    at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%MZ")
    return REFUSED.sub(" ", f"off since {at} by {by}: {reason}")[:LONGEST].strip()


def switched_off(said: str) -> str:
    """Why automation is off when the tag says so; empty when it is on."""
    if said.strip().lower() in ON:
        return ""
    return f"automation is {said} (tag {TAG} of the machine respond); go on with: candlefish automation on"


def why_off(switchboard: Switchboard) -> str:
    """Why nothing may act by itself now; empty when it may. A switch that cannot be read is off."""
    try:
        return switchboard.off()
    except ControlPlaneError as error:
        return f"whether automation is on could not be read, so nothing acts without a person: {error}"
