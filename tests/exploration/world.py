"""What the actors share, and what each of their questions does to it. One value, so that a search can compare."""

from __future__ import annotations

from typing import Any, NamedTuple

from candlefish.service.model import SLOTS, RecordMark
from candlefish.traffic.shares import read_weights
from tests.exploration.actors import ENDED, UNTIL, Ended, Troupe
from tests.exploration.cluster import Slot, Stored, ask, slot_of
from tests.exploration.jobs import End, Jobs
from tests.exploration.jobs import passed as jobs_passed
from tests.exploration.jobs import request as jobs_request
from tests.exploration.machines import Failure
from tests.exploration.subject import NAMESPACE, SERVICE, Op, Plan, arn_of, decode, freezes_of, record_of

# Seconds at weight 0 after which no request reaches a slot any more.
DRAIN = 20.0
_KINDS = ("deployments", "horizontalpodautoscalers")
# Writes of one item, or to the rule.
_FLYING = (
    "record.put",
    "plan.put",
    "freeze.put",
    "question.token",
    "question.put",
    "question.answer",
    "rule.write",
    "rule.stamp",
)


class Budget(NamedTuple):
    """How much may still happen that need not."""

    # Functions that die before, after or in the middle of a write.
    crashes: int = 0
    # Calls that are not answered, whether they did what was asked or not.
    errors: int = 0
    # Invocations whose machine hears nothing of them any more and tries again, while they go on.
    lost: int = 0
    # Executions that somebody stops.
    stops: int = 0
    # Times that the clock goes on to the next moment that somebody waits for.
    ticks: int = 0
    # Times that it goes on until the window closes, or a lease or a Job's time runs out.
    leaps: int = 0
    # Looks of each reconciler, in the order in which the product has them.
    looks: tuple[int, ...] = ()
    # How Jobs that run may end.
    ends: tuple[End, ...] = ()


class Flying(NamedTuple):
    """A write whose writer is dead: it lands before that time, or never."""

    op: Op
    until: float


class State(NamedTuple):
    """Everything."""

    record: bytes
    # Weights of blue and green.
    rule: tuple[int, int]
    # What the rule's tags say of the record that it follows.
    tag: RecordMark
    # Deployment and autoscaler of blue, then of green; and the Service that stands for a worker's rule.
    objects: tuple[Stored, ...]
    clock: float
    actors: tuple[int, ...] = ()
    flying: tuple[Flying, ...] = ()
    # When weight left a slot, as long as requests may be under way there; else 0.
    left_at: tuple[float, float] = (0.0, 0.0)
    left: Budget = Budget()
    # What each person is still going to do, in order.
    people: tuple[tuple[str, ...], ...] = ()
    # The record that a restored table has.
    backup: bytes = b""
    # What was put into the release's plan.
    plan: Plan = Plan()
    # Whether releases bring a migration; and the Jobs of releases, by name.
    migrates: bool = False
    jobs: Jobs = ()
    # Whether somebody of none of ours changed weights, and whether a timeline says so.
    meddled: bool = False
    accused: bool = False
    # Freezes that people asked for; and the releases that somebody asked to go on.
    freezes: bytes = b""
    # The question that was asked last, and the token of the task that waits for the answer to each.
    question: bytes = b""
    tokens: tuple[tuple[str, str], ...] = ()
    resumed: tuple[str, ...] = ()


def slots(state: State) -> tuple[Slot, Slot]:
    """What runs in blue and in green."""
    blue, blue_bounds, green, green_bounds, _ = state.objects
    return slot_of(blue, blue_bounds), slot_of(green, green_bounds)


def writes(op: Op) -> bool:
    """Whether it changes anything that others see."""
    return op[0] in (*_FLYING, "start", "stop", "succeed") or (op[0] == "kube" and op[1].writes)


def can_fail(op: Op) -> bool:
    """Whether it is a call that may remain without an answer."""
    return op[0].startswith(("record.", "plan.", "freeze.", "question.", "rule.", "health", "kube"))


def can_fly(op: Op) -> bool:
    """Whether it may land after its writer is dead."""
    return op[0] in (*_FLYING, "kube")


