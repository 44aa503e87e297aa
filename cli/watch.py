"""`candlefish watch`: a release or train until it is over, on a screen, in a log, or as documents."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

import click

from cli.completion import complete_release
from cli.exits import Exit
from cli.following import ending, in_documents, in_lines, leaving
from cli.looking import Look, Looker, looker
from cli.options import in_environment
from cli.terminal import as_json, document, echo

if TYPE_CHECKING:
    from cli.stack import Stack


@click.command()
@click.argument("release", shell_complete=complete_release)
@in_environment
@click.option("--until-question", is_flag=True, help="End as well when it waits for an answer.")
@as_json
def watch_command(stack: Stack, release: str, until_question: bool, as_json: bool) -> None:
    """Follow RELEASE, or a train, until it is promoted or over; you can answer and steer it from its screen.

    At a terminal it is a screen with keys; in a pipe or CI a line an event; with --json a document a change. Exits 0 when it
    was promoted, 3 rolled back, 4 refused, 5 when it waits for an answer (--until-question), 6 when nobody can tell, 7 when
    it waits for its environment to wake, 130 when you left; it goes on.
    """
    raise SystemExit(
        follow_it(stack, release, looker(stack, release, until_question=until_question), as_json=as_json)
    )


def asked_for(stack: Stack, name: str, *, follow: bool, train: bool, as_json: bool) -> None:
    """Say the name of what was asked for a moment ago, and follow it to its end where that is wished."""
    if not as_json:
        echo(name)
    elif not follow:
        document({"id": name})
    if follow:
        look = looker(stack, name, known="train" if train else "release")
        raise SystemExit(follow_it(stack, name, look, as_json=as_json))


def follow_it(stack: Stack, name: str, look: Looker, *, as_json: bool) -> Exit:
    """Follow what is looked at."""
    from cli.screen.terminal import fit_for_screen

    if not as_json and fit_for_screen():
        return _on_screen(stack, name, look)
    # A signal that ends a process in a container, or at the end of a job, ends it as Ctrl-C does.
    before = signal.signal(signal.SIGTERM, _interrupt)
    seen: list[Look] = []

    def looked() -> Look:
        seen[:] = [look()]
        return seen[0]

    try:
        if as_json:
            return in_documents(name, looked)
        return in_lines(name, looked, None, stack.environment)
    except KeyboardInterrupt:
        for line in leaving(seen[0] if seen else Look(name), stack.environment):
            echo(line, err=True)
        return Exit.LEFT
    except BrokenPipeError:
        # Whoever read has gone; the interpreter shall not try to flush to it either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return Exit.LEFT
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _on_screen(stack: Stack, name: str, look: Looker) -> Exit:
    from cli.acting import act
    from cli.progress import hushed
    from cli.screen.cells import clean, line
    from cli.screen.printing import colours, show, width
    from cli.screen.release import release_lines
    from cli.screen.terminal import Terminal
    from cli.screen.watching import Watching

    watching = Watching(name, look, lambda view, what: act(stack, view, what.action, what.reason), None)
    over = False
    try:
        with hushed(), Terminal(colour=colours()) as terminal:
            over = watching.run(terminal)
    except (KeyboardInterrupt, EOFError):
        over = False
    last = watching.seen.look
    if not over or last.end is None:
        for each in leaving(last, stack.environment):
            echo(each)
        return Exit.LEFT
    if last.release is not None and last.train is None:
        # What was on the screen stays readable above the prompt, and no more than there is room for.
        view, room = last.release, max(shutil.get_terminal_size().lines - 4, 4)
        show(
            [
                line(view.id),
                *release_lines(view, width(), room, view.now, None),
                *([line("next: ", clean(view.command))] if view.command else []),
            ]
        )
    else:
        for each in ending(last, None, stack.environment):
            echo(each)
    return last.end
