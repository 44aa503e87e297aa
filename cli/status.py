"""`candlefish status`: how an environment, a service, a release or a train stands; what needs a person first."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from candlefish.views.model import FleetView, ReleasesPage, ReleaseView, ServiceView, TimelinePage
from cli.completion import complete_either, remember
from cli.options import CATALOG, in_environment
from cli.places import services_of
from cli.screen.fleet import fleet_lines, release_rows, service_lines
from cli.screen.printing import show, width
from cli.screen.release import entries_in_full, release_in_full
from cli.screen.train import train_text
from cli.terminal import as_json, document, echo
from cli.views import NotThere, Views

if TYPE_CHECKING:
    from cli.screen.train import TrainView
    from cli.stack import Stack


@click.command()
@click.argument("name", required=False, shell_complete=complete_either)
@in_environment
@click.option("--all", "everywhere", is_flag=True, help="Every environment that this one's stack can ask.")
@click.option("--before", default="", help="Older ones: what the last page ended with.")
@click.option("--question", is_flag=True, help="Print the id of RELEASE's newest question and nothing else.")
@as_json
def status_command(
    stack: Stack, name: str | None, everywhere: bool, before: str, question: bool, as_json: bool
) -> None:
    """Show every service; or one SERVICE with its releases; or one RELEASE with its timeline."""
    if question:
        echo(stack.approvals().read(name or "").question)
        return
    found = _asked(stack, Views(stack), name, before)
    if as_json:
        document(found)
    elif isinstance(found, FleetView):
        show(fleet_lines(found, width(), time.time(), None, only="" if everywhere else stack.environment))
    elif isinstance(found, ServiceView):
        show(service_lines(found, width(), time.time(), None))
    elif isinstance(found, ReleaseView):
        show(release_in_full(found, width(), time.time(), None))
    elif isinstance(found, ReleasesPage):
        show(release_rows(found, width(), time.time(), None))
    elif isinstance(found, TimelinePage):
        show(entries_in_full(found.entries, found.older, width(), time.time(), None))
    else:
        for line in train_text(found):
            echo(line)


def _asked(
    stack: Stack, views: Views, name: str | None, before: str
) -> FleetView | ServiceView | ReleaseView | ReleasesPage | TimelinePage | TrainView:
    """What is meant by a name: a service where the catalog has it, else a release, else whatever has it."""
    if name is None:
        fleet = views.fleet()
        here = [cell for cell in fleet.cells if cell.environment == stack.environment]
        remember(
            stack.environment,
            services=[cell.service for cell in here],
            releases=[cell.release for cell in here if cell.release],
        )
        return fleet
    kinds = ("service", "release") if name in services_of(CATALOG) else ("release", "service")
    for kind in kinds:
        with suppress(NotThere):
            if before:
                return views.releases(name, before) if kind == "service" else views.timeline(name, before)
            if kind == "release":
                return views.release(name)
            found = views.service(name)
            remember(stack.environment, releases=[release.id for release in found.releases])
            return found
    from cli.looking import look_at_train, train_of

    if train_of(stack, name) is not None:
        train = look_at_train(stack, views, name, until_question=False).train
        assert train is not None
        return train
    raise NotThere(
        f"there is no service, release or train {name} in {stack.environment}; "
        f"candlefish status -e {stack.environment} shows what there is"
    )
