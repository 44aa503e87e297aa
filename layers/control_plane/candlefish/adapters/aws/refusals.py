"""What botocore raises, in our terms. Imported by whoever reads or writes: it waits for no client to be built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from candlefish.errors import Misconfigured, Throttled, Unavailable


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
    # Botocore's own lists, and a good part of botocore: only whoever is refused waits for them.
    from candlefish.adapters.aws.words import (
        DENIALS,
        PASSING,
        THROTTLED_STATUS,
        THROTTLES,
        UNKNOWN_CREDENTIALS,
    )

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
