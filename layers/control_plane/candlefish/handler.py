"""What every Lambda handler shares: typed input, one environment, logs with the release on each line."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar, get_type_hints

import msgspec

from candlefish.bounds import explained, fit, fit_line, sound
from candlefish.errors import ControlPlaneError, InvalidInput, NotYet, not_yet
from candlefish.invocation import begin
from candlefish.telemetry import logger
from candlefish.web import HttpAnswer

T = TypeVar("T")
Handler = Callable[[Any, Any], Any]

# Fields of an event that belong on every line that is logged while it is handled.
LOGGED = ("release", "environment", "service", "generation", "train")


def parse(event: Any, kind: type[T]) -> T:
    """An event as the type that a use case takes.

    Raises
    ------
    InvalidInput
        It is too deep or too large, or not of that shape (the message names the field and what is allowed), or
        it names another environment.
    """
    try:
        parsed = msgspec.convert(sound(event), kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"the input is not as it must be: {explained(error)}; see events/ for examples"
        ) from error
    require_environment(parsed, os.environ.get("ENVIRONMENT", ""))
    return parsed


def require_environment(parsed: Any, ours: str) -> None:
    """Refuse what names another environment than the stack's own; the only place that compares the two.

    Raises
    ------
    InvalidInput
        It names another.
    """
    named = getattr(parsed, "environment", "")
    if isinstance(named, str) and named not in ("", ours):
        raise InvalidInput(
            f"this control plane is that of {ours or 'no environment'}, the input names {fit(named, 40)!r}; nothing "
            "was changed, send it to the control plane of that environment"
        )


# What a schedule says to a function that shall not be cold when it is needed (template.yaml). What comes through a URL,
# a queue or a machine is inside of an event of theirs, and never this.
KEEP_WARM = {"keep_warm": True}


class Nothing(msgspec.Struct):
    """An event that carries nothing that the use case needs: a schedule's, or one of the bus."""


def _logged(value: Any) -> Any:
    """What of an event's field goes on every line: it has not been looked at yet."""
    return fit_line(value, 80) if isinstance(value, str) else value if isinstance(value, int) else "?"


def _log(result: Any) -> None:
    """Log why, of every result that says so, and what a function URL refuses."""
    for each in result if isinstance(result, (list, tuple)) else [result]:
        if isinstance(each, HttpAnswer):
            # That nothing is new since the last look (304) is no refusal.
            if each.status_code < 400:
                logger.info("%s", each.status_code)
            else:
                logger.warning("%s: %s", each.status_code, each.body)
        elif isinstance(reason := getattr(each, "reason", None), str):
            logger.info("%s: %s", type(each).__name__, reason)


def handler(use: Callable[[T], Any]) -> Handler:
    """Make a Lambda handler of a function from a typed event to a result.

    The function's annotation says what the event is parsed to (`parse`). An error that we raise on
    purpose is logged with its reason and raised again: Step Functions knows it by its class name.
    Anything else is a bug and is logged with its trace. A ping (`KEEP_WARM`) is answered and does nothing.
    """
    name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", use.__module__)
    (kind,) = (hint for parameter, hint in get_type_hints(use).items() if parameter != "return")

    @wraps(use)
    def run(event: Any, context: Any) -> Any:
        if event == KEEP_WARM:
            return None
        begin(context)
        logger.clear_state()
        logger.append_keys(request=getattr(context, "aws_request_id", ""))
        if isinstance(event, dict):
            logger.append_keys(**{key: _logged(event[key]) for key in LOGGED if key in event})
        try:
            result = use(parse(event, kind))
            _log(result)
            return msgspec.to_builtins(result)
        except NotYet as error:
            logger.info("%s: %s", type(error).__name__, error)
            # Lambda writes the trace of whatever is raised into the log.
            raise error.with_traceback(None) from None
        except ControlPlaneError as error:
            logger.warning("%s: %s", type(error).__name__, error)
            raise
        except Exception:
            logger.exception("this is a bug in %s", name)
            raise

    # Handlers are made last: what was imported until now lives as long as the process.
    gc.freeze()
    gc.enable()
    wrapped: Handler = run
    return wrapped


class Looked(Protocol):
    """What a look found."""

    @property
    def reason(self) -> str: ...

    @property
    def look_again(self) -> float | None:
        """Seconds until the next look; None when this was the last."""


# A list is an answer at once.
L = TypeVar("L", bound=Looked | list[str])


def look(use: Callable[[T], L]) -> Handler:
    """Make a Lambda handler (`handler`) of a look that a state machine takes again and again, one transition a look.

    What is not there yet is raised as `NotYet`, which the state's Retry knows (docs/decisions/0028); so what has to
    outlast a look is in the table.
    """

    @wraps(use)
    def looked(event: T) -> L:
        found = use(event)
        if not isinstance(found, list) and found.look_again is not None:
            raise not_yet(found.reason, found.look_again)
        return found

    return handler(looked)
