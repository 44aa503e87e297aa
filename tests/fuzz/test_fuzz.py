"""Every parser of what comes from outside, with some inputs of one seed; `make fuzz` gives them a million."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from candlefish.errors import InvalidInput
from tests.support.fuzz.mutate import deep, mutated, scrambled
from tests.support.fuzz.parsers import ENVIRONMENT, Parser, all_parsers, event_kinds
from tests.support.fuzz.run import ENOUGH, Tally, fuzz, input_of, rng, seed_of, shares, summed

ROOT = Path(__file__).parents[2]
INPUTS, SEED = 20_000, 20261129
PARSERS = all_parsers()
# What reads anything that it is given, and refuses nothing.
TAKES_ALL = {"refusal of Kubernetes", "cause of a failure", "registry's headers"}


@pytest.fixture(autouse=True)
def production(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ENVIRONMENT", ENVIRONMENT)
    yield


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_an_input_ends_in_a_clear_error_or_a_correct_run(parser: Parser) -> None:
    tally = fuzz(parser, SEED, range(shares(PARSERS, INPUTS)[parser.name]))
    assert tally.found == []
    # Neither all too strange nor all too tame: both ways out are taken.
    assert tally.taken > 0
    assert tally.refused > 0 or parser.name in TAKES_ALL


def test_the_inputs_of_a_seed_are_always_the_same() -> None:
    parser = next(each for each in PARSERS if each.name == "Alertmanager's webhook")
    seed = seed_of(5, parser.name, 17)
    assert parser.make(rng(seed)) == input_of(seed)
    assert len({bytes(parser.make(rng(seed_of(5, parser.name, n)))) for n in range(50)}) > 30


def test_every_function_and_every_sample_is_among_them() -> None:
    names = {path.parent.name for path in ROOT.glob("functions/*/app.py")}
    assert event_kinds().keys() == names
    text = (ROOT / "tests/support/fuzz/parsers.py").read_text()
    for path in ROOT.glob("events/**/*.json"):
        assert path.stem in text, f"{path} is not among the samples"


def fragile(value: Any) -> Any:
    """A parser that forgot one thing, as those of before did."""
    if not isinstance(value, dict):
        raise InvalidInput("no mapping")
    return {"name": str(value.get("name", "")), "first": value.get("things", [None])[0]}


def test_what_is_neither_is_found_with_its_seed() -> None:
    """The harness itself: a parser with a fault is found out, and its input can be made again."""
    parser = Parser("fragile", lambda r: mutated(r, [{"name": "x", "things": [1]}]), fragile)
    tally = fuzz(parser, 1, range(500))
    assert len(tally.found) == ENOUGH
    errors = {found.error.partition(":")[0] for found in tally.found}
    assert errors & {"TypeError", "IndexError", "KeyError"}
    assert all(found.seed.startswith("1/fragile/") and "parsers" not in found.where for found in tally.found)


@pytest.mark.parametrize("result", ["a\ud83d", float("nan"), object()])
def test_what_cannot_be_written_down_is_no_correct_run(result: Any) -> None:
    """NaN is what msgspec writes as null: it is not read back as it was."""
    parser = Parser("odd", lambda r: 1, lambda given: result)
    tally = fuzz(parser, 1, range(1))
    assert (tally.taken, len(tally.found)) == (0, 1)


def test_a_refusal_that_says_nothing_is_no_clear_error() -> None:
    def refuse(given: Any) -> Any:
        raise InvalidInput(given)

    for said in ("", "x" * 30_000, "\ud83d"):
        tally = fuzz(Parser("mute", lambda r, said=said: said, refuse), 1, range(1))
        assert (tally.refused, len(tally.found)) == (0, 1)


def test_samples_are_never_changed_themselves() -> None:
    given = [{"a": [1, {"b": "c"}], "d": deep(3, "list")}]
    before = json.dumps(given)
    r = random.Random(3)
    made = {json.dumps(mutated(r, given)) for _ in range(300)}
    assert json.dumps(given) == before
    assert len(made) > 200 and before[1:-1] in made
    assert len({scrambled(r, b"some text of some length") for _ in range(200)}) > 150


def test_pieces_of_a_parser_add_up() -> None:
    one, other = Tally("a", taken=1, refused=2), Tally("a", taken=10)
    assert summed(iter([one, other, Tally("b", taken=5)]))["a"].inputs == 13
