"""The `candlefish` command: one lazy table of commands, so that each pays only for its own imports."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from candlefish.errors import ControlPlaneError
from cli.terminal import echo

# Name on the command line -> where its click command lives.
COMMANDS = {
    "approve": "cli.release:approve_command",
    "automation": "cli.automation:automation_command",
    "bundle": "cli.release:bundle_command",
    "deny": "cli.release:deny_command",
    "deploy": "cli.release:deploy_command",
    "onboard": "cli.release:onboard_command",
    "records": "cli.records:records_command",
    "rollback": "cli.release:rollback_command",
    "status": "cli.release:status_command",
    "train": "cli.release:train_command",
    "watch": "cli.release:watch_command",
    "capacity": "cli.capacity:capacity_command",
    "catalog": "cli.catalog:catalog_command",
    "cost": "cli.cost:cost_command",
    "failover": "cli.failover:failover_command",
    "judge": "cli.judge:judge_command",
    "keep-awake": "cli.capacity:keep_awake_command",
    "lab": "cli.lab:lab_command",
    "recovery": "cli.recovery:recovery_command",
    "respond": "cli.respond:respond_command",
    "schedule": "cli.schedule:schedule_command",
    "signals": "cli.signals:signals_command",
    "sleep": "cli.capacity:sleep_command",
    "wake": "cli.capacity:wake_command",
}


class LazyGroup(click.Group):
    """A group that imports a command's module when it is called for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def candlefish() -> None:
    """Progressive delivery and operations for services on EKS behind an ALB."""


def main() -> None:
    """Run the command; what the control plane or AWS refuses is one clear line, not a trace."""
    try:
        candlefish(prog_name="candlefish")
    except Exception as error:
        if (said := _said(error)) is None:
            raise
        echo(f"{type(error).__name__}: {said}", err=True)
        sys.exit(1)


def _said(error: Exception) -> str | None:
    """The line for an error that an operator can meet; None for one that is a defect."""
    ours = str(error) if isinstance(error, ControlPlaneError) else None
    # Loaded by every command that talks to AWS, and by no other.
    if "botocore.exceptions" not in sys.modules:
        return ours
    from botocore.exceptions import BotoCoreError, ClientError

    from cli.trouble import explain

    if isinstance(error.__cause__, BotoCoreError):
        # Nobody answered; ours speaks to a machine that tries again.
        return explain(error.__cause__)
    return explain(error) if isinstance(error, (BotoCoreError, ClientError)) else ours


if __name__ == "__main__":
    main()
