"""`candlefish init`: read what runs, and write a catalog for it, with the way there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from candlefish.errors import InvalidInput, Misconfigured
from cli.adopt.facts import Facts
from cli.adopt.proposal import Proposal
from cli.terminal import echo

# Of the folder, what is read before it is written.
OURS = ("catalog/*.yaml", "catalog/environments/*.yaml", "adoption-*.md")
_GITHUB = re.compile(r"github\.com[:/]([A-Za-z0-9-]+/[A-Za-z0-9._-]+?)(?:\.git)?/?$")


@click.command("init")
@click.option("-e", "--environment", required=True, help="What the environment shall be called, like prod.")
@click.option("--region", help="Of the account; else AWS's own setting.")
@click.option("--profile", help="Of AWS's configuration; else AWS_PROFILE.")
@click.option("--cluster", help="Of EKS; else the region's only one.")
@click.option("--context", help="Ask the cluster through kubectl with this context instead of EKS.")
@click.option("-n", "--namespace", help="Of the services; else the one with most Deployments.")
@click.option("-s", "--service", "only", multiple=True, help="Take this Deployment alone; may be said again.")
@click.option(
    "--approver", "approvers", multiple=True, help="Who else approves: user/NAME, an IAM principal."
)
@click.option(
    "--notices-email", "email", default="", help="Who is told of what the control plane cannot do itself."
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where it is written.",
)
@click.option("--minimal", is_flag=True, help="One service: the largest behind a load balancer.")
@click.option(
    "--from",
    "rendered",
    type=click.Path(path_type=Path, exists=True),
    help="Read a chart, or what `helm template` wrote, instead of a cluster.",
)
@click.option(
    "--offline",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Read facts that --save wrote, and ask nobody.",
)
@click.option(
    "--save",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the facts to this file, too (JSON, without secrets).",
)
def init_command(
    environment: str,
    region: str | None,
    profile: str | None,
    cluster: str | None,
    context: str | None,
    namespace: str | None,
    only: tuple[str, ...],
    approvers: tuple[str, ...],
    email: str,
    out: Path,
    minimal: bool,
    rendered: Path | None,
    offline: Path | None,
    save: Path | None,
) -> None:
    """Read an account and a cluster, changing nothing there, and write a catalog for what runs.

    Writes catalog/, samconfig.toml and adoption-ENVIRONMENT.md: what was found, what is in the way, and the steps, as commands. Run
    it again at any time: what you wrote stays, what is new is added.
    """
    from candlefish.catalog.model.scalars import NAME

    if not re.fullmatch(NAME, environment):
        raise click.BadParameter("write a name like prod, at most 40 characters", param_hint="-e")
    if offline and rendered:
        raise click.UsageError("say one of --offline and --from")
    if offline:
        facts = read_facts(offline)
    elif rendered:
        facts = facts_of_chart(rendered, namespace or "default", region or "us-east-1")
    else:
        facts = ask(region, profile, cluster, context, namespace)
    facts = msgspec.structs.replace(facts, repository=facts.repository or repository(out))
    if save:
        save.write_bytes(msgspec.json.format(msgspec.json.encode(facts), indent=1) + b"\n")
    again = shlex.join(["candlefish", *sys.argv[1:]]) if sys.argv[1:2] == ["init"] else "candlefish init"
    write_all(
        environment, facts, out, approvers=approvers, email=email, minimal=minimal, again=again, only=only
    )


def write_all(environment: str, facts: Facts, out: Path, **options: Any) -> Proposal:
    """Propose, write, and say what came of it.

    Raises
    ------
    InvalidInput
        Nothing was found that could be a service, or the files that are there cannot be added to.
    CatalogError
        The catalog is not sound; its files were written, so that they can be looked at.
    """
    from candlefish.catalog.load import load
    from cli.adopt.propose import propose
    from cli.adopt.write import files
    from cli.samconfig import written

    proposal = propose(environment, facts, **options)
    if not proposal.services:
        told = f"; not read: {'; '.join(facts.unread)}" if facts.unread else ""
        raise InvalidInput(
            f"no Deployment of namespace {facts.namespace or '(none)'} could be a service{told}. Name another one with "
            "--namespace; nothing was written"
        )
    before = {
        str(file.relative_to(out)): file.read_text(encoding="utf-8")
        for pattern in OURS
        for file in out.glob(pattern)
    }
    for name, text in files(proposal, before).items():
        file = out / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        echo(f"{file}: {'changed' if name in before else 'written'}")
    catalog = load(out / "catalog")
    config = out / "samconfig.toml"
    text = config.read_text(encoding="utf-8") if config.exists() else ""
    known = {name: (str(each.value), each.why) for name, each in proposal.parameters.items()}
    config.write_text(samconfig := written(text, catalog, environment, known), encoding="utf-8")
    if samconfig != text:
        echo(f"{config}: {'changed' if text else 'written'}")
    for line in summary(proposal):
        echo(line)
    return proposal


def summary(proposal: Proposal) -> list[str]:
    """What a person reads first."""
    from candlefish.catalog.stack_parameters import PLACEHOLDER

    kinds = [each.fields["kind"].value for each in proposal.services]
    counted = ", ".join(
        f"{kinds.count(kind)} {kind}" for kind in ("web", "cluster", "worker", "stateful") if kind in kinds
    )
    unsure = sum(not guess.sure for each in proposal.services for guess in each.fields.values())
    unsure += sum(not guess.sure for guess in proposal.fields.values())
    lines = [
        "",
        f"{proposal.environment}: {len(proposal.services)} services ({counted}); the catalog is sound",
    ]
    if unsure:
        lines.append(f"{unsure} guesses want a look: search the catalog for 'a guess'")
    blocking = [each for each in proposal.obstacles if each.blocks]
    lines += [f"first: {each.about}: {each.what}" for each in blocking]
    if more := len(proposal.obstacles) - len(blocking):
        lines.append(f"{more} more remarks are in adoption-{proposal.environment}.md")
    if blank := [name for name, each in proposal.parameters.items() if each.value == PLACEHOLDER]:
        lines.append(f"not known yet, in samconfig.toml: {', '.join(blank)}")
    lines.append(
        f"next: adoption-{proposal.environment}.md, {len(proposal.steps)} steps; nothing was changed in the account or the cluster"
    )
    return lines


def read_facts(file: Path) -> Facts:
    """Facts that were saved.

    Raises
    ------
    InvalidInput
        The file is no such thing.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=Facts)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"{file} is not what `candlefish init --save` writes: {error}") from error


