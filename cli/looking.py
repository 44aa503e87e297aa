"""One look at what is followed: a release or a train, whether it is over, and with what that ends a command."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from candlefish.errors import Misconfigured, Unavailable
from candlefish.service.model import name_of_car
from candlefish.views.model import ReleaseView
from cli.exits import Exit, exit_of
from cli.screen.train import Car, Outcome, TrainView
from cli.views import NotThere, Views

if TYPE_CHECKING:
    from cli.stack import Stack

OVER = ("promoted", "rolled_back", "refused")
# By this error an execution ends whose release, or train, starts by itself when the environment is awake.
QUEUED = "EnvironmentAsleep"
# By this one a train's ends that has taken back what it had promoted (statemachines/train.asl.yaml).
TAKEN_BACK = "TrainFailed"


class Look(msgspec.Struct, frozen=True):
    """What a look showed. `end` is None while it goes on; `why` is what an execution said that ended without a view."""

    name: str
    release: ReleaseView | None = None
    train: TrainView | None = None
    end: Exit | None = None
    why: str = ""

    @property
    def document(self) -> Any:
        """What `--json` prints of it."""
        return self.train or self.release or {"id": self.name, "says": self.why or "it has not begun yet"}


Looker = Callable[[], Look]


def looker(
    stack: Stack, name: str, *, until_question: bool = False, known: Literal["release", "train", ""] = ""
) -> Looker:
    """How to look at what has a name, a release's or a train's.

    `known` says as what it was started a moment ago: then nobody wonders that it is not there yet.

    Raises
    ------
    NotThere
        Nothing has that name.
    """
    views = Views(stack)
    if known == "train":
        return lambda: look_at_train(stack, views, name, until_question)
    if known:
        return lambda: look_at_release(stack, views, name, until_question)
    try:
        views.release(name)
    except NotThere:
        if train_of(stack, name) is not None:
            return lambda: look_at_train(stack, views, name, until_question)
        if _found(stack, "release", name) is None:
            raise NotThere(
                f"there is no release and no train {name} in {stack.environment}; "
                f"candlefish status -e {stack.environment} shows what there is"
            ) from None
    return lambda: look_at_release(stack, views, name, until_question)


def look_at_release(stack: Stack, views: Views, name: str, until_question: bool) -> Look:
    """A release; before it is written down, and where it was refused before that, its execution."""
    try:
        view = views.release(name)
    except NotThere:
        found = _found(stack, "release", name)
        if found is None or found["status"] == "RUNNING":
            return Look(name)
        queued = found.get("error") == QUEUED
        return Look(name, end=Exit.QUEUED if queued else Exit.REFUSED, why=why_ended(found))
    ended = view.status in OVER or (until_question and view.status == "awaiting_approval")
    return Look(name, view, end=exit_of(view.status) if ended else None)


def look_at_train(stack: Stack, views: Views, name: str, until_question: bool) -> Look:
    """A train: first how its machine stands, so that what its releases say after that is the last of it."""
    found = train_of(stack, name) or {"status": "RUNNING", "input": "{}"}
    services = [str(each["service"]) for each in json.loads(found["input"]).get("releases", ())]
    cars = []
    for service in services:
        try:
            cars.append(Car(service, views.release(name_of_car(name, service))))
        except NotThere:
            cars.append(Car(service))
    # As they begin, which is the order of their dependencies; those that have not begun as they were asked for.
    cars.sort(key=lambda car: car.release.started_at if car.release else math.inf)
    outcome, end = _outcome(found, any(car.release for car in cars))
    started = found.get("startDate")
    view = TrainView(
        name,
        stack.environment,
        outcome,
        _says(found, outcome),
        started.timestamp() if started else 0.0,
        tuple(cars),
    )
    current = view.current
    if end is None and until_question and current and current.status == "awaiting_approval":
        end = Exit.WAITS
    return Look(name, current, view, end, view.says)


def _says(found: dict[str, Any], outcome: Outcome) -> str:
    match outcome:
        case "under way" | "arrived":
            return ""
        case "not known":
            return (
                f"{why_ended(found)}: it ended before it had taken all back; each release says how it stands"
            )
        case _:
            return why_ended(found)


def _outcome(found: dict[str, Any], begun: bool) -> tuple[Outcome, Exit | None]:
    match found["status"]:
        case "RUNNING":
            return "under way", None
        case "SUCCEEDED":
            return "arrived", Exit.DONE
        case _ if found.get("error") == QUEUED:
            return "queued", Exit.QUEUED
        case _ if not begun:
            return "refused", Exit.REFUSED
        case _ if found.get("error") == TAKEN_BACK:
            return "taken back", Exit.ROLLED_BACK
        case _:
            # Stopped by hand, or at the end of its time or of its retries: what was promoted may be live still.
            return "not known", Exit.FAILED


def train_of(stack: Stack, name: str) -> dict[str, Any] | None:
    """A train's execution; None where there is none."""
    return _found(stack, "train", name)


def _found(stack: Stack, machine: str, name: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    from candlefish.adapters.aws.refusals import code_of, translated

    try:
        return stack.execution(machine, name)
    except ClientError as error:
        if code_of(error) in ("ExecutionDoesNotExist", "InvalidName", "ValidationException"):
            return None
        ours = translated(error, f"looking at {machine} {name}")
        if isinstance(ours, Misconfigured):
            # Said at the end of the command, in the words of whoever types it.
            raise
        raise Unavailable(str(ours)) from error
    except (ConnectionError, HTTPClientError) as error:
        raise Unavailable(f"looking at {machine} {name}: AWS did not answer ({error})") from error


def why_ended(found: dict[str, Any]) -> str:
    """Why an execution ended, in words: what its error said, without the envelope."""
    from candlefish.bounds import message_of

    cause = message_of(str(found.get("cause", "")))
    return (
        f"{found.get('error', found['status'])}: {cause}"
        if cause
        else str(found.get("error", found["status"]))
    )
