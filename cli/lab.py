"""`candlefish lab`: the whole product on one machine."""

from __future__ import annotations

import json
import logging
import os
import signal
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console, Group, RenderableType

from candlefish.service.record import ServiceRecord
from cli.background import once_more
from cli.demo_view import release_view, service_view
from cli.lab_load import load_command
from cli.progress import Progress
from cli.simulate import simulate

ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS, _END_SECONDS = 600.0, 120.0


@click.group("lab")
def lab_command() -> None:
    """The whole product on one machine: AWS, Kubernetes and traffic, with nothing but pip."""


_directory = click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=ROOT / ".lab",
    show_default=".lab",
    help="Where its files are.",
)


@lab_command.command()
@_directory
@click.option(
    "-e", "--environment", "environments", multiple=True, show_default="the one whose releases are judged"
)
@click.option(
    "-s", "--service", "services", multiple=True, help="Bring up only these services; all by default."
)
@click.option("--time-scale", default=60.0, show_default=True, help="How much faster waits pass than on AWS.")
@click.option("--detach", is_flag=True, help="Go on in the background; `candlefish lab down` ends it.")
def up(
    directory: Path,
    environments: tuple[str, ...],
    services: tuple[str, ...],
    time_scale: float,
    detach: bool,
) -> None:
    """Start the lab, print its endpoints, and keep it running until Ctrl-C."""
    directory = directory.resolve()
    if running(directory) is not None:
        raise click.ClickException("a lab is running already; end it with `candlefish lab down`")
    if detach:
        _detach(directory)
        return
    ended = threading.Event()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        with Progress("loading what plays AWS") as shown:

            def say(text: str) -> None:
                shown.tell(f"{shown.seconds:5.1f} s  {text}")
                shown.says = text

            from lab import garbage

            with garbage.lasting():
                from lab.choices import judged
                from lab.scenes.bring_up import bring_up
                from lab.world import World

            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: ended.set())
            say("starting what plays AWS")
            world = stack.enter_context(World(directory, time_scale=time_scale, say=say))
            bring_up(world, environments or (judged(world.catalog).name,), services or None)
            say("ready")
        click.echo("\n" + describe(world.status(), directory))
        (directory / "ready").touch()
        try:
            ended.wait()
        finally:
            (directory / "ready").unlink(missing_ok=True)


@lab_command.command()
@_directory
def down(directory: Path) -> None:
    """End a lab that runs in the background."""
    from lab.looks import looks

    pid = running(directory)
    if pid is None:
        click.echo("no lab is running")
        return
    os.kill(pid, signal.SIGTERM)
    with Progress(f"the lab (process {pid}) ends"):
        for _ in looks(_END_SECONDS, every=0.1):
            if not _command_of(pid):
                break
    if not _command_of(pid):
        click.echo("the lab is down")
        return
    raise click.ClickException(
        f"the lab (process {pid}) did not end within {_END_SECONDS:.0f} s; look at {directory}/lab.log"
    )


@lab_command.command()
@_directory
@click.option("--json", "as_json", is_flag=True, help="Print what the control endpoint says.")
def status(directory: Path, as_json: bool) -> None:
    """Say whether a lab runs, and where it listens."""
    found = ask_lab(directory, "status")
    click.echo(json.dumps(found, indent=2) if as_json else describe(found, directory))


@lab_command.command()
@_directory
def demo(directory: Path) -> None:
    """Promote a good version, roll a bad one back, count every request; exit 1 if any claim is untrue."""
    began = time.monotonic()
    console = Console(highlight=False)

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:5.1f} s[/]  {text}")

    say("loading what plays AWS")
    from lab import garbage
    from lab.scenes.traffic_plot import Picture

    # Loads its own tools on the other processor meanwhile.
    picture = Picture()
    with garbage.lasting():
        from lab.scenes.demo import Ended, run, table_of

    def view(record: ServiceRecord, ended: Ended) -> RenderableType:
        return Group(service_view(record, time.time()), release_view(ended.release, ended.entries))

    logging.basicConfig(level=logging.CRITICAL)
    found = run(directory.resolve() / "demo", console, say, view, picture)
    console.print()
    console.print(table_of(found))
    if not all(claim.holds for claim in found):
        raise SystemExit(1)


