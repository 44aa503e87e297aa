"""The fleets of the catalog's other environments, asked by invoking what shows them there, side by side.

The reader's own token goes with it, and each of them looks at it and at his roles again by its own part of the catalog:
nobody sees at one environment what another would not show him. It is shown only where the same issuer signs people in for
the same audience: elsewhere it counts for nothing, and whoever keeps that environment could use it here. What one says
counts for itself alone. One that does not answer in time is a column that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from candlefish.catalog.model import Catalog, Console
from candlefish.threads import learn
from candlefish.views.fleet_view import silent_column
from candlefish.views.model import ColumnView, FleetView
from candlefish.web import HttpAnswer

# So long the others are waited for, in seconds.
PATIENCE = 4.0
Others = tuple[list[FleetView], list[ColumnView]]
_ELSEWHERE = "it signs people in elsewhere"
_OTHERWISE = "its control plane answers in another way than this one; deploy both from the same version"
# What there is no control plane of is no column.
_NOT_THERE = "ResourceNotFoundException"
learn(HttpAnswer, FleetView)


class PeerFleets:
    """Asks the others.

    Parameters
    ----------
    arns
        Their functions by environment.
    console
        Who signs people in here; None where nobody does, and then nobody is asked.
    client_of
        Gives Lambda's client of a region.
    """

    def __init__(
        self,
        arns: Mapping[str, str],
        console: Console | None,
        catalog: Catalog,
        client_of: Callable[[str], Any],
        patience: float = PATIENCE,
    ) -> None:
        self._arns, self._console, self._catalog, self._client_of = arns, console, catalog, client_of
        self._patience = patience
        # Who was not waited for may still be asked when the next reader comes.
        self._pool = ThreadPoolExecutor(1 + 3 * len(arns), thread_name_prefix="peer")

    def begin(self, token: str) -> Callable[[], Others]:
        """Ask all of them for what who has the token may see; the answers when they are collected."""
        # Clients are made here and not side by side: a session of botocore is not for several threads.
        asked = {
            name: self._pool.submit(_ask, self._client_of(arn.split(":")[3]), arn, token, name)
            for name, arn in self._arns.items()
            if self._console and self._console.shares_tokens(self._catalog.environment(name).console)
        }
        return lambda: self._collect(asked)

    def _collect(self, asked: Mapping[str, Future[FleetView | str | None]]) -> Others:
        done, _ = wait(asked.values(), timeout=self._patience)
        fleets, silent = [], []
        for name in self._arns:
            found: FleetView | str | None
            if (future := asked.get(name)) is None:
                found = _ELSEWHERE
            elif future not in done:
                found = f"its control plane did not answer within {self._patience:g} s"
            else:
                found = future.result()
            if isinstance(found, FleetView):
                fleets.append(found)
            elif found is not None:
                silent.append(silent_column(name, self._catalog, found))
        return fleets, silent


def _ask(client: Any, arn: str, token: str, name: str) -> FleetView | str | None:
    """A fleet, or why there is none; None where there is no such control plane."""
    event = {
        "version": "2.0",
        "rawPath": "/v1/fleet",
        "rawQueryString": "only=here",
        "headers": {"authorization": f"Bearer {token}"},
        "requestContext": {"http": {"method": "GET"}},
    }
    try:
        answer = client.invoke(FunctionName=arn, Payload=msgspec.json.encode(event))
        payload = answer["Payload"].read()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        return None if code == _NOT_THERE else f"its control plane does not let this one ask ({code})"
    except (BotoCoreError, OSError) as error:
        return f"its control plane does not answer ({type(error).__name__})"
    if answer.get("FunctionError"):
        return "its control plane failed at showing its views; look at its logs"
    return _read(payload, name)


def _read(payload: bytes, name: str) -> FleetView | str:
    try:
        said = msgspec.json.decode(payload, type=HttpAnswer)
        if said.status_code == 200:
            fleet = msgspec.json.decode(said.body, type=FleetView)
            about = {
                *(column.environment for column in fleet.environments),
                *(cell.environment for cell in fleet.cells),
                *(need.environment for need in fleet.needs),
            }
            return fleet if about <= {name} else _OTHERWISE
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _OTHERWISE
    words = {401: _ELSEWHERE, 403: "you have no role there"}
    return words.get(said.status_code, f"its control plane answered {said.status_code}")
