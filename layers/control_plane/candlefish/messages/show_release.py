"""Show a release in the chat: let what stands there say how it stands now.

An event is only a reason to look. What stands is remembered after every call, so whoever comes next goes on from there,
and nothing is said twice unless somebody dies between a call and writing it down. A channel is given one message a
second; what came meanwhile is in the next one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from candlefish.bounds import NO_JSON
from candlefish.errors import AskedToWait, ControlPlaneError, Permanent, RecordContested
from candlefish.messages.decide import decide_messages, has_to_be_known, member_of, subject_of
from candlefish.messages.model import ChatMessage, ShowResult, Wanted, WantedPicture
from candlefish.messages.picture import rates_picture
from candlefish.messages.ports import MessagePorts
from candlefish.messages.record import (
    REFUSED,
    Post,
    Shown,
    forget_post,
    is_busy,
    keep_member,
    keep_picture,
    keep_post,
    keep_told,
    leave,
    refuse_channel,
    take,
)
from candlefish.release.model import ReleaseEntry
from candlefish.signals.notification import Notification
from candlefish.views.model import ReleaseView

# Seconds to wait where somebody else is editing, and where the chat does not answer.
TURN, DOWN = 2.0, 30.0
# A chat that answers nobody for so long leaves people to be told in another way. Seconds.
PATIENCE = 120.0
# A channel that is refused leads to another plan; there are two of them.
PLANS = 3

What = TypeVar("What", Wanted, WantedPicture)


def show_release(release: str, asked_at: float, *, ports: MessagePorts) -> ShowResult:
    """Let the chat show how a release stands. `asked_at` is when the event came, epoch seconds.

    Raises
    ------
    Unavailable, Throttled
        The table or the read model does not answer; look again.
    """
    if not ports.chat.edits():
        return ShowResult(("webhooks tell of it",))
    view = ports.see(release)
    seen = ports.shown.read(subject_of(view))
    if is_busy(seen, ports.now()):
        return ShowResult(("somebody else is at it",), TURN)
    try:
        turn = _Turn(view, ports.shown.write(take(seen, ports.now())), ports, asked_at)
    except RecordContested:
        return ShowResult(("somebody else was faster",), TURN)
    return turn.result()


class _Turn:
    """One who shows a release, until there is nothing to do or it has to wait."""

    def __init__(self, view: ReleaseView, shown: Shown, ports: MessagePorts, asked_at: float) -> None:
        self._view, self._shown, self._ports, self._asked_at = view, shown, ports, asked_at
        self._done: list[str] = []
        self._again = 0.0
        # Channels that take nothing before somebody has waited.
        self._waiting: set[str] = set()

    def result(self) -> ShowResult:
        try:
            if self._view.train:
                self._keep(keep_member(self._shown, member_of(self._view)))
            for _ in range(PLANS):
                if self._all():
                    break
        except RecordContested:
            # It took too long, and somebody else went on from what was written down.
            return ShowResult(tuple(self._done), TURN)
        self._ports.shown.write(leave(self._shown))
        return ShowResult(tuple(self._done), self._again)

    def _all(self) -> bool:
        """Everything that shall stand, as far as it goes now; False where a channel was refused meanwhile."""
        refused = self._shown.refused
        wish = decide_messages(
            self._view,
            self._shown,
            owner=self._ports.channel_of(self._view.service),
            link=self._ports.link_of(self._view.id),
            now=self._ports.now(),
        )
        if wish.untold:
            self._tell_otherwise(wish.untold)
            # Somebody may mend it, and what stands says something else than what is.
            self._look_again(REFUSED)
        for wanted in wish.messages:
            self._try(wanted.channel, self._stand, wanted)
            if self._shown.refused is not refused:
                return False
        for picture in wish.pictures:
            self._try(picture.channel, self._picture, picture)
        return True

    def _try(self, channel: str, act: Callable[[What], None], what: What) -> None:
        """Do something in a channel, unless it has to wait; others do not wait for it."""
        if channel in self._waiting:
            return
        try:
            act(what)
        except RecordContested:
            raise
        except AskedToWait as error:
            self._ports.pace.hold(channel, self._ports.now() + error.seconds)
            self._wait(channel, error.seconds)
        except Permanent as error:
            self._done.append(f"{channel} refused: {error}")
            self._keep(refuse_channel(self._shown, channel, str(error), self._ports.now()))
        except ControlPlaneError as error:
            self._done.append(str(error))
            self._wait(channel, DOWN)
            if self._ports.now() - self._asked_at > PATIENCE and has_to_be_known(self._view):
                self._tell_otherwise(str(error))

    def _stand(self, wanted: Wanted) -> None:
        """Post or edit a message; nothing where it says this already."""
        post = self._shown.posts.get(wanted.name)
        if post is not None and post.channel != wanted.channel:
            post = None
        digest = words_digest(wanted.message)
        if post is not None and post.digest == digest:
            return
        above = self._shown.posts.get(wanted.below) if wanted.below else None
        homeless = bool(wanted.below) and (above is None or above.channel != wanted.channel)
        if post is None and homeless:
            # What it is posted under has to wait, and so has this.
            return
        if not self._may(wanted.channel):
            return
        if post is not None:
            if self._ports.chat.edit(wanted.channel, post.ts, wanted.message):
                self._keep(
                    keep_post(self._shown, wanted.name, Post(post.channel, post.ts, digest), wanted.covers)
                )
                self._done.append(f"edited {wanted.name} in {wanted.channel}")
                return
            # Somebody deleted it, or it is too old: it is posted anew, so that it is not lost.
            self._keep(forget_post(self._shown, wanted.name))
            if homeless:
                return
        below = above.ts if above else ""
        ts = self._ports.chat.post(wanted.channel, wanted.message, below=below, aloud=wanted.aloud)
        self._keep(keep_post(self._shown, wanted.name, Post(wanted.channel, ts, digest), wanted.covers))
        self._done.append(f"posted {wanted.name} in {wanted.channel}")

    def _picture(self, wanted: WantedPicture) -> None:
        """Share a picture. Words stand without it: it is tried once, and whatever is refused leaves it out."""
        above = self._shown.posts.get(wanted.below)
        if above is None or above.channel != wanted.channel or not self._may(wanted.channel):
            return
        try:
            file = self._ports.chat.share(
                wanted.channel, above.ts, rates_picture(self._view.points), wanted.says
            )
        except Permanent as error:
            self._done.append(f"no picture: {error}")
            file = ""
        self._keep(keep_picture(self._shown, wanted.name, wanted.channel, file))
        if file:
            # The message shows it from the next edit on: until then Slack has looked at it.
            self._look_again(TURN)

    def _may(self, channel: str) -> bool:
        """Whether a channel takes something now; it is asked again when it does."""
        wait = self._ports.pace.take(channel, self._ports.now())
        if wait > 0:
            self._wait(channel, wait)
        return wait <= 0

    def _wait(self, channel: str, seconds: float) -> None:
        self._waiting.add(channel)
        self._look_again(seconds)

    def _look_again(self, seconds: float) -> None:
        """There is more to do then; the soonest counts, for what may be done then waits for nobody else."""
        self._again = min(self._again or seconds, seconds)

    def _tell_otherwise(self, why: str) -> None:
        """The chat took nothing of what people have to know: mail says so, and the timeline; once a reason to."""
        view = self._view
        what = f"{view.status}/{view.question.id if view.question else ''}"
        if what in self._shown.told:
            return
        says = f"Slack has not been told: {why}"
        self._ports.mail.send(
            Notification(
                title=f"{view.service} {view.new.label} in {view.environment}: {view.status.replace('_', ' ')}; "
                "not in Slack",
                text=f"{view.says}. {says}.",
                tone="bad",
                facts=(("Release", view.id),),
                link=self._ports.link_of(view.id),
                command=view.command,
            )
        )
        self._ports.timeline.append(
            view.id,
            ReleaseEntry(self._ports.now(), "not_told", f"{says}; it went out by mail", by="show-release"),
        )
        self._keep(keep_told(self._shown, what))
        self._done.append(says)

    def _keep(self, shown: Shown) -> None:
        self._shown = self._ports.shown.write(shown)


def words_digest(message: ChatMessage) -> str:
    """The same for messages that say the same, whenever."""
    return hashlib.sha256(msgspec.json.encode(replace(message, as_of=0.0))).hexdigest()[:16]


class _Detail(msgspec.Struct, frozen=True):
    release: str = ""
    # Of an execution of the release machine, which is called like its release.
    name: str = ""


class _Event(msgspec.Struct, frozen=True):
    detail: _Detail


def release_named_in(event: str) -> str:
    """Which release an event is about, one of the bus or its execution's end; empty where it is about none."""
    try:
        detail = msgspec.json.decode(event, type=_Event).detail
    except NO_JSON:
        return ""
    return detail.release or detail.name
