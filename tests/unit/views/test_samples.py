"""The sample views are what the files say, and what the API may send."""

from __future__ import annotations

import msgspec
import pytest

from candlefish.views import model
from tests.support.views import FOLDER, SAMPLES, fleet_of, sample_text


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_what_its_file_says(name: str) -> None:
    """`python -m tests.support.views` writes them."""
    assert (FOLDER / f"{name}.json").read_text() == sample_text(name)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_reads_as_what_it_is(name: str) -> None:
    view = SAMPLES[name]()
    assert msgspec.json.decode(sample_text(name), type=type(view)) == view
    assert type(view).__module__ == model.__name__


def test_no_file_is_left_of_a_sample_that_is_gone() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(SAMPLES)


def test_a_large_fleet_has_what_was_asked_for() -> None:
    view = fleet_of(services=200, in_flight=50)
    assert len(view.cells) == 200
    assert sum(bool(cell.release) for cell in view.cells) == 50
    assert len(view.needs) == sum(cell.needs_person for cell in view.cells) == 5
