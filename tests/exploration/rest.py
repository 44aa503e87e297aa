"""What becomes of a world that is left alone: everybody goes on, the reconcilers look every minute, time passes."""

from __future__ import annotations

from tests.exploration.actors import Troupe
from tests.exploration.invariants import is_overdue, not_at_peace
from tests.exploration.moves import Moves
from tests.exploration.subject import record_of
from tests.exploration.world import Budget, State, passed

# Minutes until whatever will be mended is mended: a rollback's lease is the longest that anybody waits for.
ROUNDS = 60
MINUTE = 60.0
# Every fourth round is long enough for leases and windows to end.
LONG_EVERY, LONG = 4, 1801.0


class Rest:
    """Says what is never mended. What came to peace once is remembered."""

    def __init__(self, troupe: Troupe, moves: Moves) -> None:
        self._troupe, self._moves = troupe, moves
        self._peaceful: set[State] = set()
        self._restless: dict[State, tuple[str, ...]] = {}

    def problems(self, state: State) -> list[str]:
        """What is wrong now."""
        return not_at_peace(state, self._troupe.product.least)

    def never_mended(self, state: State) -> tuple[str, ...]:
        """What is still wrong when everybody has had the time to mend it."""
        state = state._replace(left=Budget(), people=())
        trail: list[State] = []
        found: tuple[str, ...] = ()
        for turn in range(ROUNDS):
            if state in self._peaceful:
                found = ()
                break
            if state in self._restless:
                found = self._restless[state]
                break
            trail.append(state)
            state = self._quiet(state)
            wrong = self.problems(state)
            running = {a.machine for n in state.actors if (a := self._troupe.actors[n]).status == "RUNNING"}
            endless = sorted(machine.rpartition("-")[2] for machine in running)
            found = (*wrong, *(f"a {machine} runs for ever" for machine in endless))
            if is_overdue(state):
                found = (*found, "the rollback window is closed and the previous slot was not retired")
            if not found and record_of(state.record).window_until <= state.clock:
                break
            for arn in self._troupe.product.reconcilers:
                state = self._quiet(self._moves.look(state, arn))
            state = self._later(state, turn)
        if found:
            self._restless.update(dict.fromkeys(trail, found))
        else:
            self._peaceful.update(trail)
        return found

    def _quiet(self, state: State) -> State:
        """Everybody goes on, one after the other, until all of them wait; what was in flight lands."""
        while True:
            if state.flying:
                late, *others = state.flying
                state, _ = self._moves.effects.do(state._replace(flying=tuple(others)), late.op)
                continue
            for at, number in enumerate(state.actors):
                op = self._troupe.asks(number)
                if op is not None and not self._moves.effects.waits(state, op):
                    state = self._moves.step(state, at, op).to
                    break
            else:
                return state

    def _later(self, state: State, turn: int) -> State:
        return passed(state, state.clock + (LONG if turn % LONG_EVERY == LONG_EVERY - 1 else MINUTE))