@lab_command.command()
@click.argument("plans", nargs=-1)
@click.option("--report", type=click.Path(path_type=Path), help="Write what was measured, as JSON.")
def recovery(plans: tuple[str, ...], report: Path | None) -> None:
    """Fail over and back between two regions by PLANS (all by default), with real databases; exit 1 if one fails."""
    from lab.databases.postgres import missing
    from lab.scenes.recovery.plans import PLANS
    from lab.scenes.recovery.show import show

    if unknown := [plan for plan in plans if plan not in PLANS]:
        raise click.BadParameter(f"there is no plan {unknown[0]}; there are {', '.join(PLANS)}")
    if why := missing():
        raise click.ClickException(f"recovery cannot be shown: {why}")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-west-2")
    reports = show(plans or tuple(PLANS), click.echo)
    if report:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(json.dumps(reports, indent=2) + "\n")
    if not all(each["status"] == "done" for each in reports):
        raise SystemExit(1)


@lab_command.command("move-in")
def move_in() -> None:
    """Move a live service to the control plane and back under load; exit 1 if a request fails."""
    from lab.scenes.move_in import run

    with tempfile.TemporaryDirectory() as scratch:
        failed = run(Path(scratch), click.echo)
    if failed:
        raise SystemExit(1)


@lab_command.command()
@_directory
@click.argument("name")
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    help="Where the picture goes; by default beside the lab's files.",
)
def scene(directory: Path, name: str, picture: Path | None) -> None:
    """Play a canary that most judges get wrong, live, and draw it; exit 1 if it does not end as it must.

    NAME is one of p50, endpoint, database, outage, cold-start (docs/judge-scenes.md), which need Debian's prometheus;
    or umbrella: six services from one umbrella chart, with a migration (docs/bundles.md).
    """
    if name == "umbrella":
        _umbrella()
        return
    from lab.scenes.judging.scenes import SCENES
    from lab.scenes.prometheus import program

    if name not in SCENES:
        raise click.BadParameter(f"there is no scene {name}; there are {', '.join(SCENES)}, umbrella")
    if program() is None:
        raise click.ClickException("a scene needs prometheus; apt-get install it, or put it on the PATH")
    from lab.scenes.judging.picture import draw
    from lab.scenes.judging.play import play

    began = time.monotonic()
    console = Console(highlight=False, markup=False)

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - began:5.1f} s  {text}", soft_wrap=True)

    logging.basicConfig(level=logging.CRITICAL)
    say(SCENES[name].title)
    played = play(directory.resolve() / "scene", SCENES[name], say)
    path = picture or directory.resolve() / "scene" / f"{name}.png"
    draw(played, path)
    say(f"{played.status.replace('_', ' ')}; the picture is in {path}")
    if played.status != played.scene.ends:
        raise SystemExit(1)


def _umbrella() -> None:
    from lab.scenes.umbrella import run

    logging.basicConfig(level=logging.CRITICAL)
    with tempfile.TemporaryDirectory() as scratch:
        found = run(Path(scratch), click.echo)
    if not all(claim.holds for claim in found):
        raise SystemExit(1)


def running(directory: Path) -> int | None:
    """The process of the lab in a directory, or None."""
    try:
        pid = int((directory / "pid").read_text())
    except (OSError, ValueError):
        return None
    command = _command_of(pid)
    # A pid file may be older than the process that has the number now.
    return pid if "lab" in command and "up" in command else None


