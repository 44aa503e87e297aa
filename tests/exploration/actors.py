"""Who acts: executions of the machines, and invocations that nobody waits for. Values; what they do next is a question.

An actor does its own steps (a function returns, the machine goes on) at once: nobody else can see them. It stops where
it asks something of the world, and goes on with the answer. Each actor has a number, and what follows from it and an
answer is remembered.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.exploration.machines import (
    ASKS,
    FOLLOW,
    INVOKE,
    START,
    STOP,
    End,
    Failure,
    Step,
    Task,
    Wait,
    Walker,
)
from tests.exploration.product import Asks, Product, Raises, Returns
from tests.exploration.subject import Op, arn_of, decode, encode

# What it asks: to begin, to wait until a time, to wait for an execution's end.
BEGIN, UNTIL, ENDED = "begin", "until", "ended"
# How an invocation ends that does not: its answer is one of these instead.
DIES = Failure("Sandbox.Timedout", "its time was up")
DIES_FOR_GOOD = Failure("Sandbox.Timedout", "its time was up", for_good=True)
ANSWER_LOST = Failure("Lambda.Unknown", "the function's answer was lost")


class Ended(NamedTuple):
    """An execution that was waited for has ended well."""

    output: bytes


class Call(NamedTuple):
    """An invocation of a function. `began` is None until it has asked for something: until then it may as well begin later."""

    function: str
    payload: bytes
    began: float | None = None
    answers: tuple[Any, ...] = ()


class Actor(NamedTuple):
    """An execution (`machine` is its ARN), or a bare invocation (empty)."""

    machine: str
    name: str
    step: Step | None = None
    call: Call | None = None
    # The execution that it waits for.
    follows: str = ""
    status: str = "RUNNING"
    output: bytes = b"null"

    @property
    def over(self) -> bool:
        return self.call is None and self.status != "RUNNING"

    @property
    def runs(self) -> bool:
        """Whether it is an execution that is under way."""
        return bool(self.machine) and self.status == "RUNNING"


class Troupe:
    """All actors that there ever were in a search, by number."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self._walkers = {arn: Walker(machine, asks=product.asks) for arn, machine in product.machines.items()}
        self._numbers: dict[Actor, int] = {}
        self.actors: list[Actor] = []
        self._asks: list[Op | None] = []
        self._resumed: dict[tuple[int, Any, float], int] = {}
        # States of the machines that any execution has waited in.
        self.visited: set[tuple[str, str]] = set()
        # What broke with an error that is none of ours.
        self.bugs: dict[str, None] = {}

    # --- who there is ---------------------------------------------------------------------------

    def number(self, actor: Actor) -> int:
        """The actor's number."""
        found = self._numbers.get(actor)
        if found is None:
            found = self._numbers[actor] = len(self.actors)
            self.actors.append(actor)
            self._asks.append(self._what(actor))
        return found

    def execution(self, machine: str, name: str, value: Any, now: float) -> int:
        """A new execution, by the machine's short name."""
        arn = next(each for each, of in self.product.machines.items() if of.name == machine)
        begun = self._walkers[arn].begin(name, encode(value), now)
        return self._settled(self._stands(Actor(arn, name), begun), now)

    def invocation(self, function: str, payload: Any) -> int:
        """An invocation that no machine waits for."""
        name = self.product.functions[function].name
        return self.number(Actor("", name, call=Call(function, encode(payload))))

    def asks(self, number: int) -> Op | None:
        """What it asks of the world next; None when it has ended."""
        return self._asks[number]

    def deadline(self, number: int) -> float | None:
        """When its invocation is dead at the latest; None when none has begun."""
        call = self.actors[number].call
        if call is None or call.began is None:
            return None
        return call.began + self.product.functions[call.function].timeout

    def function(self, number: int) -> str:
        """The function that is being run; empty when none has begun."""
        call = self.actors[number].call
        return "" if call is None or call.began is None else self.product.functions[call.function].name

    # --- how they go on -------------------------------------------------------------------------

    def resume(self, number: int, answer: Any, now: float) -> int:
        """The actor after an answer, or after a `Failure` of its invocation."""
        key = (number, answer, now)
        found = self._resumed.get(key)
        if found is None:
            found = self._resumed[key] = self._settled(self._answered(self.actors[number], answer, now), now)
        return found

    def aborted(self, number: int) -> int:
        """The execution after StopExecution; an invocation goes on, and nobody waits for it."""
        actor = self.actors[number]
        call = actor.call if actor.call is not None and actor.call.began is not None else None
        return self.number(actor._replace(status="ABORTED", step=None, call=call, follows=""))

    def orphan(self, number: int) -> int:
        """Its invocation alone: its answer will reach nobody."""
        actor = self.actors[number]
        return self.number(Actor("", f"{actor.name} (unheard)", call=actor.call))

    def waits_for_answer(self, number: int) -> bool:
        """Whether it is an execution whose question is told, and that waits for the answer."""
        actor = self.actors[number]
        return actor.runs and isinstance(actor.step, Wait) and bool(actor.step.token)

    def told(self, number: int, token: str, now: float) -> tuple[int, ...]:
        """The execution after SendTaskSuccess, and its invocation where it goes on; nothing where it waits for another."""
        actor = self.actors[number]
        step = actor.step
        if not actor.runs or step is None or isinstance(step, End) or token != _token(step):
            return ()
        at = self._walkers[actor.machine].answered(actor.name, step.at, {}, now)
        goes_on = self._settled(self._stands(actor._replace(call=None), at), now)
        alone = actor.call is not None and actor.call.began is not None
        return (goes_on, self.orphan(number)) if alone else (goes_on,)

    def _answered(self, actor: Actor, answer: Any, now: float) -> Actor:
        call = actor.call
        if isinstance(answer, Failure):
            return self._failed(actor._replace(call=None), answer, now)
        if call is not None:
            if call.began is None:
                return actor._replace(call=call._replace(began=now))
            return actor._replace(call=call._replace(answers=(*call.answers, answer)))
        step = actor.step
        assert step is not None and not isinstance(step, End)
        walker = self._walkers[actor.machine]
        if isinstance(step, Wait):
            return self._stands(actor, walker.waited(actor.name, step, now))
        if step.resource == FOLLOW and not actor.follows:
            return actor._replace(follows=_child(step, self.product))
        result = {"Output": decode(answer.output)} if isinstance(answer, Ended) else None
        return self._stands(actor._replace(follows=""), walker.answered(actor.name, step.at, result, now))

    def _failed(self, actor: Actor, failure: Failure, now: float) -> Actor:
        if actor.status != "RUNNING" or not actor.machine:
            return actor._replace(status="FAILED" if actor.status == "RUNNING" else actor.status)
        assert isinstance(actor.step, Task)
        walker = self._walkers[actor.machine]
        return self._stands(
            actor._replace(follows=""), walker.failed(actor.name, actor.step.at, failure, now)
        )

    def _settled(self, actor: Actor, now: float) -> int:
        """On to where it asks something, or to its end."""
        while actor.call is not None and actor.call.began is not None:
            found = self.product.next_of(
                actor.call.function, actor.call.payload, actor.call.began, actor.call.answers
            )
            if isinstance(found, Asks):
                break
            if isinstance(found, Raises) and found.bug:
                self.bugs[
                    f"{self.product.functions[actor.call.function].name}: {found.error}: {found.cause}"
                ] = None
            actor = self._ended(actor._replace(call=None), found, now)
        return self.number(actor)

    def _ended(self, actor: Actor, found: Returns | Raises, now: float) -> Actor:
        if isinstance(found, Raises):
            # Short, so that traces and states stay so; nothing decides by the words of a cause.
            return self._failed(actor, Failure(found.error, found.error), now)
        if actor.status != "RUNNING" or not actor.machine:
            return actor._replace(status="SUCCEEDED" if actor.status == "RUNNING" else actor.status)
        assert isinstance(actor.step, Task)
        answer = {"Payload": decode(found.answer)}
        walker = self._walkers[actor.machine]
        if token := _token(actor.step):
            return self._stands(actor, walker.asked(actor.step.at, token, now))
        return self._stands(actor, walker.answered(actor.name, actor.step.at, answer, now))

    def _stands(self, actor: Actor, step: Step) -> Actor:
        """The execution, waiting for what its machine does next."""
        if isinstance(step, End):
            return actor._replace(step=None, call=None, follows="", status=step.status, output=step.output)
        self.visited.add((self.product.machines[actor.machine].name, step.at.state))
        if isinstance(step, Task) and step.resource.removesuffix(ASKS) == INVOKE:
            arguments = decode(step.arguments)
            call = Call(arguments["FunctionName"], encode(arguments.get("Payload", {})))
            return actor._replace(step=step, call=call)
        return actor._replace(step=step)

    def _what(self, actor: Actor) -> Op | None:
        if actor.call is not None:
            call = actor.call
            if call.began is None:
                return (BEGIN, self.product.functions[call.function].name)
            found = self.product.next_of(call.function, call.payload, call.began, call.answers)
            assert isinstance(found, Asks), found
            return found.op
        if actor.status != "RUNNING":
            return None
        if actor.follows:
            return (ENDED, actor.follows)
        step = actor.step
        if isinstance(step, Wait):
            return (UNTIL, step.until)
        assert isinstance(step, Task)
        arguments = decode(step.arguments)
        if step.resource in (START, FOLLOW):
            machine = self.product.machines[arguments["StateMachineArn"]].name
            return ("start", machine, arguments["Name"], encode(arguments["Input"]))
        assert step.resource == STOP, step.resource
        return ("stop", arguments["ExecutionArn"])


def _token(step: Task | Wait) -> str:
    """The token that it waits for an answer to; empty where it is no question."""
    if isinstance(step, Wait):
        return step.token
    return str(decode(step.arguments)["Payload"]["token"]) if step.resource.endswith(ASKS) else ""


def _child(step: Task, product: Product) -> str:
    arguments = decode(step.arguments)
    return arn_of(product.machines[arguments["StateMachineArn"]].name, arguments["Name"])
