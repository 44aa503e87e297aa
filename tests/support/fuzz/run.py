"""So many inputs to every parser from one seed: what was taken, what was refused, and what was neither."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import time
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from candlefish.errors import ControlPlaneError
from tests.support.fuzz.parsers import ENVIRONMENT, Parser, all_parsers

# Counterexamples of one parser after which it is left alone.
ENOUGH = 5
# What an error of ours may say at most, in characters: people read it, and Lambda hands it on.
LONGEST_ERROR = 20_000


class Counterexample(msgspec.Struct, frozen=True):
    """An input that ended otherwise. `seed` makes it again (`input_of`)."""

    parser: str
    seed: str
    error: str
    where: str
    given: str


class Tally(msgspec.Struct):
    """What became of one parser's inputs."""

    parser: str
    taken: int = 0
    refused: int = 0
    seconds: float = 0.0
    found: list[Counterexample] = []

    @property
    def inputs(self) -> int:
        return self.taken + self.refused + len(self.found)


def shares(parsers: Sequence[Parser], inputs: int) -> dict[str, int]:
    """How many of so many inputs each parser gets; at least one."""
    whole = sum(parser.share for parser in parsers)
    return {parser.name: max(1, round(inputs * parser.share / whole)) for parser in parsers}


def seed_of(seed: int, parser: str, n: int) -> str:
    """Each input has a seed of its own, so that one can be made again without those before it."""
    return f"{seed}/{parser}/{n}"


def rng(seed: str) -> random.Random:
    return random.Random(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))


def input_of(seed: str) -> Any:
    """The input of a counterexample."""
    name = seed.partition("/")[2].rpartition("/")[0]
    parser = next(each for each in all_parsers() if each.name == name)
    return parser.make(rng(seed))


def try_one(parser: Parser, seed: str, tally: Tally) -> None:
    """Read one input, and see that it ends in one of the two ways."""
    given = parser.make(rng(seed))
    try:
        try:
            result = parser.read(given)
        except ControlPlaneError as refusal:
            said = str(refusal)
            said.encode()
            assert 0 < len(said) < LONGEST_ERROR, f"the refusal has {len(said)} characters"
            tally.refused += 1
            return
        # What JSON cannot hold comes back otherwise, or not at all.
        json.dumps(msgspec.to_builtins(result, enc_hook=str), allow_nan=False)
        msgspec.json.encode(result)
        tally.taken += 1
    except Exception as error:  # noqa: BLE001 - whatever else it is, it is what is looked for
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{os.path.relpath(frame.filename)}:{frame.lineno}"
        text = f"{type(error).__name__}: {error}"[:300]
        tally.found.append(Counterexample(parser.name, seed, text, where, repr(given)[:2000]))


def fuzz(parser: Parser, seed: int, numbers: range) -> Tally:
    """Give a parser the inputs of these numbers."""
    tally, began = Tally(parser.name), time.perf_counter()
    for n in numbers:
        try_one(parser, seed_of(seed, parser.name, n), tally)
        if len(tally.found) >= ENOUGH:
            break
    tally.seconds = time.perf_counter() - began
    return tally


_PIECE = 2000


def _piece(job: tuple[str, int, int, int]) -> Tally:
    name, seed, first, last = job
    os.environ["ENVIRONMENT"] = ENVIRONMENT
    parser = next(each for each in all_parsers() if each.name == name)
    return fuzz(parser, seed, range(first, last))


def fuzz_all(seed: int, inputs: int, processes: int) -> Iterator[Tally]:
    """Give every parser its share, piece by piece, as they are done."""
    jobs = [
        (name, seed, first, min(first + _PIECE, count))
        for name, count in shares(all_parsers(), inputs).items()
        for first in range(0, count, _PIECE)
    ]
    if processes == 1:
        yield from map(_piece, jobs)
        return
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        yield from pool.imap_unordered(_piece, jobs)


def summed(tallies: Iterator[Tally]) -> dict[str, Tally]:
    """One tally a parser."""
    found: dict[str, Tally] = {}
    for each in tallies:
        known = found.setdefault(each.parser, Tally(each.parser))
        known.taken += each.taken
        known.refused += each.refused
        known.seconds += each.seconds
        known.found += each.found
    return found
