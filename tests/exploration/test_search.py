"""The search itself, on graphs that one can draw."""

from __future__ import annotations

from collections.abc import Iterator

from tests.exploration.search import Found, Move, search


def steps(*leads: tuple[int, int], wrong: int | None = None, most: int = 100) -> Found[int]:
    """The graph of these edges; one state may be wrong."""

    def moves(state: int) -> Iterator[Move[int]]:
        for before, after in leads:
            if before == state:
                yield Move(lambda before=before, after=after: f"{before} to {after}", after)  # type: ignore[misc]

    return search(0, moves, lambda state: ["wrong"] if state == wrong else None, most=most)


def test_every_state_is_seen_once() -> None:
    found = steps((0, 1), (0, 2), (1, 3), (2, 3), (3, 0))

    assert (found.states, found.moves, found.complete) == (4, 5, True)


def test_the_shortest_way_is_told() -> None:
    found = steps((0, 1), (1, 2), (2, 5), (0, 4), (4, 5), wrong=5)

    assert found.wrong == {"wrong": ["0 to 4", "4 to 5"]}


def test_a_bound_is_a_number_of_states() -> None:
    found = steps(*((at, at + 1) for at in range(50)), most=10)

    assert (found.states, found.complete) == (10, False)


def test_what_a_move_does_wrong_ends_its_trace() -> None:
    def moves(state: int) -> Iterator[Move[int]]:
        if state < 3:
            yield Move(lambda: f"from {state}", state + 1, ("it broke",) if state == 2 else ())

    found = search(0, moves, lambda state: None, most=10, stop_at_first=True)

    assert found.wrong == {"it broke": ["from 0", "from 1", "from 2"]}
