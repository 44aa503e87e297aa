"""Who calls, by either way in: a token of the console's issuer, or a request that IAM let through, with its proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from candlefish.catalog.model import Console, Person, Role
from candlefish.catalog.people import person_of
from candlefish.catalog.roles import Caller, caller_of, require_role, roles_at_the_command
from candlefish.errors import NotSignedIn
from candlefish.web import HttpRequest


class Callers:
    """Says who calls, and asks for a role.

    Parameters
    ----------
    tokens
        What a token says, once it was checked; None where nobody signs in.
    proven
        The ARN of who signed with IAM (`ProvenCallers`).
    """

    def __init__(
        self,
        *,
        console: Console | None,
        tokens: Callable[[str], dict[str, Any]] | None,
        proven: Callable[[HttpRequest], str],
        people: Mapping[str, Person],
        account: str,
    ) -> None:
        self._console, self._tokens, self._proven = console, tokens, proven
        self._people, self._account = people, account

    def __call__(self, request: HttpRequest, least: Role) -> Caller:
        """Who calls, who has at least this role; the event's own word of it counts for nothing.

        Raises
        ------
        NotSignedIn
            Nobody is proven.
        NotAllowed
            Whoever it is has not this role.
        Unavailable
            Who could prove it does not answer.
        """
        if token := request.bearer:
            if self._console is None or self._tokens is None:
                raise NotSignedIn(
                    "nobody signs in at this environment: its catalog has no console; use the candlefish command"
                )
            return require_role(
                self._known(caller_of(self._tokens(token), self._console)), least, self._console
            )
        authorizer = request.request_context.authorizer
        if authorizer is None or authorizer.iam is None:
            raise NotSignedIn("the request shows no token; sign in")
        arn = self._proven(request)
        person = person_of(arn, self._people, self._account)
        # What IAM lets somebody call is what he may: people.yaml is asked again where it is done.
        roles = roles_at_the_command(person)
        return (
            Caller(arn, roles, person.name, person.name)
            if person
            else Caller(arn, roles, arn.rpartition("/")[2])
        )

    def _known(self, caller: Caller) -> Caller:
        """By the catalog's name, where it has one."""
        person = person_of(caller.principal, self._people)
        return Caller(caller.principal, caller.roles, person.name, person.name) if person else caller
