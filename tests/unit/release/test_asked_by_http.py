"""What is asked at an address of the API is the command that everybody else sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from candlefish.errors import InvalidInput
from candlefish.release.asked_by_http import command_of
from candlefish.release.request_release import NAME, ReleaseCommand
from candlefish.web import Http, HttpRequest, RequestContext

LONG = "payments-reconciliation-of-all-regions-e"


def posted(path: str, body: Any) -> HttpRequest:
    return HttpRequest(
        raw_path=path, body=json.dumps(body), request_context=RequestContext(http=Http("POST"))
    )


def service_of(release: str) -> str:
    return {"r-1": "backend-api"}[release]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"reason": "errors"}, {"disposition": "bad", "release": ""}),
        ({"reason": "errors", "bad": False}, {"disposition": "rejected", "release": ""}),
        ({"reason": "errors", "bad": True, "release": "r-1"}, {"disposition": "bad", "release": "r-1"}),
    ],
)
def test_a_rollback(body: dict[str, Any], wanted: dict[str, Any]) -> None:
    command = command_of(posted("/v1/services/backend-api/rollback", body), service_of)
    assert (command.start, command.look) == ("rollback", False)
    assert command.input == {"service": "backend-api", "reason": "errors", **wanted}
    assert NAME.fullmatch(command.name) and command.name.endswith("-rollback")


def test_an_abort_is_of_one_release_that_runs() -> None:
    command = command_of(posted("/v1/releases/r-1/abort", {"reason": "not wanted"}), service_of)
    assert command.input == {
        "service": "backend-api",
        "reason": "not wanted",
        "disposition": "rejected",
        "release": "r-1",
        "only_running": True,
    }


def test_two_that_are_asked_for_at_once_have_names_of_their_own() -> None:
    names = {
        command_of(posted(f"/v1/services/{LONG}/rollback", {"reason": "r"}), service_of).name
        for _ in range(8)
    }
    assert len(names) == 8 and all(NAME.fullmatch(name) for name in names)


def test_at_the_root_a_command_is_a_command() -> None:
    said = {"start": "release", "name": "r-2", "input": {"service": "backend-api"}}
    assert command_of(posted("/", said), service_of) == ReleaseCommand(
        "release", "r-2", {"service": "backend-api"}
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/services/backend-api/rollback", {}),
        ("/v1/services/backend-api/rollback", {"reason": "r", "by": "somebody"}),
        ("/v1/services/backend-api/rollback", {"reason": "r", "service": "other"}),
        ("/v1/services/Backend/rollback", {"reason": "r"}),
        ("/v1/services/backend-api/rollback", {"reason": "r", "disposition": "bad"}),
        ("/v1/services/backend-api/rollback", {"reason": "\x1b[31m"}),
        ("/v1/services/backend-api/rollback", {"reason": "x" * 2000}),
        ("/v1/releases/r-1/abort", {"reason": "r", "only_running": False}),
        ("/v1/releases/r-1/abort", {}),
        ("/v1/releases/r-1/elsewhere", {"reason": "r"}),
    ],
)
def test_what_the_address_does_not_take_is_refused(path: str, body: Any) -> None:
    with pytest.raises(InvalidInput):
        command_of(posted(path, body), service_of)