def _command_of(pid: int) -> list[str]:
    """A process's command line; empty when it has ended."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return words.decode().split("\0") if words else []


def environment_of(directory: Path) -> dict[str, str]:
    """What `.lab/env` exports.

    Raises
    ------
    click.ClickException
        No lab is running.
    """
    try:
        text = (directory / "env").read_text()
    except OSError:
        raise click.ClickException("no lab is running; start one with `candlefish lab up`") from None
    pairs = (line.removeprefix("export ").split("=", 1) for line in text.splitlines() if "=" in line)
    return {name: value.strip("'") for name, value in pairs}


def describe(found: dict[str, Any], directory: Path) -> str:
    """The endpoints of a running lab, for people."""
    lines = [f"AWS        {found['endpoint']}    (control endpoint: {found['endpoint']}/_lab/status)"]
    for name, site in found["environments"].items():
        lines.append(f"{name}")
        lines.append(f"  traffic     {site['front_door']}")
        lines.append(f"  console     {site['outputs'].get('ConsoleUrl', 'none')}/    (sign in as anybody)")
        lines.append(f"  kubernetes  {site['kubernetes']}")
        lines.append(f"  approvals   {site['outputs'].get('ApprovalUrl', 'none')}")
        hosts = ", ".join(site["hosts"].values())
        lines.append(f"  hosts       {hosts}")
    first = next(iter(found["environments"].values()))
    example = next(iter(first["hosts"].values()), "a host of the catalog")
    lines += [
        "",
        f"source {directory}/env     then use aws, kubectl and curl:",
        f"  curl -H 'Host: {example}' $ALB_URL/",
        "  kubectl get deploy,hpa,pdb",
        "  aws elbv2 describe-rules --listener-arn $LISTENER_ARN",
        f"images to release: {directory}/images.json    logs: {directory}/logs/",
    ]
    return "\n".join(lines)


def ask_lab(directory: Path, what: str) -> Any:
    """What the control endpoint of a running lab says."""
    endpoint = environment_of(directory)["AWS_ENDPOINT_URL"]
    try:
        with urllib.request.urlopen(f"{endpoint}/_lab/{what}", timeout=60) as response:
            return json.loads(response.read())
    except urllib.error.URLError as error:
        raise click.ClickException(
            f"the lab at {endpoint} does not answer ({error.reason}); start it again"
        ) from None


def _detach(directory: Path) -> None:
    from lab.looks import looks

    directory.mkdir(parents=True, exist_ok=True)
    (directory / "ready").unlink(missing_ok=True)
    log = directory / "lab.log"
    log.unlink(missing_ok=True)
    process = once_more(log)
    told = 0
    with Progress("the lab starts") as shown:
        for _ in looks(_START_SECONDS, every=0.1):
            ready = (directory / "ready").exists()
            # Whole lines, as they come: that it goes on is seen.
            text = log.read_text(errors="replace")
            whole = text if ready else text[: text.rfind("\n") + 1]
            if len(whole) > told:
                shown.tell(whole[told:].rstrip("\n"))
                told = len(whole)
            if ready:
                return
            if process.poll() is not None:
                raise click.ClickException(f"the lab did not come up:\n{log.read_text()[-3000:]}")
    raise click.ClickException(f"the lab was not ready after {_START_SECONDS:.0f} s; look at {log}")


@lab_command.command()
@click.option("--monday", type=click.DateTime(["%Y-%m-%d"]), default="2026-10-26", show_default=True)
@click.option("--node-price", default=0.0832, show_default=True, help="US dollars an hour; an example.")
@click.option("--database-price", default=0.065, show_default=True, help="US dollars an hour; an example.")
def week(monday: Any, node_price: float, database_price: float) -> None:
    """Live through a difficult week of the environments that sleep in simulated time; needs no running lab."""
    from candlefish.catalog.load import load
    from lab import CATALOG
    from lab.choices import asleep
    from lab.nights.week import Prices, run_week, tell_week

    if monday.weekday() != 0:
        raise click.BadParameter(f"{monday:%Y-%m-%d} is a {monday:%A}", param_hint="--monday")
    catalog = load(CATALOG)
    weeks = [run_week(catalog, monday.date(), name) for name in asleep(catalog)]
    tell_week(weeks, Prices(node_price, database_price), Console())
    if not all(night.exact for each in weeks for night in each.nights):
        raise click.ClickException("a morning was not what its evening had been")


lab_command.add_command(simulate)
lab_command.add_command(load_command)
