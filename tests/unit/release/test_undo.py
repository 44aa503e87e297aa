"""Which version an undo brings again, and an abort that comes after the end."""

from __future__ import annotations

import msgspec
import pytest

from candlefish.errors import AlreadyStable, InvalidInput, NothingToRollBack, VersionKnownBad
from candlefish.release.model import Release, Status
from candlefish.release.undo import find_earlier
from candlefish.service.model import BadVersion, Version
from candlefish.service.record import check_running
from tests.support.release_world import World, roll_back
from tests.support.service import V1, V2, V3, fresh, image, released, rollback, take


def release(id: str, version: Version, status: Status = "promoted") -> Release:
    return Release(id, "production", "backend-api", version, "developer", "why", 0.0, status=status)


# Newest first, as the journal has them.
RELEASES = (
    release("r5", V3, "refused"),
    release("r4", V3),
    release("r3", V2, "rolled_back"),
    release("r2", V2),
    release("r1", V1),
)
LIVE = released(fresh(), "r4", V3)


def test_it_is_what_served_before() -> None:
    assert find_earlier(LIVE, RELEASES).id == "r2"


def test_what_was_rolled_back_is_passed_over() -> None:
    bad = msgspec.structs.replace(LIVE, bad=(BadVersion(V2.image, "", "errors", 1.0),))
    assert find_earlier(bad, RELEASES).id == "r1"


def test_after_an_undo_the_next_one_goes_on_from_there() -> None:
    live = released(fresh(), "r6", V2)
    assert find_earlier(live, (release("r6", V2), *RELEASES)).id == "r4"


@pytest.mark.parametrize("to", ["r1", "v1", V1.image, V1.digest, V1.digest.removeprefix("sha256:")])
def test_one_is_named_by_release_label_or_digest(to: str) -> None:
    assert find_earlier(LIVE, RELEASES, to).id == "r1"


@pytest.mark.parametrize("to", ["v9", "r5", "sha256:", "0000", "'; drop", "V1"])
def test_what_names_none_is_refused_with_what_is_known(to: str) -> None:
    with pytest.raises(InvalidInput, match="known are v3, v2, v1"):
        find_earlier(LIVE, RELEASES, to)


def test_the_beginning_of_a_digest_is_enough() -> None:
    one, other = (Version(f"{image(1).partition('@')[0]}@sha256:{digit * 64}") for digit in "ab")
    known = (release("ra", one), release("rb", other))
    assert find_earlier(LIVE, known, "aaaaaaa").id == "ra"
    assert find_earlier(LIVE, known, "sha256:bbbbbbb").id == "rb"
    with pytest.raises(InvalidInput):
        find_earlier(LIVE, known, "bbbbbb")


def test_what_names_two_versions_is_refused_with_their_releases() -> None:
    twins = (*RELEASES, release("r0", Version(image(9), label="v1")))
    with pytest.raises(InvalidInput, match=r"more than one version.*r1 .*r0"):
        find_earlier(LIVE, twins, "v1")


def test_the_image_that_serves_comes_with_the_catalog() -> None:
    with pytest.raises(AlreadyStable, match="--configuration"):
        find_earlier(LIVE, RELEASES, "r4")


def test_nothing_before_it_is_known() -> None:
    with pytest.raises(InvalidInput, match="name one with --to"):
        find_earlier(LIVE, RELEASES[:3])
    with pytest.raises(InvalidInput, match="never served"):
        find_earlier(fresh(), RELEASES)


def test_a_version_that_is_known_bad_is_refused_as_ever(world: World) -> None:
    world.records.update(
        "backend-api", lambda r: msgspec.structs.replace(r, bad=(BadVersion(image(2), "", "errors", 1.0),))
    )
    with pytest.raises(VersionKnownBad):
        world.begin(reason="undo to v2 of r2: why")


def test_an_abort_ends_a_release_that_runs_and_remembers_nothing_bad(world: World) -> None:
    begun = world.begin()
    check_running(world.record, "r2")
    roll_back(world, release="r2", disposition="rejected", only_running=True)
    assert world.record.rollback and world.record.bad == ()
    assert world.record.desired[begun.slot] == 0


@pytest.mark.parametrize("release", ["r2", "r1"])
def test_an_abort_after_the_end_changes_nothing_and_says_what_to_do_instead(release: str) -> None:
    live = released(released(fresh(), "r1", V1, window=0), "r2", V2, window=600)
    before = rollback(live, release="r2", disposition="rejected")
    assert before.rollback, "without the condition it would have been taken back"
    with pytest.raises(NothingToRollBack):
        rollback(live, release=release, disposition="rejected", only_running=True)
    next_one = take(live, "r3", V3)
    with pytest.raises(NothingToRollBack, match="r3 came after it"):
        rollback(next_one, release="r2", disposition="rejected", only_running=True)
