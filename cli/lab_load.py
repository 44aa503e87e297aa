"""`candlefish lab load`: users for a running lab, so that a canary has something to be judged by."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.background import once_more
from cli.terminal import as_json, document, echo, failure

if TYPE_CHECKING:
    from lab.scenes.users import Site

ROOT = Path(__file__).resolve().parent.parent
# Seconds between two reports.
EVERY = 5.0


@click.command("load")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=ROOT / ".lab",
    show_default=".lab",
    help="Where its files are.",
)
@click.option("-e", "--environment", default="", help="Whose users; by default the first that the lab has.")
@click.option(
    "-s",
    "--service",
    "services",
    multiple=True,
    show_default="one that depends on no other",
    help="Users of these services.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0.1, max=2000),
    default=400.0,
    show_default=True,
    help="Requests a second to each service.",
)
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(min=0),
    help="End after so many seconds; else with Ctrl-C, or with the lab.",
)
@click.option("--detach", is_flag=True, help="Go on in the background; it ends with the lab.")
@as_json
def load_command(
    directory: Path, environment: str, services: tuple[str, ...], rate: float, seconds: float | None, detach: bool, as_json: bool
) -> None:  # fmt: skip
    """Send users' requests to a running lab until stopped, and say what they met."""
    directory = directory.resolve()
    site = _site(directory, environment)
    if unknown := [name for name in services if name not in site.hosts]:
        raise click.BadParameter(
            f"{site.environment} has no service {unknown[0]}; it has {', '.join(sorted(site.hosts))}",
            param_hint="-s",
        )
    if detach:
        _detach(directory)
        return
    from lab.scenes.users import Users

    chosen = sorted(services or [_usual(site)])
    users = Users(site, chosen, rate * len(chosen))
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    echo(
        f"{rate:g} requests a second to each of {', '.join(chosen)} in {site.environment}; Ctrl-C ends it",
        err=True,
    )
    users.start()
    for each in users.reports(
        EVERY, lambda: not ended and (directory / "ready").exists(), seconds or float("inf")
    ):
        if as_json:
            document(each, indent=False)
        else:
            echo(f"{time.strftime('%H:%M:%S', time.localtime(each.until))}  {each.says}")
    whole = users.stop()
    if as_json:
        document(whole, indent=False)
    else:
        echo(f"in {whole.until - whole.since:.0f} s: {whole.says}")


def _site(directory: Path, environment: str) -> Site:
    """Where users of a running lab go."""
    from cli.lab import ask_lab
    from lab.scenes.users import Site

    found: dict[str, Any] = ask_lab(directory, "status")["environments"]
    name = environment or next(iter(found))
    if name not in found:
        raise failure(f"this lab has no environment {name}; it has {', '.join(found)}")
    return Site(name, found[name]["front_door"], found[name]["hosts"])


def _usual(site: Site) -> str:
    """A service that a newcomer releases: one that depends on no other, where the lab has it."""
    from candlefish.catalog.load import load
    from lab import CATALOG
    from lab.choices import alone

    name = alone(load(CATALOG))
    return name if name in site.hosts else min(site.hosts)


def _detach(directory: Path) -> None:
    log = directory / "load.log"
    process = once_more(log)
    time.sleep(1.0)
    if process.poll() is not None:
        raise failure(f"nobody sends:\n{log.read_text()[-2000:]}")
    echo(
        f"users are sent in the background (process {process.pid}) until the lab is down; what they meet is in {log}"
    )
