"""What may come in: the field and what is allowed are named, nothing recurses before it was looked at, and what is only
said is made fit instead of refused."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import msgspec
import pytest

from candlefish.bounds import (
    DEEPEST,
    LARGEST,
    LONGEST_REASON,
    decoded,
    fit,
    fit_line,
    sound,
)
from candlefish.errors import InvalidInput
from candlefish.handler import parse
from candlefish.release.configuration import LARGEST_CONFIGURATION
from candlefish.release.model import Release, ReleaseEntry
from candlefish.release.payloads import OnboardRequest, ReleaseStart, TrainStart
from candlefish.service.model import BadVersion, Hold, RollbackRequest, Version, all_to
from candlefish.service.record import (
    MOST_HOLDS,
    ServiceRecord,
    add_hold,
    begin_rollback,
    end_rollback,
)
from tests.support.release import FakeJournal
from tests.support.service import V1, fresh, image, released, take

# DynamoDB's limit of an item, in bytes.
ITEM = 400_000
# The widest character, in bytes, that JSON has no escape for.
WIDE = "\U0001f600"


@pytest.fixture(autouse=True)
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")


def release(**fields: Any) -> dict[str, Any]:
    request = {
        "service": "backend-api",
        "image": image(2),
        "reason": "faster search",
        "environment": "production",
    }
    return {"release": "r1", "execution": "arn:r1", "request": {**request, **fields}}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"keep_for": -1e6}, r"`float` >= 0.0 - at `\$.request.keep_for`"),
    ({"keep_for": 1e308}, r"`float` <= 2592000.0 - at `\$.request.keep_for`"),
    ({"keep_for": math.inf}, r"\$.request.keep_for is inf; write a number"),
    ({"keep_for": math.nan}, r"\$.request.keep_for is nan; write a number"),
    ({"keep_for": 10**400}, r"\$.request.keep_for is a number of more than 64 bits"),
    ({"reason": "r" * 1001}, r"of length <= 1000 - at `\$.request.reason`"),
    ({"reason": "\x1b[2Jall is well"}, r"without control characters - at `\$.request.reason`"),
    ({"reason": "\u202egnp.exe"}, "without control characters"),
    ({"label": "x" * 200_000}, r"of length <= 200 - at `\$.request.label`"),
    ({"label": "\x1b[2J[/b]"}, r"in one line, without control characters - at `\$.request.label`"),
    ({"label": "1.2\n::error::mine"}, "in one line"),
    ({"token": "a b"}, r"that is a token of GitHub's - at `\$.request.token`"),
    ({"token": "x" * 16385}, r"of length <= 16384 - at `\$.request.token`"),
    ({"requested_by": "me"}, "unknown field `requested_by`"),
    ({"train": "a#b"}, r"of letters, digits and \. _ = @ \+ - - at `\$.request.train`"),
    ({"train": "a/b"}, "of letters, digits"),
    ({"service": "../x"}, r"that is a name like api-gateway - at `\$.request.service`"),
    ({"service": "backend-api\n"}, "that is a name"),
    ({"service": "b" * 41}, "of length <= 40"),
    ({"image": "x" * 2000}, r"of length <= 1024 - at `\$.request.image`"),
    ({"bundle": "s3://a b/c"}, r"that is an address - at `\$.request.bundle`"),
]


@pytest.mark.parametrize(("fields", "why"), REFUSED, ids=[f"{w}" for _, w in REFUSED])
def test_what_a_release_may_not_say_is_refused_with_the_field_and_what_is_allowed(
    fields: dict[str, Any], why: str
) -> None:
    with pytest.raises(InvalidInput, match=why):
        parse(release(**fields), ReleaseStart)


def test_what_people_write_is_taken_as_it_is() -> None:
    said = 'Schnellere Suche: 2x <b>so</b> "gut" [/api/v2] \U0001f600\n\tund mehr'
    start = parse(release(reason=said, keep_for=30 * 86400, label="v1.2.0-rc.1+build/7"), ReleaseStart)
    assert start.request.reason == said
    assert start.request.keep_for == 30 * 86400


def test_a_train_has_an_end() -> None:
    car = {"service": "backend-api", "image": image(2)}
    request = {"releases": [car] * 41, "reason": "x"}
    with pytest.raises(InvalidInput, match=r"`array` of length <= 40 - at `\$.request.releases`"):
        parse({"train": "t", "execution": "arn", "request": request}, TrainStart)


def nested(depth: int, of: str) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value] if of == "lists" else {"a": value}
    return value


@pytest.mark.parametrize("of", ["lists", "mappings"])
def test_what_nests_too_deep_is_refused_before_anything_recurses(of: str) -> None:
    assert sound(nested(DEEPEST, of))
    for depth in (DEEPEST + 1, 100_000):
        with pytest.raises(InvalidInput, match=rf"nests deeper than {DEEPEST} levels"):
            parse({"service": "backend-api", "more": nested(depth, of)}, OnboardRequest)


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(InvalidInput, match="larger than"):
        sound(["x" * (LARGEST // 2), "x" * (LARGEST // 2)])
    with pytest.raises(InvalidInput, match="larger than"):
        decoded(b" " * (LARGEST + 1), "the body")


def test_halves_of_surrogate_pairs_are_replaced_wherever_they_stand() -> None:
    event = {"\ud83d": ["a\udc00b", {"x": 1}], "whole": "\U0001f600"}
    assert sound(event) == {"\ufffd": ["a\ufffdb", {"x": 1}], "whole": "\U0001f600"}
    json.dumps(sound(event), ensure_ascii=False).encode()
    whole = {"a": ["b", 1, 1.5, None, True]}
    assert sound(whole) is whole


@pytest.mark.parametrize("key", [1, None, 2.5])
def test_a_key_that_is_no_text_is_refused(key: Any) -> None:
    with pytest.raises(InvalidInput, match="a key is"):
        sound({"a": {key: 1}})


def test_words_are_made_fit() -> None:
    assert fit("as it is\nand on", 20) == "as it is\nand on"
    assert fit("x" * 21, 20) == "x" * 19 + "…"
    assert fit("a\x00\x1b[2J\ud83d\u202eb", 20) == "a\ufffd\ufffd[2J\ufffd\ufffdb"
    assert fit_line(" a\r\n::error::b\tc ", 20) == "a ::error::b c"
    assert len(fit_line("x " * 500_000, 20)) == 20


def test_a_refusal_is_short_whatever_was_sent() -> None:
    for fields in ({"environment": "E" * 40_000}, {"k" * 100_000: 1}, {"service": ["x"] * 1000}):
        with pytest.raises(InvalidInput) as refused:
            parse(release(**fields), ReleaseStart)
        assert len(str(refused.value)) < 1000


# --- a record stays an item of the table


# Canonical JSON, whose quotes are escaped once more where it is kept.
CONFIGURATION = '"x":' * (LARGEST_CONFIGURATION // 4)
LARGEST_VERSION = Version("i" * 1024, WIDE * 200, "b" * 1024, "d" * 200, CONFIGURATION)
WORDS = WIDE * 100_000


def rolled_back(record: ServiceRecord, n: int) -> ServiceRecord:
    version = msgspec.structs.replace(LARGEST_VERSION, image=f"{n:04d}" + "i" * 1020)
    record = end_rollback(msgspec.structs.replace(record, holder=None), generation=record.generation, now=1.0)
    record = take(record, f"{n:080d}", version, 0.0)
    request = RollbackRequest(
        id="r" * 100, environment="production", service="backend-api", reason=WORDS, by=WORDS
    )
    return begin_rollback(record, request.fit(), execution="e" * 200, now=1.0, lease=10)


def largest() -> ServiceRecord:
    """The largest record that transitions can make of the largest requests."""
    record = released(fresh(), "r1", V1)
    for n in range(30):
        record = rolled_back(record, n)
    for n in range(200):
        record = add_hold(record, Hold(f"signal:{n:0128d}", WORDS, 1.5, WORDS))
    slots = {
        name: msgspec.structs.replace(
            slot, version=LARGEST_VERSION, incoming=LARGEST_VERSION, before=LARGEST_VERSION
        )
        for name, slot in record.slots.items()
    }
    return msgspec.structs.replace(record, slots=slots)


def test_the_largest_record_is_far_from_what_the_table_takes() -> None:
    record = largest()
    assert (len(record.bad), len(record.holds)) == (20, MOST_HOLDS)
    assert len(msgspec.json.encode(record)) < ITEM * 3 / 4


def test_a_record_with_long_words_of_before_is_shortened_by_its_next_rollback() -> None:
    """What older code wrote must not keep a service from being rolled back."""
    record = released(fresh(), "r1", V1)
    old = tuple(BadVersion(image(n), "", "x" * 19_000, 1.0) for n in range(20))
    record = msgspec.structs.replace(take(record, "r2", Version(image(99))), bad=old)
    assert len(msgspec.json.encode(record)) > 380_000
    request = RollbackRequest(
        id="rb", environment="production", service="backend-api", reason="x" * 230_000, by="me"
    )
    after = begin_rollback(record, request.fit(), execution="e", now=1.0, lease=10)
    assert len(msgspec.json.encode(after)) < 20_000
    assert after.desired == all_to(after.stable or "blue")
    assert after.rollback and len(after.rollback.reason) == LONGEST_REASON


def test_an_entry_of_a_timeline_can_be_kept_and_published_whatever_it_says() -> None:
    journal = FakeJournal()
    journal.open(Release("r1", "production", "backend-api", V1, "me", "why", 1.0))
    journal.append(
        "r1", ReleaseEntry(2.0, "held", WORDS + "\ud83d", by=WORDS, evidence={"said": ["x" * 500] * 1000})
    )
    (entry,) = journal.timeline["r1"]
    assert entry.evidence == {"left_out": "503010 bytes of evidence"}
    ((_, detail),) = journal.bus.published
    assert len(msgspec.json.encode(entry)) < 20_000 and len(msgspec.json.encode(detail)) < 30_000
    small = ReleaseEntry(2.0, "held", "why", by="me", evidence={"weight": 10})
    assert small.fit() == small


def test_every_pattern_has_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told a regular expression."""
    for fields, _ in REFUSED:
        with pytest.raises(InvalidInput) as refused:
            parse(release(**fields), ReleaseStart)
        assert re.search(r"matching regex", str(refused.value)) is None
