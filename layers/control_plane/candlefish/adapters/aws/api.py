"""AWS clients for functions, and their errors in our terms.

Built on botocore alone: importing boto3 would cost every cold start as much again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import botocore.session
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import JSONFileLoader, Loader

from candlefish.adapters.aws.words import DENIALS, PASSING, THROTTLED_STATUS, THROTTLES, UNKNOWN_CREDENTIALS
from candlefish.errors import Misconfigured, Throttled, Unavailable
from candlefish.invocation import seconds_to_write

# Short timeouts and few attempts: the state machine retries with far more patience than a function.
ATTEMPTS = 4
CONFIG = Config(
    connect_timeout=2,
    read_timeout=8,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    user_agent_extra="candlefish-control-plane",
)


class _Models(JSONFileLoader):  # type: ignore[misc]
    """Botocore's models, decoded by msgspec: `json` with ordered pairs takes several times as long."""

    def _load_file(self, full_path: str, open_method: Callable[[str, str], Any]) -> Any:
        try:
            with open_method(full_path, "rb") as file:
                return msgspec.json.decode(file.read())
        except FileNotFoundError:
            return None


@cache
def session() -> Any:
    """The one session of this process; its credentials also sign requests that no client makes."""
    made = botocore.session.get_session()
    made.register_component("data_loader", Loader(file_loader=_Models()))
    return made


# What takes users back: the rule is looked at, written, and looked at again. All else may wait.
URGENT = frozenset({"DescribeRules", "ModifyRule"})
# An urgent client that was throttled asks again after so many seconds, from and to.
URGENT_PAUSE = (0.1, 0.5)
# What a function needs in the end to say how it went, in seconds.
LAST_WORDS = 3.0


@cache
def client(service: str, region: str | None = None, *, read_timeout: float = 8, urgent: bool = False) -> Any:
    """A client for one service, made once per function instance. `read_timeout` is in seconds.

    Whoever takes users back to a good version has an `urgent` one: where AWS wants fewer requests the others wait
    longer and longer, and it asks on for as long as its function lives.
    """
    config = CONFIG.merge(Config(read_timeout=read_timeout))
    made = session().create_client(service, region_name=region, config=config)
    if urgent:
        name = made.meta.service_model.service_id.hyphenize()
        made.meta.events.register_first(f"needs-retry.{name}", ask_on)
    return made


def ask_on(response: Any, operation: Any, **_: Any) -> float | None:
    """After how many seconds a request that was throttled is sent again; None for any other, or for want of time:
    then botocore's own retries decide.
    """
    if response is None or operation.name not in URGENT or seconds_to_write() < LAST_WORDS:
        return None
    http, parsed = response
    throttled = http.status_code == THROTTLED_STATUS or parsed.get("Error", {}).get("Code") in THROTTLES
    return random.uniform(*URGENT_PAUSE) if throttled else None


@contextmanager
def aws_call(what: str, *, busy: frozenset[str] = frozenset()) -> Iterator[None]:
    """Turn what botocore raises into our errors. `what` names the call and the resource for people.

    Refusals with a code in `busy` pass by themselves: a service's entry in `words.BUSY`.
    Errors that a caller handles itself must be caught inside the block.
    """
    try:
        yield
    except ClientError as error:
        raise translated(error, what, busy=busy) from error
    except BotoCoreError as error:
        raise Unavailable(f"{what}: AWS did not answer ({error}); it will be tried again") from error


def translated(
    error: ClientError, what: str, *, busy: frozenset[str] = frozenset()
) -> Throttled | Unavailable | Misconfigured:
    """One of our errors for a refusal by AWS: what passes is tried again, as botocore would and for longer."""
    code = code_of(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = error.response.get("Error", {}).get("Message", "")
    if code in busy:
        return Unavailable(f"{what}: it is busy ({message}); look again")
    if code in THROTTLES or status == THROTTLED_STATUS:
        return Throttled(f"{what}: AWS asked us to slow down ({code}); it will be tried again")
    if code in PASSING or status >= 500:
        return Unavailable(f"{what}: AWS answered {status} {code}; it will be tried again")
    if code in UNKNOWN_CREDENTIALS:
        return Misconfigured(
            f"{what}: AWS does not know the credentials that signed this ({code}: {message}); that is no missing "
            "right: they expired or were deleted, the clock is wrong, or the account has not enabled the region"
        )
    if code in DENIALS:
        return Misconfigured(
            f"{what}: the function's role may not do this ({message}); mend its policy in template.yaml"
        )
    return Misconfigured(f"{what}: AWS refused with {code}: {message}")


def code_of(error: ClientError) -> str:
    """The error code of a refusal by AWS."""
    return str(error.response.get("Error", {}).get("Code", ""))
