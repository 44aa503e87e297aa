"""The ports of the functions: every call is a question, answered from what a function was told so far.

What is asked of them is held to the adapters by who answers: `world.py` and, for Kubernetes, `cluster.py` under the
real adapter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from candlefish.adapters.aws.elbv2 import forward
from candlefish.adapters.kubernetes.messages import ApiResponse
from candlefish.adapters.table.items import change_stored
from candlefish.analysis.model import Arm, MetricTarget, Survey, Window
from candlefish.errors import InvalidInput, NotOnboarded, RecordContested, Unavailable
from candlefish.ports import Execution
from candlefish.release.model import Approval, Judgement, PlanStep, Release, ReleaseEntry
from candlefish.release.plan import with_experiment, with_promotion
from candlefish.release.record import AskedFreezes
from candlefish.service.model import RecordMark, Version
from candlefish.service.record import AllRecords, ServiceRecord
from candlefish.signals.payloads import SignalResponse, rollback_name, rollback_of
from candlefish.traffic.ports import NOBODYS, Intention, RuleTags, TargetHealth
from tests.exploration.cluster import Asked
from tests.exploration.subject import (
    ENVIRONMENT,
    EXPERIMENT_AT,
    GROUPS,
    LEAD,
    NAMESPACE,
    RULE,
    SERVICE,
    Op,
    Plan,
    arn_of,
    encode,
    freezes_of,
    record_of,
)


class NoAnswer(NamedTuple):
    """Instead of an answer: what was asked did not answer, whether it did what was asked or not."""


class Question(BaseException):
    """Ends a run where an answer is not known yet. No error: nothing that the product catches."""

    def __init__(self, op: Op) -> None:
        self.op = op


class Replay:
    """The answers that one invocation of a function got so far."""

    def __init__(self, function: str, answers: tuple[Any, ...]) -> None:
        self.function, self._answers, self._used = function, answers, 0

    def ask(self, *op: Any) -> Any:
        """The answer to its next question; ends the run where it has none yet."""
        if self._used == len(self._answers):
            raise Question(op)
        self._used += 1
        answer = self._answers[self._used - 1]
        if isinstance(answer, NoAnswer):
            raise Unavailable(f"{op[0]}: did not answer")
        return answer


class Records:
    def __init__(self, replay: Replay) -> None:
        self._replay = replay

    def get(self, service: str) -> ServiceRecord:
        stored = self._replay.ask("record.get")
        if not stored:
            raise NotOnboarded(f"{service} is not onboarded")
        return record_of(stored)

    def update(self, service: str, change: Any) -> Any:
        def put(record: ServiceRecord, seen: int) -> bool:
            return bool(self._replay.ask("record.put", encode(record), seen))

        return change_stored(lambda: self.get(service), change, put, f"the record of {service}")

    def all(self) -> AllRecords:
        stored = self._replay.ask("record.get")
        return AllRecords((record_of(stored),) if stored else ())


class Rules:
    def __init__(self, replay: Replay) -> None:
        self._replay = replay

    def read(self, rule: str) -> dict[str, int]:
        weights = self._replay.ask("rule.read")
        return {group: weights[slot == "green"] for group, slot in GROUPS.items()}

    def write(self, rule: str, weights: Mapping[str, int], intention: Intention = NOBODYS) -> None:
        # The smoke rule carries no users.
        if rule == RULE:
            by_slot = {GROUPS[group]: weight for group, weight in weights.items()}
            self._replay.ask("rule.write", by_slot["blue"], by_slot["green"])

    def health(self, target_group: str) -> TargetHealth:
        return TargetHealth(healthy=self._replay.ask("health", GROUPS[target_group]))

    def look_ahead(self, rule: str) -> None:
        """Writing is one move here: what else a rule does is nobody's subject."""

    def stamp(self, rule: str, mark: RecordMark) -> None:
        # Tags know no condition: it is looked at first, as the adapter does.
        if self._replay.ask("rule.tag") < mark:
            self._replay.ask("rule.stamp", mark)

    def listed(self, listener: str) -> list[dict[str, Any]]:
        return [{"RuleArn": RULE, "Priority": "1000", "Actions": [forward(self.read(RULE))]}]

    def tags(self, rules: Sequence[str]) -> dict[str, RuleTags]:
        return {RULE: RuleTags(SERVICE, ENVIRONMENT, self._replay.ask("rule.tag"))}


