"""What a person asks of releases: a release, a train, a rollback. The endpoint that knows its caller."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from candlefish.bounds import explained, fit
from candlefish.catalog.model import Catalog
from candlefish.catalog.parts import parts_of
from candlefish.catalog.people import require_caller
from candlefish.errors import ControlPlaneError, InvalidInput, NothingToRollBack
from candlefish.names import RELEASE
from candlefish.ports import Executions, Now, Requesters
from candlefish.release.configuration import configuration_of
from candlefish.release.payloads import ReleaseRequest, TrainRequest
from candlefish.requester import Asked, Requester, claimed, digest_of
from candlefish.service.model import RollbackRequest
from candlefish.service.ports import ChangeableRecords, TakeBack

NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{RELEASE}}}")
Machine = Literal["release", "train", "rollback"]
INPUTS: dict[Machine, type[msgspec.Struct]] = {
    "release": ReleaseRequest,
    "train": TrainRequest,
    "rollback": RollbackRequest,
}


class ReleaseCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person posts (see events/command.json): which machine, the execution's name, and its input.

    With `look` nothing is started, whatever the machine: it is only said what this stack would bring.
    """

    start: Machine
    name: str
    input: dict[str, Any]
    look: bool = False


class Started(msgspec.Struct, frozen=True):
    """What was started, and as whom; what that means, in a sentence."""

    name: str
    execution: str
    requested_by: str
    says: str = ""


class Carried(msgspec.Struct, frozen=True):
    """What a stack carries: the configuration that a service would be released with, and digests of its catalog's parts."""

    service: str
    configuration: str
    parts: dict[str, str]


def request_release(
    command: ReleaseCommand,
    *,
    principal: str,
    environment: str,
    catalog: Catalog,
    requesters: Requesters,
    executions: Executions,
    take_back: TakeBack,
    records: ChangeableRecords,
    now: Now,
) -> Started | Carried:
    """Start a machine for the person whose credential signed the call; asking the same twice is asking once.

    Or only say what this stack carries, so that it can be seen before anything is asked for.

    Who asked is written down first, so that whoever finds the execution finds that too. A rollback takes users back at
    once; the machine that is started then finds that done, and does the rest (docs/decisions/0035).

    Raises
    ------
    NotAllowed
        The principal is nobody in the catalog.
    UnknownService
        It is to be said what it carries of a service that its catalog does not have.
    NothingToRollBack
        There is no version to go back to.
    InvalidInput
        The input is not what the machine takes, or the name is taken by something else; nothing was started.
    """
    person = require_caller(principal, catalog, environment)
    if command.look:
        service = str(command.input.get("service", ""))[:100]
        return Carried(service, configuration_of(service, environment, catalog), parts_of(catalog))
    name = command.name
    if not NAME.fullmatch(name):
        raise InvalidInput(f'"name" must be 1 to {RELEASE} letters, digits, - and _; this is {name[:100]!r}')
    request = _input(command, environment, person.name)
    mine = Asked(Requester(person.name, {"principal": principal}), digest_of(request), now())
    kept = requesters.keep(command.start, name, mine)
    if (kept.requester, kept.digest) != (mine.requester, mine.digest):
        raise InvalidInput(
            f"{command.start} {name} was asked for by {kept.requester.by} before; take another name"
        )
    says = f"{command.start} {name} was started by {person.name}"
    # Asked again: its machine may be through, and what is taken back then would be another release.
    if isinstance(request, RollbackRequest) and kept is mine:
        execution = executions.arn("rollback", name)
        try:
            # As its machine would write it: who asked is found for the timeline.
            take_back(
                msgspec.structs.replace(request, by=claimed(request.by)), execution=execution, records=records
            )
            says = f"all traffic of {request.service} is on the version that is known to be good"
        except NothingToRollBack:
            # By the record: its machine would say the same, later and to nobody.
            raise
        except ControlPlaneError as error:
            # Its machine tries again, and says in the end what came of it.
            says = f"{says}; so far: {error}"
    started = executions.start(command.start, name, msgspec.to_builtins(request))
    return Started(name, started, requested_by=person.name, says=says)


def _input(command: ReleaseCommand, environment: str, by: str) -> msgspec.Struct:
    given = command.input
    if command.start == "rollback":
        given = {"environment": environment, **given, "id": command.name, "by": by}
    try:
        request = msgspec.convert(given, INPUTS[command.start])
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"the input of {command.start} is not as it must be: {explained(error)}"
        ) from error
    if isinstance(request, RollbackRequest):
        request = request.fit()
    named = getattr(request, "environment", "")
    if named not in ("", environment):
        raise InvalidInput(
            f"this control plane is that of {environment}, the input names {fit(named, 40)!r}; send it to that one's"
        )
    if getattr(request, "token", ""):
        raise InvalidInput('"token" is for GitHub workflows, which start the machine directly; leave it out')
    return request
