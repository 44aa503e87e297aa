"""What shall stand in the chat about a release: from its view and from what stands already."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence, Set

from candlefish.messages.draw import (
    answered_message,
    decisions_message,
    picture_words,
    question_message,
    release_message,
    rollback_message,
    train_message,
)
from candlefish.messages.model import EVERYBODY, Wanted, WantedPicture, Wish
from candlefish.messages.record import Member, Shown, find_refused
from candlefish.release.news import NEWS
from candlefish.views.model import EntryView, ReleaseView

MAIN = "main"
# Entries that stand elsewhere than in the thread: in the message itself, as a question, as a message of its own.
ELSEWHERE = frozenset({"started", "approval_requested", "refused", "rolling_back", "rolled_back"})
# What is bad enough that the channel sees it, not the thread alone.
ALOUD = frozenset(kind for kind, words in NEWS.items() if words.tone in ("warning", "bad")) - {"denied"}
# What a question is closed by.
CLOSES = ("approved", "denied", "rolling_back", "superseded")
ROLLBACKS = ("rolling_back", "rolled_back")
OVER = ("promoted", "rolled_back", "refused")


def subject_of(view: ReleaseView) -> str:
    """What a release's message is about: the release, or the train that it is a part of."""
    return view.train or view.id


def member_of(view: ReleaseView) -> Member:
    return Member(view.service, view.id, view.says, view.tone, view.status in OVER)


def has_to_be_known(view: ReleaseView) -> bool:
    """Whether people have to know now how it stands."""
    return view.question is not None or view.status in ROLLBACKS


def decide_messages(view: ReleaseView, shown: Shown, *, owner: str, link: str, now: float) -> Wish:
    """What shall stand about a release. `owner` is the name of its owner's channel, empty where it has none."""
    refused = find_refused(shown, now)
    channels = [each for each in dict.fromkeys((owner or EVERYBODY, EVERYBODY)) if each not in refused]
    notes = [f"Not in the channel {name}: {why}" for name, why in refused.items()]
    note = " ".join(notes)
    if not channels:
        return Wish(untold=note if has_to_be_known(view) else "")
    home = channels[0]
    questions = [*_questions(view, shown, home, refused, link, note)]
    said = {*shown.said, *(mark for each in questions for mark in each.covers)}
    messages = (
        *_rollback(view, channels, link, note),
        _main(view, shown, home, link, note),
        *questions,
        *_decisions(view, said, home),
    )
    return Wish(messages, tuple(_pictures(view, shown, home)))


def _rollback(view: ReleaseView, channels: Sequence[str], link: str, note: str) -> Iterator[Wanted]:
    if view.status in ROLLBACKS:
        message = rollback_message(view, link=link, note=note)
        for channel in channels:
            yield Wanted(f"rollback/{view.id}/{channel}", channel, message)


def _main(view: ReleaseView, shown: Shown, home: str, link: str, note: str) -> Wanted:
    if view.train:
        members = [*({**shown.members, view.id: member_of(view)}).values()]
        return Wanted(MAIN, home, train_message(view.train, members, view, link=link))
    return Wanted(MAIN, home, release_message(view, link=link, picture=shown.picture, note=note))


def _questions(
    view: ReleaseView, shown: Shown, home: str, refused: Container[str], link: str, note: str
) -> Iterator[Wanted]:
    asked = view.question
    if asked is not None:
        message = question_message(view, asked, link=link, note=note)
        yield Wanted(f"question/{view.id}/{asked.id}", home, message, below=MAIN, aloud=True)
    for name, post in shown.posts.items():
        prefix, _, id = name.rpartition("/")
        closed = f"closed/{id}"
        if prefix != f"question/{view.id}" or (asked is not None and asked.id == id):
            continue
        # Where its channel takes nothing, what closed it is said like any other decision.
        if closed not in shown.said and post.channel not in refused:
            answer = _answer(view.timeline)
            covers = (closed, said_mark(view, answer)) if answer else (closed,)
            yield Wanted(name, post.channel, answered_message(view, answer), below=MAIN, covers=covers)


def _answer(timeline: Sequence[EntryView]) -> EntryView | None:
    """What closed the last question: the first of what can, after it was asked."""
    found = None
    for entry in timeline:
        if entry.kind == "approval_requested":
            break
        if entry.kind in CLOSES:
            found = entry
    return found


def _decisions(view: ReleaseView, said: Set[str], home: str) -> Iterator[Wanted]:
    fresh = [
        each
        for each in reversed(view.timeline)
        if each.kind in NEWS and each.kind not in ELSEWHERE and said_mark(view, each) not in said
    ]
    for aloud in (True, False):
        entries = [each for each in fresh if (each.kind in ALOUD) is aloud]
        if entries:
            marks = tuple(said_mark(view, each) for each in entries)
            message = decisions_message(entries, view.service if view.train else "")
            yield Wanted(f"entries/{marks[-1]}", home, message, below=MAIN, aloud=aloud, covers=marks)


def said_mark(view: ReleaseView, entry: EntryView) -> str:
    """A mark by which an entry of a timeline is known to have been said."""
    return f"{view.id}/{entry.at:.6f}/{entry.kind}"


def _pictures(view: ReleaseView, shown: Shown, home: str) -> Iterator[WantedPicture]:
    """At a question, and when it is over: between them they would fill the thread."""
    moment = f"question/{view.question.id}" if view.question else view.status if view.status in OVER else ""
    served = sum(point.new.requests > 0 for point in view.points)
    name = f"picture/{view.id}/{moment}"
    if moment and served > 1 and name not in shown.posts:
        yield WantedPicture(name, home, MAIN, picture_words(view))