def ask(
    region: str | None, profile: str | None, cluster: str | None, context: str | None, namespace: str | None
) -> Facts:
    """Ask the account and the cluster.

    Raises
    ------
    InvalidInput
        There are several clusters or namespaces to choose from.
    """
    import botocore.session

    from cli.adopt.clusters import by_eks, by_kubectl
    from cli.adopt.look_aws import clusters, look_at_account
    from cli.adopt.look_cluster import look_at_cluster, namespaces

    session = botocore.session.Session(profile=profile)
    region = region or session.get_config_variable("region")
    if not region:
        raise Misconfigured("no region is set; say --region, or set AWS_REGION")
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            made[service] = session.create_client(service, region_name=region)
        return made[service]

    if not cluster:
        found = clusters(client)
        if len(found) != 1:
            raise InvalidInput(f"{region} has {len(found)} clusters ({', '.join(found)}); say --cluster")
        (cluster,) = found
    echo(f"reading account and cluster {cluster} in {region}", err=True)
    facts = look_at_account(client, region, cluster)
    asked = by_kubectl(context) if context else by_eks(client("eks"), cluster, session.get_credentials())
    if not namespace:
        counted = namespaces(asked)
        most = sorted(counted, key=lambda name: (-counted[name], name))
        if not most:
            raise InvalidInput(
                f"cluster {cluster} shows no Deployments; say --namespace, or check your access entry"
            )
        namespace = most[0]
        if len(most) > 1:
            echo(f"namespace {namespace} has most Deployments; others are {', '.join(most[1:6])}", err=True)
    return look_at_cluster(facts, asked, namespace)


def facts_of_chart(source: Path, namespace: str, region: str) -> Facts:
    """What a chart, or a file that `helm template` wrote, would make in a namespace.

    Raises
    ------
    InvalidInput
        Helm is not there or refuses the chart, or the file is no YAML.
    """
    from cli.adopt.facts import trimmed
    from cli.charts.rendered import Helm, rendered_of

    helm = Helm(source.resolve().name, namespace, onward="> all.yaml; candlefish init --from all.yaml ...")
    found = rendered_of(str(source), helm)
    flat = [each.document for each in found if isinstance(each.document, dict) and each.document.get("kind")]
    objects = [
        trimmed({**each, "metadata": {"namespace": namespace, **(each.get("metadata") or {})}})
        for each in flat
    ]
    return Facts(region=region, namespace=namespace, objects=tuple(objects))


def repository(folder: Path) -> str:
    """Owner and name on GitHub of the repository that a folder is in; empty where that cannot be told."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "remote", "get-url", "origin"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (FileNotFoundError, NotADirectoryError, subprocess.TimeoutExpired):
        return ""
    match = _GITHUB.search(done.stdout.strip())
    return match[1] if match else ""
