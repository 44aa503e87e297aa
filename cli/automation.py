"""`candlefish automation`: the one switch of everything that acts by itself."""

from __future__ import annotations

import time

import click

from candlefish.adapters.aws.tag_switch import TagSwitch
from candlefish.automation import off_tag
from candlefish.signals.news import switched_event
from cli.options import in_environment, require_meant, say_environment
from cli.stack import Stack
from cli.terminal import echo


@click.group("automation", invoke_without_command=True)
@in_environment
@click.pass_context
def automation_command(context: click.Context, stack: Stack) -> None:
    """Show whether the control plane acts by itself, or switch that: reconcilers, responses, sleep and wake.

    What people ask for goes on, and what is under way is finished.
    """
    context.obj = stack
    if not context.invoked_subcommand:
        echo(switch_of(stack).off() or f"automation in {stack.environment} is on")


@automation_command.command("off")
@click.option("--reason", required=True, help="Why: whoever finds it off at night wants to know.")
@click.pass_obj
def off_command(stack: Stack, reason: str) -> None:
    """Let nothing act by itself from now on."""
    say_environment(stack)
    _turn(stack, "off", reason, off_tag(reason, stack.caller, time.time()))


@automation_command.command("on")
@click.pass_obj
def on_command(stack: Stack) -> None:
    """Let the control plane act by itself again."""
    require_meant(stack)
    _turn(stack, "on", "", "on")


def _turn(stack: Stack, state: str, reason: str, said: str) -> None:
    from candlefish.adapters.aws.eventbridge import EventBus

    switch_of(stack).turn(said)
    bus = EventBus(stack.client("events"), f"candlefish-{stack.environment}")
    bus.publish(
        *switched_event(stack.environment, state=state, by=stack.caller, reason=reason, at=time.time())
    )
    echo(f"automation in {stack.environment} is {state}")


def switch_of(stack: Stack) -> TagSwitch:
    """The switch of a stack."""
    return TagSwitch(stack.client("stepfunctions"), stack.machine("respond"))
