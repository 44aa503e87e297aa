"""`candlefish automation`: the one switch of everything that acts by itself."""

from __future__ import annotations

import time

import click

from candlefish.adapters.aws.tag_switch import TagSwitch
from candlefish.automation import off_tag
from candlefish.signals.news import switched_event
from cli.options import in_environment, require_meant, say_environment
from cli.stack import Stack
from cli.terminal import as_json, document, echo


@click.group("automation", invoke_without_command=True)
@in_environment
@as_json
@click.pass_context
def automation_command(context: click.Context, stack: Stack, as_json: bool) -> None:
    """Show whether the control plane acts by itself, or switch that: reconcilers, responses, sleep and wake.

    What people ask for goes on, and what is under way is finished.
    """
    context.obj = stack
    if context.invoked_subcommand:
        return
    off = switch_of(stack).off()
    if as_json:
        document({"environment": stack.environment, "on": not off, "why_off": off})
    else:
        echo(off or f"automation in {stack.environment} is on")


@automation_command.command("off")
@click.option("--reason", required=True, help="Why: whoever finds it off at night wants to know.")
@as_json
@click.pass_obj
def off_command(stack: Stack, reason: str, as_json: bool) -> None:
    """Let nothing act by itself from now on."""
    say_environment(stack)
    _turn(stack, "off", reason, off_tag(reason, stack.caller, time.time()), as_json=as_json)


@automation_command.command("on")
@as_json
@click.pass_obj
def on_command(stack: Stack, as_json: bool) -> None:
    """Let the control plane act by itself again."""
    require_meant(stack)
    _turn(stack, "on", "", "on", as_json=as_json)


def _turn(stack: Stack, state: str, reason: str, said: str, *, as_json: bool) -> None:
    from candlefish.adapters.aws.eventbridge import EventBus

    switch_of(stack).turn(said)
    bus = EventBus(stack.client("events"), f"candlefish-{stack.environment}")
    bus.publish(
        *switched_event(stack.environment, state=state, by=stack.caller, reason=reason, at=time.time())
    )
    if as_json:
        document({"environment": stack.environment, "on": state == "on", "why_off": reason})
    else:
        echo(f"automation in {stack.environment} is {state}")


def switch_of(stack: Stack) -> TagSwitch:
    """The switch of a stack."""
    return TagSwitch(stack.client("stepfunctions"), stack.machine("respond"))
