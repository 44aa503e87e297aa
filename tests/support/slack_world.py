"""Releases shown in a Slack: the use case with its real adapters to Slack, over stores in memory and views as they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from candlefish.adapters.http.slack_api import SlackApi
from candlefish.adapters.http.slack_chat import SlackChat
from candlefish.adapters.http.slack_secret import slack_secret
from candlefish.messages.model import ShowResult
from candlefish.messages.ports import MessagePorts
from candlefish.messages.show_release import show_release
from candlefish.views.model import EntryView, ReleaseView, Who
from lab.memory.messages import MemoryChannelPace, MemoryShownMessages
from lab.memory.release import MemoryJournalStore
from lab.memory.signals import MemoryChannel
from tests.support.clock import Clock
from tests.support.slack_api import RecordedSlack, secret

OURS = Who("control-plane")
NEVER = 50


class SlackWorld:
    """One who shows releases. `views` are what the read model says of each, by its id."""

    def __init__(self, slack: RecordedSlack, owner: str = "platform") -> None:
        self.slack, self.owner = slack, owner
        self.views: dict[str, ReleaseView] = {}
        self.clock = Clock(1_796_078_463.0)
        self.shown, self.pace = MemoryShownMessages(), MemoryChannelPace()
        self.mail, self.timeline = MemoryChannel(), MemoryJournalStore()
        self.secret = secret(slack.host)
        self.chat = SlackChat(SlackApi(slack.address, timeout=2.0), lambda: slack_secret(self.secret))
        # Runs whenever somebody looks at a view: another one comes first there.
        self.between: Callable[[], None] = lambda: None
        self.ports = MessagePorts(
            see=self._see,
            chat=self.chat,
            shown=self.shown,
            pace=self.pace,
            mail=self.mail,
            timeline=self.timeline,
            channel_of=lambda service: self.owner,
            link_of=lambda release: f"https://console.example/#/releases/{release}",
            now=self.clock,
        )

    def _see(self, release: str) -> ReleaseView:
        view = self.views[release]
        self.between()
        return view

    def once(self, view: ReleaseView, asked_at: float | None = None) -> ShowResult:
        """One event."""
        self.views[view.id] = view
        return show_release(view.id, self.clock() if asked_at is None else asked_at, ports=self.ports)

    def show(self, view: ReleaseView) -> list[str]:
        """An event, and looks as long as there is more to do, as the queue makes them; what was done."""
        asked_at, done = self.clock(), []
        for _ in range(NEVER):
            result = self.once(view, asked_at)
            done += result.done
            if not result.again:
                return done
            self.clock.forward(result.again)
        raise AssertionError(f"it never comes to an end: {done}")


def entry(
    view: ReleaseView, kind: str, word: str, says: str, by: str = "control-plane", **more: Any
) -> ReleaseView:
    """The view with one more entry, the newest."""
    at = max((each.at for each in view.timeline), default=view.now) + 1
    new = EntryView(at, kind, word, more.get("tone", "info"), says, Who(by))
    return replace(view, timeline=(new, *view.timeline))
