"""`candlefish audit`: who did what, to what and why, people and the control plane itself."""

from __future__ import annotations

import time

import click

from cli.options import in_environment
from cli.screen.printing import show, width
from cli.screen.signals import audit_lines
from cli.stack import Stack
from cli.terminal import as_json, document
from cli.views import Views


@click.command("audit")
@in_environment
@click.option("--before", default="", help="Older ones: what the last page ended with.")
@as_json
def audit_command(stack: Stack, before: str, as_json: bool) -> None:
    """Show who did what, to what and why, newest first: people and the control plane itself."""
    page = Views(stack).audit(before)
    if as_json:
        document(page)
    else:
        show(audit_lines(page, width(), time.time(), None))
