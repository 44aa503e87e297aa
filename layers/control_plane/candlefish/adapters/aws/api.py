"""AWS clients for functions. Built on botocore alone: importing boto3 would cost every cold start as much again."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import Any

import botocore.session
import msgspec
from botocore.config import Config
from botocore.loaders import JSONFileLoader, Loader

from candlefish.adapters.aws.words import THROTTLED_STATUS, THROTTLES
from candlefish.invocation import seconds_to_write

# Short timeouts and few attempts: the state machine retries with far more patience than a function.
ATTEMPTS = 4
CONFIG = Config(
    connect_timeout=2,
    read_timeout=8,
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
    return new_session()


def new_session() -> Any:
    """A session whose models are read fast."""
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
def client(
    service: str,
    region: str | None = None,
    *,
    read_timeout: float = 8,
    attempts: int = ATTEMPTS,
    urgent: bool = False,
) -> Any:
    """A client for one service, made once per function instance. `read_timeout` is in seconds.

    Whoever takes users back to a good version has an `urgent` one: where AWS wants fewer requests the others wait
    longer and longer, and it asks on for as long as its function lives.
    """
    retries = {"mode": "standard", "total_max_attempts": attempts}
    config = CONFIG.merge(Config(read_timeout=read_timeout, retries=retries))
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
