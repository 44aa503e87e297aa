"""Everything that can happen next: the actors' steps, deaths, late writes, time, people."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from candlefish.service.model import SLOTS
from tests.exploration.actors import ANSWER_LOST, BEGIN, DIES, DIES_FOR_GOOD, UNTIL, Troupe
from tests.exploration.acts import act
from tests.exploration.invariants import broken_by
from tests.exploration.jobs import deadlines, ends
from tests.exploration.machines import Failure
from tests.exploration.ports import NoAnswer
from tests.exploration.search import Move
from tests.exploration.subject import Op, record_of
from tests.exploration.world import (
    Effects,
    Flying,
    State,
    can_fail,
    can_fly,
    passed,
    replaced,
    writes,
)


class Moves:
    """What can happen next in a state; the same in the same order every time.

    Parameters
    ----------
    judged
        The invariants that moves are held to, by how their words begin.
    """

    def __init__(self, troupe: Troupe, judged: tuple[str, ...] = ("I", "jobs")) -> None:
        self.troupe = troupe
        self.effects = Effects(troupe)
        self._judged = judged

    def __call__(self, state: State) -> Iterator[Move[State]]:
        """All of them."""
        for at, number in enumerate(state.actors):
            if (op := self.troupe.asks(number)) is not None and not self.effects.waits(state, op):
                yield self.step(state, at, op)
                yield from self._mishaps(state, at, number)
            if state.left.stops and self.troupe.actors[number].runs:
                yield self._stopped(state, at)
        yield from self._landings(state)
        yield from self._time(state)
        yield from self._looks(state)
        yield from self._jobs(state)
        yield from self._people(state)

    def step(self, state: State, at: int, op: Op) -> Move[State]:
        """The actor goes on by one question. Beginning is one with the first question: nobody sees it begin."""
        number = state.actors[at]
        if op[0] == BEGIN:
            number = self.troupe.resume(number, None, state.clock)
            state = replaced(state, at, number)
            first = self.troupe.asks(number)
            if first is None or self.effects.waits(state, first) or not self.troupe.function(number):
                return Move(partial(self._tell, number, op, None), tidy(self.troupe, state))
            op = first
        after, answer = self.effects.do(state, op)
        resumed = self.troupe.resume(number, answer, after.clock)
        # An answer may have begun or stopped others; the actor itself stands where it stood.
        to = tidy(self.troupe, replaced(after, at, self._still(after, at, number, resumed)))
        return Move(partial(self._tell, number, op, answer), to, self._broken(state, after))

    def _still(self, after: State, at: int, number: int, resumed: int) -> int:
        """Who stands there: the actor as it went on, unless its own question stopped it."""
        if after.actors[at] == number:
            return resumed
        return self.troupe.aborted(resumed)

    def _broken(self, before: State, after: State) -> tuple[str, ...]:
        return tuple(each for each in broken_by(before, after) if each.startswith(self._judged))

    # --- what goes wrong ------------------------------------------------------------------------

    def _mishaps(self, state: State, at: int, number: int) -> Iterator[Move[State]]:
        op = self.troupe.asks(number)
        if op is None or not self.troupe.function(number):
            return
        if state.left.errors and can_fail(op):
            yield from self._unanswered(state, at, op)
        if not writes(op):
            return
        if state.left.crashes:
            yield from self._deaths(state, at, op)
        if state.left.lost and self.troupe.actors[number].runs:
            left = state.left._replace(lost=state.left.lost - 1)
            again = self.troupe.resume(number, ANSWER_LOST, state.clock)
            orphan = self.troupe.orphan(number)
            to = replaced(state._replace(left=left), at, again)
            to = tidy(self.troupe, to._replace(actors=(*to.actors, orphan)))
            yield Move(partial(self._say, number, "its machine hears nothing of it and tries again", op), to)

    def _deaths(self, state: State, at: int, op: Op) -> Iterator[Move[State]]:
        number = state.actors[at]
        poorer = state._replace(left=state.left._replace(crashes=state.left.crashes - 1))
        done, _ = self.effects.do(poorer, op)
        worlds = [("dies before it", poorer, ()), ("dies after it", done, self._broken(state, done))]
        deadline = self.troupe.deadline(number)
        if can_fly(op) and deadline is not None:
            flying = tuple(sorted((*poorer.flying, Flying(op, deadline))))
            worlds.append(("dies with it in flight", poorer._replace(flying=flying), ()))
        ends = [("", DIES)]
        if self.troupe.actors[number].runs:
            ends.append((", its retries are used up", DIES_FOR_GOOD))
        for how, world, wrong in worlds:
            for end, failure in ends:
                dead = self._still(world, at, number, self.troupe.resume(number, failure, world.clock))
                to = tidy(self.troupe, replaced(world, at, dead))
                yield Move(partial(self._say, number, how + end, op), to, wrong)

    def _unanswered(self, state: State, at: int, op: Op) -> Iterator[Move[State]]:
        number = state.actors[at]
        poorer = state._replace(left=state.left._replace(errors=state.left.errors - 1))
        resumed = self.troupe.resume(number, NoAnswer(), state.clock)
        to = tidy(self.troupe, replaced(poorer, at, resumed))
        yield Move(partial(self._say, number, "gets no answer", op), to)
        if writes(op):
            done, _ = self.effects.do(poorer, op)
            to = tidy(self.troupe, replaced(done, at, resumed))
            yield Move(
                partial(self._say, number, "gets no answer, and it was done", op),
                to,
                self._broken(state, done),
            )

    def _stopped(self, state: State, at: int) -> Move[State]:
        left = state.left._replace(stops=state.left.stops - 1)
        name = self.troupe.actors[state.actors[at]].name
        to = replaced(state._replace(left=left), at, self.troupe.aborted(state.actors[at]))
        return Move(lambda: f"somebody stops {name}", tidy(self.troupe, to))

    def _landings(self, state: State) -> Iterator[Move[State]]:
        for at, late in enumerate(state.flying):
            rest = state._replace(flying=(*state.flying[:at], *state.flying[at + 1 :]))
            landed, answer = self.effects.do(rest, late.op)
            yield Move(
                partial(tell, "a dead writer's request", late.op, answer),
                landed,
                self._broken(rest, landed),
            )
            yield Move(lambda op=late.op: f"a dead writer's request is lost: {shown(op)}", rest)  # type: ignore[misc]

    # --- time, and who comes in ------------------------------------------------------------------

    def _time(self, state: State) -> Iterator[Move[State]]:
        left = state.left
        if left.ticks and (to := next_wanted(self.troupe, state)) and self.can_pass(state, to):
            yield _later(state._replace(left=left._replace(ticks=left.ticks - 1)), to)
        if left.leaps:
            record = record_of(state.record)
            leases = {record.window_until, record.holder.until if record.holder else 0.0}
            for to in sorted(leases | deadlines(state.jobs)):
                if to > state.clock and self.can_pass(state, to):
                    yield _later(state._replace(left=left._replace(leaps=left.leaps - 1)), to)

    def can_pass(self, state: State, to: float) -> bool:
        """Whether everybody who would be dead by then is done, and every write of the dead has come down."""
        if any(late.until <= to for late in state.flying):
            return False
        deadlines = (self.troupe.deadline(number) for number in state.actors)
        return all(deadline is None or deadline > to for deadline in deadlines)

    def _looks(self, state: State) -> Iterator[Move[State]]:
        for at, (arn, left) in enumerate(
            zip(self.troupe.product.reconcilers, state.left.looks, strict=False)
        ):
            if left and not self._looking(state, arn):
                looks = (*state.left.looks[:at], left - 1, *state.left.looks[at + 1 :])
                poorer = state._replace(left=state.left._replace(looks=looks))
                yield Move(lambda arn=arn: f"it is time for {arn.rpartition(':')[2]}", self.look(poorer, arn))  # type: ignore[misc]

    def look(self, state: State, arn: str) -> State:
        """A reconciler is called by its schedule."""
        return state._replace(actors=(*state.actors, self.troupe.invocation(arn, {})))

    def _looking(self, state: State, arn: str) -> bool:
        calls = (self.troupe.actors[number].call for number in state.actors)
        return any(call is not None and call.function == arn for call in calls)

    def _jobs(self, state: State) -> Iterator[Move[State]]:
        for job in state.jobs:
            for how in state.left.ends if job.since else ():
                to = state._replace(jobs=ends(state.jobs, job, how))
                yield Move(lambda job=job, how=how: f"Job {job.name} is {how}", to)  # type: ignore[misc]

    def _people(self, state: State) -> Iterator[Move[State]]:
        for at, (first, *rest) in enumerate(state.people):
            people = tuple(
                each for each in (*state.people[:at], tuple(rest), *state.people[at + 1 :]) if each
            )
            yield Move(
                lambda first=first: f"somebody asks: {first}",
                act(self.troupe, state._replace(people=people), first),
            )  # type: ignore[misc]

    # --- words ------------------------------------------------------------------------------------

    def _tell(self, number: int, op: Op, answer: Any) -> str:
        return tell(self._named(number), op, answer)

    def _say(self, number: int, how: str, op: Op) -> str:
        return f"{self._named(number)} {how}: {shown(op)}"

    def _named(self, number: int) -> str:
        function = self.troupe.function(number)
        name = self.troupe.actors[number].name
        return name if not function or function == name else f"{name}.{function}"


def next_wanted(troupe: Troupe, state: State) -> float | None:
    """The next time that an execution waits for."""
    asked = (troupe.asks(number) for number in state.actors)
    times = [op[1] for op in asked if op is not None and op[0] == UNTIL and op[1] > state.clock]
    return min(times, default=None)


def _later(state: State, to: float) -> Move[State]:
    return Move(lambda: f"{to - state.clock:.0f} s pass", passed(state, to))


def tidy(troupe: Troupe, state: State) -> State:
    """Without bare invocations that have ended: nobody asks after them."""
    if all(troupe.actors[number].machine or not troupe.actors[number].over for number in state.actors):
        return state
    left = (n for n in state.actors if troupe.actors[n].machine or not troupe.actors[n].over)
    return state._replace(actors=tuple(left))


def tell(who: str, op: Op, answer: Any) -> str:
    """One step, for a person."""
    seen: str = shown(op)
    if op[0] == "kube":
        seen += f" -> {answer.status}"
    elif op[0] == "record.put" and not answer:
        seen += " -> somebody was faster"
    elif op[0] in ("rule.read", "rule.tag", "health", "status", "traffic"):
        seen += f" -> {answer}"
    elif isinstance(answer, Failure):
        seen += f" -> {answer.error}"
    return f"{who}: {seen}"


def shown(op: Op) -> str:
    """A question, for a person."""
    match op:
        case ("record.put", stored, _):
            return "record.put " + summary(stored)
        case ("start", machine, name, _):
            return f"start {machine} {name}"
    return " ".join(str(part) for part in op)


def summary(stored: bytes) -> str:
    """A record in a line."""
    record = record_of(stored)
    said: dict[str, Any] = {
        "generation": record.generation,
        "holder": record.holder.release if record.holder else None,
        "rollback": record.rollback.id if record.rollback else None,
        "weights": "/".join(str(record.desired[slot]) for slot in SLOTS),
        **{slot: _slot(record.slots[slot], slot == record.stable) for slot in SLOTS},
    }
    return " ".join(f"{name}={value}" for name, value in said.items() if value is not None)


def _slot(of: Any, stable: bool) -> str:
    words = [of.state if of.state != "stable" or stable else "stable?"]
    words += [of.version.label] if of.version else []
    words += [f"incoming {of.incoming.label}"] if of.incoming else []
    words += ["running"] if of.running else []
    words += ["retiring"] if getattr(of, "retiring", False) else []
    return f"({', '.join(words)})"
