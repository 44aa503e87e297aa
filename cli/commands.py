"""Every command of `candlefish`: its name, where it lives, and the line that help shows of it.

The table is what help and completion read, so that neither imports a command
(tests/unit/house/test_command_table.py holds the lines to the commands').
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem


class Command(NamedTuple):
    """Where a command is (`module:attribute`), and what it does in a line."""

    where: str
    does: str


COMMANDS = {
    "abort": Command(
        "cli.steer:abort_command",
        "End RELEASE while it runs: all traffic back, and its version is not remembered as bad.",
    ),
    "approve": Command(
        "cli.release:approve_command",
        "Say yes to a question of RELEASE, as the person your credentials name.",
    ),
    "audit": Command(
        "cli.audit:audit_command",
        "Show who did what, to what and why, newest first: people and the control plane itself.",
    ),
    "automation": Command(
        "cli.automation:automation_command",
        "Show whether the control plane acts by itself, or switch that: reconcilers, responses, sleep and wake.",
    ),
    "bundle": Command(
        "cli.bundle:bundle_command",
        "Make bundles of SOURCE for SERVICE, or for every service found in it, and upload them.",
    ),
    "capacity": Command(
        "cli.capacity:capacity_command",
        "What is awake and what sleeps, what it was before, and what would be done now.",
    ),
    "catalog": Command(
        "cli.catalog:catalog_command",
        "Check, compile and describe the catalog (services, environments, strategies, ...).",
    ),
    "ci": Command(
        "cli.ci:ci_command",
        "For workflows of a repository with several services: what changed, a train of it, what is live.",
    ),
    "completion": Command(
        "cli.completion:completion_command",
        "Print what makes SHELL complete names when you press the tab key.",
    ),
    "cost": Command(
        "cli.cost:cost_command",
        "Show what environments cost this month, will have cost at its end, and saved by sleeping.",
    ),
    "deny": Command("cli.release:deny_command", "Say no to a question of RELEASE; it is rolled back."),
    "deploy": Command("cli.release:deploy_command", "Release IMAGE (by digest) to SERVICE."),
    "failover": Command(
        "cli.failover:failover_command", "Fail over TARGET: database/NAME, cache/NAME, application or region."
    ),
    "freeze": Command(
        "cli.steer:freeze_command",
        "Freeze releases of SERVICE, or of the whole environment, at once; without --until, show what is frozen.",
    ),
    "give-back": Command(
        "cli.take_over:give_back_command",
        "Give SERVICE back to what ran before: its users first, then nothing of the control plane is left.",
    ),
    "init": Command(
        "cli.init:init_command",
        "Read an account and a cluster, changing nothing there, and write a catalog for what runs.",
    ),
    "judge": Command(
        "cli.judge:judge_command",
        "Say what the judge would have said of recorded windows: a line of JSON per stream.",
    ),
    "keep-awake": Command(
        "cli.capacity:keep_awake_command",
        "Keep an environment awake until a time, whatever anybody else says.",
    ),
    "lab": Command(
        "cli.lab:lab_command",
        "The whole product on one machine: AWS, Kubernetes and traffic, with nothing but pip.",
    ),
    "onboard": Command(
        "cli.release:onboard_command",
        "Make the target groups, rules and first record of SERVICES; may be run again at any time.",
    ),
    "pause": Command(
        "cli.steer:pause_command",
        "Let RELEASE go no further until somebody resumes it; what harms users is still rolled back.",
    ),
    "plan": Command(
        "cli.plan:plan_command",
        "Show what a release of IMAGE to SERVICE would change, object by object, and the steps that it would take.",
    ),
    "promote": Command(
        "cli.steer:promote_command",
        "Give RELEASE all traffic now and promote it, without the rest of judging, baking and waiting.",
    ),
    "records": Command(
        "cli.records:records_command",
        "Compare services' records with what the load balancer and the cluster show, and make one again from it.",
    ),
    "recovery": Command(
        "cli.recovery:recovery_command", "Evidence: failovers, drills and the audit of backups."
    ),
    "respond": Command(
        "cli.respond:respond_command",
        "Say what the alerts in FILE would lead to now: the decision, its reason, the message people would get.",
    ),
    "resume": Command(
        "cli.steer:resume_command",
        "Let RELEASE go on that you paused, or that somebody else did if you are an approver.",
    ),
    "rollback": Command(
        "cli.release:rollback_command", "Put all traffic of SERVICE back on the version known to be good."
    ),
    "schedule": Command(
        "cli.schedule:schedule_command", "Show when an environment is awake in the coming days, and why."
    ),
    "signals": Command(
        "cli.signals:signals_command", "Show recent signals, what was decided about each, and why."
    ),
    "sleep": Command(
        "cli.capacity:sleep_command", "Put an environment to sleep until a time, whatever its schedule says."
    ),
    "status": Command(
        "cli.status:status_command",
        "Show every service; or one SERVICE with its releases; or one RELEASE with its timeline.",
    ),
    "take-over": Command(
        "cli.take_over:take_over_command",
        "Lead a share of SERVICE's users to the control plane's load balancer; 0 leads all back.",
    ),
    "train": Command(
        "cli.release:train_command",
        "Release several services in the order of their dependencies, all or nothing (see events/train.json).",
    ),
    "undo": Command(
        "cli.steer:undo_command",
        "Release the version that served SERVICE before, or the one named by --to, through all steps.",
    ),
    "unfreeze": Command(
        "cli.steer:unfreeze_command",
        "Lift the freeze of SERVICE, or that of the whole environment, before it ends by itself.",
    ),
    "wake": Command(
        "cli.capacity:wake_command", "Wake an environment until a time, whatever its schedule says."
    ),
    "watch": Command(
        "cli.watch:watch_command",
        "Follow RELEASE, or a train, until it is promoted or over; you can answer and steer it from its screen.",
    ),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when it is called, and not for its name or its line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].where.split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].does) for name in sorted(COMMANDS)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        options = click.Command.shell_complete(self, ctx, incomplete)
        names = [name for name in sorted(COMMANDS) if name.startswith(incomplete)]
        return [*(CompletionItem(name, help=COMMANDS[name].does) for name in names), *options]
