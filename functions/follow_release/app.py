"""Tell GitHub how a release of one of its workflows stands."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.bootstrap import views as seen
from candlefish.handler import handler
from candlefish.release.follow_release import FollowedEvent, FollowResult, follow_release

use = partial(follow_release, journal=wire.timelines(), host=wire.code_host(), words=seen.words_of)


@handler
def lambda_handler(event: FollowedEvent) -> FollowResult:
    return use(event)