class Carrier:
    """`RequestCarrier`: requests about Deployments, autoscalers and Jobs are asked; the rest has no other writers here."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay

    def request(
        self,
        method: str,
        path: str,
        *,
        subject: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "",
    ) -> ApiResponse:
        plural, _, rest = path.partition(f"/namespaces/{NAMESPACE}/")[2].partition("/")
        name = rest.partition("/")[0]
        sent = encode(body) if body is not None else b""
        if plural == "jobs" and not name and body:
            name = body["metadata"]["name"]
        # Of Services, the one that stands for a worker's rule alone.
        shared = plural == "services" and name == SERVICE
        alone = plural in ("deployments", "horizontalpodautoscalers") and name
        if alone or shared or plural == "jobs":
            words = tuple(sorted((query or {}).items()))
            return self._replay.ask(  # type: ignore[no-any-return]
                "kube", Asked(method, plural, name, path, words, sent, content_type or "application/json")
            )
        if method == "GET" and not name:
            return ApiResponse(200, b'{"items":[]}')
        if method == "GET":
            return ApiResponse(404, b'{"kind":"Status","reason":"NotFound","code":404}')
        return ApiResponse(201, sent)


class Windows:
    """A metrics store that answers at once: two full windows until now, in which the serving slot was heard.

    `alone`: what an experiment sees of the old version without the canary; nothing is seen with it.
    """

    def __init__(self, replay: Replay, alone: Arm | None = None) -> None:
        self._replay, self._alone = replay, alone

    def windows(self, target: MetricTarget, since: float, until: float) -> list[Window]:
        if self._alone and self._replay.function == "run_analysis":
            if self._replay.ask("weight", target.canary_slot):
                return []
            return [Window(until + at, until + at + 60, self._alone, Arm(0)) for at in (0, 60)]
        # The judge of a promoted version finds nothing; that a slot is drained depends on whether it is.
        if self._replay.function != "retire_slot":
            return []
        heard = 50 if self._replay.ask("traffic", target.canary_slot) else 0
        return [
            Window(until - back, until - back + 5, Arm(100), Arm(heard))
            for back in (10, 5)
            if until - back >= since
        ]

    def survey(self, target: MetricTarget, since: float, until: float) -> Survey:
        return Survey()


class Executions:
    def __init__(self, replay: Replay) -> None:
        self._replay = replay

    def start(self, machine: str, name: str, payload: Mapping[str, Any]) -> str:
        if machine == "respond":
            # What that machine does first is the whole of what it does to a service.
            response = msgspec.convert(payload, SignalResponse)
            return self.start("rollback", rollback_name(response), msgspec.to_builtins(rollback_of(response)))
        self._replay.ask("start", machine, name, encode(msgspec.to_builtins(payload)))
        return arn_of(machine, name)

    def status(self, arn: str) -> Execution:
        return Execution(arn, self._replay.ask("status", arn) or "UNKNOWN")

    def arn(self, machine: str, name: str) -> str:
        return arn_of(machine, name)

    def succeed(self, token: str, output: Mapping[str, Any]) -> None:
        self._replay.ask("succeed", token)

    def find(self, machine: str, name: str) -> Execution | None:
        arn = arn_of(machine, name)
        status = self._replay.ask("status", arn)
        return Execution(arn, status) if status else None


class Journal:
    """Nobody decides by what stands in a timeline, but by the plan, which is the same for all releases here.

    But for experiments and promotions: what was put into a plan is asked, where it judges or asks.
    """

    def __init__(self, replay: Replay, plan: tuple[PlanStep, ...]) -> None:
        self._replay, self._plan = replay, plan
        self._judged = next((at for at, step in enumerate(plan) if step.kind == "judge"), None)
        self._follows = any(step.kind in ("judge", "approve") for step in plan)

    def open(self, release: Release) -> bool:
        return True

    def read(self, release: str) -> Release:
        if not release.startswith("release"):
            raise InvalidInput(f"there is no release {release!r}")
        found = Release(
            release,
            ENVIRONMENT,
            SERVICE,
            Version(SERVICE),
            "developer",
            "why",
            0.0,
            generation=1,
            plan=self._plan,
            passes_skipped=True,
        )
        if not self._follows:
            return found
        written = self._replay.ask("plan.get")
        for number in range(written.experiments):
            assert self._judged is not None
            plan = with_experiment(found, self._judged + 3 * number, weight=EXPERIMENT_AT, within=600.0)
            found = msgspec.structs.replace(found, plan=plan)
        if written.promoted:
            found = msgspec.structs.replace(found, plan=with_promotion(found.plan, LEAD))
        return found

    def replan(self, seen: Release, plan: tuple[PlanStep, ...]) -> None:
        if not self._replay.ask("plan.put", _written(seen.plan), _written(plan)):
            raise RecordContested("the plan was written by another look")

    def append(self, release: str, entry: ReleaseEntry) -> None:
        if entry.kind == "drift_repaired":
            self._replay.ask("accuse")

    def set_status(self, release: str, status: str, *, over: Any, because: Any = None) -> bool:
        return True

    def entries(self, release: str) -> list[ReleaseEntry]:
        return []

    def recent(self, service: str, limit: int = 10) -> list[Release]:
        return []


def _written(plan: tuple[PlanStep, ...]) -> Plan:
    """What was put into a plan."""
    experiments = sum(step.kind == "experiment" for step in plan)
    return Plan(experiments, any(step.skipped_by for step in plan))


class Approvals:
    """`asks`: whether anybody is there to be asked; otherwise no release waits in a question that somebody could answer."""

    def __init__(self, replay: Replay, asks: bool) -> None:
        self._replay, self._asks = replay, asks

    def ask(self, approval: Approval) -> bool:
        self._replay.ask("question.token", approval.question, approval.token)
        asked = msgspec.structs.replace(approval, token="")
        return bool(self._replay.ask("question.put", encode(asked)))

    def read(self, release: str) -> Approval:
        stored = self._replay.ask("question.get") if self._asks else b""
        if not stored:
            raise InvalidInput(f"release {release} asks nothing")
        return msgspec.json.decode(stored, type=Approval)

    def answer(self, seen: Approval, after: Approval) -> bool:
        return bool(self._replay.ask("question.answer", encode(seen), encode(after)))

    def token(self, asked: Approval) -> str:
        token = self._replay.ask("question.token.get", asked.question)
        if not token:
            raise InvalidInput(f"release {asked.release} waits for no answer")
        return str(token)


class Freezes:
    """`asked`: whether anybody freezes; otherwise nothing is, and nobody has to look."""

    def __init__(self, replay: Replay, asked: bool) -> None:
        self._replay, self._asked = replay, asked

    def get(self) -> AskedFreezes:
        return freezes_of(self._replay.ask("freeze.get") if self._asked else b"")

    def update(self, change: Any) -> Any:
        def put(freezes: AskedFreezes, seen: int) -> bool:
            return bool(self._replay.ask("freeze.put", encode(freezes), seen))

        return change_stored(self.get, change, put, "the freezes")


class Judgements:
    """The same is known at every look: nothing, and the judge finds nothing; or that both versions are in trouble."""

    def __init__(self, known: Judgement) -> None:
        self._known = known

    def read(self, release: str) -> Judgement:
        return self._known

    def write(self, release: str, judgement: Judgement, at: float) -> None: ...


class Switchboard:
    """Nobody has switched automation off."""

    def off(self) -> str:
        return ""


class Bus:
    def publish(self, kind: str, detail: Mapping[str, Any]) -> None: ...

    def publish_all(self, events: Any) -> None: ...
