"""GitHub is told how a release stands now, whatever event was the reason to look."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from candlefish.bootstrap import views as bootstrap
from candlefish.errors import Unavailable
from candlefish.release.follow_release import (
    LONGEST,
    LOOKS,
    STATES,
    FollowedEvent,
    NewsOfRelease,
    follow_release,
    progress_of,
)
from candlefish.release.journal import STATUS
from candlefish.release.model import Release, ReleaseEntry, Status
from candlefish.service.model import Version
from candlefish.views.model import Reader, ReleaseView
from candlefish.views.see_release import see_release
from lab.memory.release import MemoryCodeHost
from lab.templates import read_template
from tests.support.seen_release import Watched
from tests.support.service import image
from tools.layers import ROOT

PROOF = {"repository": "acme/shop", "sha": "a" * 40, "run_id": "77"}


def release(status: Status = "running", proof: dict[str, str] | None = None) -> Release:
    return Release(
        "shop-gh-77-1", "prod", "shop", Version(image(1)), "github:ann", "r", 1.0,
        status=status, proof=PROOF if proof is None else proof,
    )  # fmt: skip


class Journal:
    """Releases that are read one after the other, the last for ever."""

    def __init__(self, *found: Release, entries: tuple[ReleaseEntry, ...] = ()) -> None:
        self._found, self._entries = list(found), list(entries)

    def read(self, name: str) -> Release:
        assert name == "shop-gh-77-1"
        return self._found.pop(0) if len(self._found) > 1 else self._found[0]

    def entries(self, name: str) -> list[ReleaseEntry]:
        return self._entries


def follow(
    *found: Release, entries: tuple[ReleaseEntry, ...] = (), name: str = "shop-gh-77-1"
) -> tuple[MemoryCodeHost, str]:
    host = MemoryCodeHost()
    event = FollowedEvent(NewsOfRelease(name))
    return host, follow_release(
        event, journal=Journal(*found, entries=entries), host=host, words=lambda _: ""
    ).told  # type: ignore[arg-type]


def test_every_status_has_words_of_githubs() -> None:
    assert set(STATES) == set(get_args(Status))
    for status in get_args(Status):
        host, told = follow(release(status))
        assert told == status
        assert (host.told[0].deployment, host.told[0].commit) == STATES[status]


def test_a_release_that_no_workflow_asked_for_is_told_to_nobody() -> None:
    for proof in ({}, {"arn": "arn:aws:iam::1:user/ann"}, {"repository": "acme/shop"}):
        host, told = follow(release(proof=proof))
        assert (host.told, told) == ([], "")
    assert follow(release(), name="")[0].told == []


def test_what_changed_while_it_was_told_is_told_as_well() -> None:
    host, told = follow(release("running"), release("promoted"))
    assert [each.commit for each in host.told] == ["pending", "success"]
    assert told == "promoted"


def test_what_changes_for_ever_is_looked_at_again_later() -> None:
    flip = [release("running"), release("held")] * LOOKS
    with pytest.raises(Unavailable, match="look again"):
        follow(*flip)


def test_it_says_what_brought_it_there_on_one_short_line() -> None:
    entries = (
        ReleaseEntry(1.0, "started", "begins"),
        ReleaseEntry(2.0, "approval_requested", "shall it go on?\n::error::" + "x" * 300),
        ReleaseEntry(3.0, "shifted", "later, and no change of status"),
    )
    says = progress_of(release("awaiting_approval"), entries).says
    assert says.startswith("awaiting approval: shall it go on?")
    assert "\n" not in says
    assert len(says) <= LONGEST


def test_it_says_what_everybody_sees_of_it_and_its_own_words_where_that_is_not_known() -> None:
    own = (ReleaseEntry(1.0, "promoted", "all steps are done"),)
    asked: list[tuple[str, str]] = []

    def words(release: Release) -> str:
        asked.append((release.id, release.status))
        return "v2 is live for all users;\nit is watched for 60 min more" if len(asked) == 1 else ""

    hosts = MemoryCodeHost()
    for _ in range(2):
        follow_release(
            FollowedEvent(NewsOfRelease("shop-gh-77-1")),
            journal=Journal(release("promoted"), entries=own),  # type: ignore[arg-type]
            host=hosts,
            words=words,
        )
    assert asked == [("shop-gh-77-1", "promoted")] * 2
    assert [each.says for each in hosts.told] == [
        "v2 is live for all users; it is watched for 60 min more",
        "promoted: all steps are done",
    ]
    assert len(progress_of(release(), (), "x" * 500).says) == LONGEST


def test_a_sentence_of_another_status_or_of_none_that_can_be_read_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched().until("judge")
    known = watched.world.journal.read("r2")

    class Views:
        def release(self, id: str, reader: Reader, *, live: bool) -> ReleaseView:
            assert not live
            return see_release(id, reader, looking=watched.looking, live=live)

    monkeypatch.setattr(bootstrap, "views", Views)
    assert bootstrap.words_of(known) == "v2 has 10%, and is about to be judged"
    assert bootstrap.words_of(msgspec.structs.replace(known, status="promoted")) == ""
    assert bootstrap.words_of(msgspec.structs.replace(known, id="gone")) == ""


def test_the_rule_lets_every_event_through_that_changes_a_status() -> None:
    template = read_template(ROOT / "template.yaml")
    changed = template["Resources"]["FollowReleaseFunction"]["Properties"]["Events"]["Changed"]
    published = {f"release.{kind}" for kind in STATUS if kind != "record_rebuilt"}
    assert set(changed["Properties"]["Pattern"]["detail-type"]) == published


def test_an_event_as_the_bus_has_it_is_read() -> None:
    raw = {
        "id": "1",
        "detail-type": "release.held",
        "detail": {"release": "x", "evidence": {"a": 1}, "at": 1.5},
    }
    assert msgspec.convert(raw, FollowedEvent).detail.release == "x"