class Effects:
    """Does what actors ask for."""

    def __init__(self, troupe: Troupe) -> None:
        self._troupe = troupe

    def waits(self, state: State, op: Op) -> bool:
        """Whether it has to wait for something else to happen first."""
        if op[0] == UNTIL:
            return bool(state.clock < op[1])
        return op[0] == ENDED and self._status(state, op[1]) == "RUNNING"

    def do(self, state: State, op: Op) -> tuple[State, Any]:
        """The world afterwards, and the answer."""
        match op:
            case ("record.get",):
                return state, state.record
            case ("record.put", record, seen):
                if record_of(state.record).revision != seen:
                    return state, False
                return state._replace(record=record), True
            case ("plan.get",):
                return state, state.plan
            case ("plan.put", seen, plan):
                if seen is not None and state.plan != seen:
                    return state, False
                return state._replace(plan=plan), True
            case ("freeze.get",):
                return state, state.freezes
            case ("freeze.put", freezes, seen):
                if freezes_of(state.freezes).revision != seen:
                    return state, False
                return state._replace(freezes=freezes), True
            case ("question.get",):
                return state, state.question
            case ("question.token", question, token):
                return state._replace(
                    tokens=tuple(sorted({**dict(state.tokens), question: token}.items()))
                ), None
            case ("question.token.get", question):
                return state, dict(state.tokens).get(question, "")
            case ("question.put", asked):
                if state.question and decode(state.question)["question"] == decode(asked)["question"]:
                    return state, False
                return state._replace(question=asked), True
            case ("question.answer", seen, after):
                if state.question != seen:
                    return state, False
                return state._replace(question=after), True
            case ("succeed", token):
                return self._succeed(state, token), None
            case ("accuse",):
                return state._replace(accused=True), None
            case ("weight", slot):
                return state, state.rule[SLOTS.index(slot)]
            case ("rule.read",):
                return state, state.rule
            case ("rule.write", blue, green):
                return _weigh(state, (blue, green)), None
            case ("rule.tag",):
                return state, state.tag
            case ("rule.stamp", mark):
                return state._replace(tag=mark), None
            case ("health", slot):
                return state, slots(state)[SLOTS.index(slot)].replicas
            case ("traffic", slot):
                return state, _is_heard(state, SLOTS.index(slot))
            case ("kube", asked):
                return _request(state, asked)
            case ("start", machine, name, payload):
                return self._start(state, machine, name, payload)
            case ("stop", arn):
                return self._stop(state, arn), None
            case ("status", arn):
                return state, self._status(state, arn)
            case ("until", _) | ("begin", _):
                return state, None
            case ("ended", arn):
                return state, self._outcome(state, arn)
        raise NotImplementedError(op)

    def _find(self, state: State, arn: str) -> int | None:
        """Where among the actors an execution stands."""
        for at, number in enumerate(state.actors):
            actor = self._troupe.actors[number]
            if (
                actor.machine
                and arn == f"{actor.machine.replace(':stateMachine:', ':execution:')}:{actor.name}"
            ):
                return at
        return None

    def _status(self, state: State, arn: str) -> str:
        at = self._find(state, arn)
        return "" if at is None else self._troupe.actors[state.actors[at]].status

    def _start(self, state: State, machine: str, name: str, payload: bytes) -> tuple[State, Any]:
        at = self._find(state, arn_of(machine, name))
        if at is not None:
            running = self._troupe.actors[state.actors[at]].status == "RUNNING"
            exists = Failure("StepFunctions.ExecutionAlreadyExistsException", "it exists", for_good=True)
            return state, None if running else exists
        new = self._troupe.execution(machine, name, decode(payload), state.clock)
        return state._replace(actors=(*state.actors, new)), None

    def _succeed(self, state: State, token: str) -> State:
        for at, number in enumerate(state.actors):
            if told := self._troupe.told(number, token, state.clock):
                state = replaced(state, at, told[0])
                return state._replace(actors=(*state.actors, *told[1:]))
        # The task is over: answering it again is no error (`adapters.aws.stepfunctions`).
        return state

    def _stop(self, state: State, arn: str) -> State:
        at = self._find(state, arn)
        if at is None or self._troupe.actors[state.actors[at]].status != "RUNNING":
            return state
        follows = self._troupe.actors[state.actors[at]].follows
        stopped = replaced(state, at, self._troupe.aborted(state.actors[at]))
        # What it waits for with .sync is stopped as well.
        return self._stop(stopped, follows) if follows else stopped

    def _outcome(self, state: State, arn: str) -> Any:
        at = self._find(state, arn)
        assert at is not None
        actor = self._troupe.actors[state.actors[at]]
        if actor.status != "SUCCEEDED":
            return Failure("States.TaskFailed", actor.status)
        return Ended(actor.output)


def replaced(state: State, at: int, number: int) -> State:
    """Another actor in one's place."""
    return state._replace(actors=(*state.actors[:at], number, *state.actors[at + 1 :]))


def _weigh(state: State, weights: tuple[int, int]) -> State:
    left = tuple(
        0.0 if now else state.clock if before else at
        for now, before, at in zip(weights, state.rule, state.left_at, strict=True)
    )
    return state._replace(rule=weights, left_at=left)


def _is_heard(state: State, at: int) -> bool:
    return state.rule[at] > 0 or is_undrained(state, at)


def is_undrained(state: State, at: int) -> bool:
    """Whether requests of a slot that has no weight any more may be under way."""
    return state.left_at[at] > 0.0 and state.clock - state.left_at[at] < DRAIN


def passed(state: State, to: float) -> State:
    """The world at a later time, without what does not matter any more."""
    left = tuple(at if to - at < DRAIN else 0.0 for at in state.left_at)
    return state._replace(clock=to, left_at=left, jobs=jobs_passed(state.jobs, to))


def object_at(name: str, plural: str) -> int:
    """Where an object stands in `State.objects`."""
    if plural == "services":
        return 4
    return 2 * SLOTS.index(name.removeprefix(f"{SERVICE}-")) + _KINDS.index(plural)


def _request(state: State, asked: Any) -> tuple[State, Any]:
    if asked.plural == "jobs":
        jobs, answer = jobs_request(state.jobs, asked, state.clock)
        return (state if jobs is state.jobs else state._replace(jobs=jobs)), answer
    at = object_at(asked.name, asked.plural)
    after, answer = ask(state.objects[at], asked, NAMESPACE)
    if after is state.objects[at]:
        return state, answer
    objects = (*state.objects[:at], after, *state.objects[at + 1 :])
    state = state._replace(objects=objects)
    if asked.plural == "services":
        said = decode(after.body)["metadata"]["annotations"]
        weights = read_weights(said["candlefish.ai/weights"])
        assert weights is not None
        mark = RecordMark(int(said["candlefish.ai/revision"]), int(said["candlefish.ai/generation"]))
        state = _weigh(state, (weights["blue"], weights["green"]))._replace(tag=mark)
    return state, answer
