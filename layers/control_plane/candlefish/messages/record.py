"""What stands in a chat about a release or train, and its transitions."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

# Who shows a release and has not said so for this long, in seconds, is gone: longer than its function may run.
BUSY = 75.0
# A channel that took nothing for good is tried again after this, in seconds.
REFUSED = 600.0


class Post(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message that stands: where, under which timestamp (its id there), and a digest of what it says."""

    channel: str
    ts: str
    digest: str = ""


class ChannelRefusal(msgspec.Struct, frozen=True):
    """A channel took nothing, for good. `at` is epoch seconds."""

    at: float
    why: str


class Member(msgspec.Struct, frozen=True, omit_defaults=True):
    """A release of a train, as its line says."""

    service: str
    release: str
    says: str
    tone: str
    over: bool = False


class Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands about a subject: a release, or a train with its members.

    `posts` are by name (`model.Wanted`), `said` are marks of what was said and need not be again. `busy_until` is until when somebody edits them, epoch seconds. `picture` is the
    file that the message shows, `told` what people were told in another way because the chat took nothing.
    """

    subject: str
    posts: dict[str, Post] = {}
    members: dict[str, Member] = {}
    refused: dict[str, ChannelRefusal] = {}
    said: tuple[str, ...] = ()
    picture: str = ""
    told: tuple[str, ...] = ()
    busy_until: float = 0.0
    revision: int = 0


def is_busy(shown: Shown, now: float) -> bool:
    return shown.busy_until > now


def take(shown: Shown, now: float) -> Shown:
    """Ours to edit, for a while."""
    return replace(shown, busy_until=now + BUSY)


def leave(shown: Shown) -> Shown:
    """The next one may edit."""
    return replace(shown, busy_until=0.0)


def keep_post(shown: Shown, name: str, post: Post, covers: tuple[str, ...] = ()) -> Shown:
    """That a message stands, or says something else now."""
    return replace(shown, posts={**shown.posts, name: post}, said=(*shown.said, *covers))


def forget_post(shown: Shown, name: str) -> Shown:
    """What stood is gone: it is posted anew."""
    return replace(shown, posts={each: post for each, post in shown.posts.items() if each != name})


def keep_picture(shown: Shown, name: str, channel: str, file: str) -> Shown:
    """That a picture was shared; without a file, that there shall be none."""
    return replace(keep_post(shown, name, Post(channel, file)), picture=file or shown.picture)


def refuse_channel(shown: Shown, channel: str, why: str, now: float) -> Shown:
    """That a channel took nothing, for good."""
    return replace(shown, refused={**shown.refused, channel: ChannelRefusal(now, why)})


def keep_told(shown: Shown, what: str) -> Shown:
    """That people were told in another way."""
    return replace(shown, told=(*shown.told, what))


def keep_member(shown: Shown, member: Member) -> Shown:
    """How a release of the train stands."""
    return replace(shown, members={**shown.members, member.release: member})


def find_refused(shown: Shown, now: float) -> dict[str, str]:
    """The channels that are not to be tried now, each with why."""
    return {name: each.why for name, each in shown.refused.items() if now < each.at + REFUSED}
