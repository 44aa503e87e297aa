"""`candlefish records`: whether records and world agree, and making a record again from the world."""

from __future__ import annotations

import time

import click
import msgspec
from rich.table import Table
from rich.text import Text

from candlefish.errors import ControlPlaneError
from candlefish.release.verify_records import RecordCheck
from candlefish.service.record import ServiceRecord
from cli.options import in_environment, in_environment_to_change
from cli.screen.fleet import service_lines
from cli.screen.printing import show, width
from cli.stack import Stack
from cli.terminal import PlainConsole, as_json, document, echo
from cli.views import Views

console = PlainConsole()
# A rebuild reads the load balancer and the cluster.
TIMEOUT = 60.0


@click.group("records")
def records_command() -> None:
    """Compare services' records with what the load balancer and the cluster show, and make one again from it."""


@records_command.command("verify")
@click.argument("service", required=False, default="")
@in_environment
@click.option("--all-lines", is_flag=True, help="What agrees as well.")
@as_json
def verify_command(stack: Stack, service: str, all_lines: bool, as_json: bool) -> None:
    """Compare SERVICE, or every service, with the world, and change nothing; exits 1 where they differ."""
    checks = msgspec.convert(stack.invoke("verify_records", {"service": service}), list[RecordCheck])
    differs = [check for check in checks if check.failed or not all(line.agrees for line in check.lines)]
    if as_json:
        document(checks)
    else:
        for check in checks if all_lines else differs:
            console.print(check_view(check, all_lines=all_lines))
        echo(f"{len(checks) - len(differs)} of {len(checks)} records agree with the world")
    if differs:
        raise SystemExit(1)


@records_command.command("rebuild")
@click.argument("service")
@in_environment_to_change
@click.option("--reason", required=True, help="Why; it is kept and told.")
@click.option(
    "--stable", type=click.Choice(["blue", "green"]), help="The good slot, where the world does not say."
)
@as_json
def rebuild_command(stack: Stack, service: str, reason: str, stable: str | None, as_json: bool) -> None:
    """Make the record of SERVICE again from what runs and gets traffic now. The world is not touched.

    It ends a quarantine. The rollback window, holds and what was bad before are not to be seen in the world.
    """
    request = {"service": service, "reason": reason, "stable": stable}
    answer = stack.post("rebuild_record", request, timeout=TIMEOUT)
    if as_json:
        document(answer)
    else:
        made = msgspec.convert(answer, ServiceRecord)
        echo(f"the record of {service} was made again, generation {made.generation}")
        _show(stack, service)


def _show(stack: Stack, service: str) -> None:
    """How a service stands now. That nobody can tell undoes nothing."""
    try:
        view = Views(stack).service(service)
    except ControlPlaneError as error:
        echo(f"how it stands now is not known: {error}", err=True)
    else:
        show(service_lines(view, width(), time.time(), None))


def check_view(check: RecordCheck, *, all_lines: bool) -> Table | Text:
    """How a record compares with the world: what differs in red."""
    if check.failed:
        return Text(f"{check.service}: {check.failed}", style="red")
    table = Table("", "record", "world", title=Text(check.service), title_justify="left", box=None)
    for line in check.lines:
        if all_lines or not line.agrees:
            style = "" if line.agrees else "red"
            table.add_row(Text(line.what, style), Text(line.recorded, style), Text(line.found, style))
    return table
