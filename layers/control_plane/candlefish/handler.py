"""What every Lambda handler shares: logs with the release on each line, metrics, a trace, JSON in and out."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import msgspec
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit

from candlefish.adapters.aws.api import sharing_session
from candlefish.errors import ControlPlaneError, InvalidInput, Permanent

T = TypeVar("T")
Handler = Callable[[Any, Any], Any]

SERVICE = "candlefish-control-plane"
logger = Logger(service=SERVICE)
metrics = Metrics(namespace="Candlefish", service=SERVICE)
with sharing_session():
    tracer = Tracer(service=SERVICE, auto_patch=False)
# Fields of an event that belong on every line that is logged while it is handled.
LOGGED = ("release", "environment", "service", "generation", "train")


def parse(event: Any, kind: type[T]) -> T:
    """An event as the type that a use case takes.

    Raises
    ------
    InvalidInput
        It is not of that shape; the message names the field.
    """
    try:
        return msgspec.convert(event, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the input is not as it must be: {error}; see events/ for examples") from error


def handler(use: Callable[[Any], Any]) -> Handler:
    """Make a Lambda handler of a function from event to result.

    An error that we raise on purpose is logged with its reason and raised again: Step Functions
    knows it by its class name. Anything else is a bug and is logged with its trace.
    """
    name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", use.__module__)

    @tracer.capture_lambda_handler(capture_response=False)
    @wraps(use)
    def run(event: Any, context: Any) -> Any:
        logger.clear_state()
        logger.append_keys(request=getattr(context, "aws_request_id", ""))
        if isinstance(event, dict):
            logger.append_keys(**{key: event[key] for key in LOGGED if key in event})
        outcome = "Done"
        try:
            return msgspec.to_builtins(use(event))
        except ControlPlaneError as error:
            outcome = "Refused" if isinstance(error, Permanent) else "Retried"
            logger.warning("%s: %s", type(error).__name__, error)
            raise
        except Exception:
            outcome = "Crashed"
            logger.exception("this is a bug in %s", name)
            raise
        finally:
            metrics.add_dimension("function", name)
            metrics.add_metric(outcome, MetricUnit.Count, 1)
            metrics.flush_metrics()

    # Handlers are made last: what was imported until now lives as long as the process.
    gc.freeze()
    gc.enable()
    wrapped: Handler = run
    return wrapped
