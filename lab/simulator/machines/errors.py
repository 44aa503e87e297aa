"""What goes wrong: in a state, in a definition, and in a call of the API."""

from __future__ import annotations


class StateFailed(Exception):
    """A state reports an error; retriers, then catchers look at its name.

    Parameters
    ----------
    error
        The error's name; None when a Fail state gives none.
    cause
        For people.
    also
        Other names that retriers and catchers know it by.
    """

    def __init__(self, error: str | None, cause: str | None = None, also: tuple[str, ...] = ()) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause, self.also = error, cause, also

    def output(self) -> dict[str, str]:
        """`$states.errorOutput`; what is not there is an empty text."""
        return {"Error": self.error or "", "Cause": self.cause or ""}


class FunctionError(Exception):
    """A function failed, or could not be invoked.

    Parameters
    ----------
    error
        `errorType` of what it raised (`StaleGeneration`), or Step Functions' name for what the service
        answered (`Lambda.TooManyRequestsException`, `Sandbox.Timedout`).
    cause
        What Lambda answered, JSON with `errorMessage` and `errorType`.
    """

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause


class InvalidDefinition(Exception):
    """The definition has what Step Functions, or this interpreter, does not know; the text says where."""


class Refused(Exception):
    """The API refuses a call; `code` is its error's name (`ExecutionAlreadyExists`)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message
