"""`candlefish catalog`: check what the YAML says, compile it for the functions, write the editors' schema."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from candlefish.catalog.model import Catalog
from cli.options import CATALOG
from cli.terminal import as_json, document, echo

folder_option = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=CATALOG,
    show_default=True,
    help="Where the catalog's YAML is.",
)


@click.group("catalog")
def catalog_command() -> None:
    """Check, compile and describe the catalog (services, environments, strategies, ...)."""


@catalog_command.command("check")
@folder_option
@as_json
def check_command(folder: Path, as_json: bool) -> None:
    """Say everything that is wrong with the catalog, with file, line, field and fix."""
    from candlefish.catalog.load import load
    from candlefish.traffic.fittings import balancers_needed

    catalog = load(folder)
    counts = {
        field: len(part)
        for field in catalog.__struct_fields__
        if isinstance(part := getattr(catalog, field), dict)
    }
    services = sum(service.balanced for service in catalog.services.values())
    needed = balancers_needed(services)
    if as_json:
        document({"folder": str(folder), "sound": True, "counts": counts, "load_balancers_needed": needed})
        return
    echo(f"{folder} is sound: {', '.join(f'{field} {count}' for field, count in counts.items())}")
    echo(f"each environment needs listeners of {needed} load balancers for {services} services")


@catalog_command.command("compile")
@folder_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("build/catalog.json"),
    show_default=True,
    help="Where the compiled JSON goes.",
)
@click.option(
    "--speed", type=click.FloatRange(min=0, min_open=True), default=1.0, help="Divide durations by this."
)
def compile_command(folder: Path, out: Path, speed: float) -> None:
    """Write the JSON that functions read. Nothing is written when anything is wrong."""
    from candlefish.catalog.compile import compile, scaled
    from candlefish.catalog.load import load

    catalog = load(folder)
    data = compile(catalog if speed == 1 else scaled(catalog, speed))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    echo(f"{out}: {len(data)} bytes")


@catalog_command.command("parameters")
@folder_option
@click.option("-e", "--environment", required=True, help="Whose stack.")
@click.option("--write", is_flag=True, help="Write them into samconfig.toml, in place of what is there.")
@as_json
def parameters_command(folder: Path, environment: str, write: bool, as_json: bool) -> None:
    """Say by ARN what the roles of ENVIRONMENT's stack may act on: the databases, secrets, zones that the catalog names."""
    from candlefish.catalog.load import load
    from candlefish.catalog.stack_parameters import derived, reach_of
    from candlefish.names import ENVIRONMENT_TAG

    catalog = load(folder)
    found = catalog.environment(environment)
    reach = reach_of(found)
    parameters = derived(found, catalog)
    if as_json:
        document(parameters)
    for name, value in () if as_json else parameters.items():
        echo(f"{name}={value}")
    for arn in reach.left_out:
        echo(f"too long for its parameter: tag {arn} with {ENVIRONMENT_TAG}={environment}", err=True)
    if write:
        _write_samconfig(folder, catalog, [environment])


@catalog_command.command("samconfig")
@folder_option
@click.option(
    "-e", "--environment", "environments", multiple=True, help="Only this one's stacks; all by default."
)
@click.option("--write", is_flag=True, help="Write samconfig.toml beside the catalog; print it otherwise.")
def samconfig_command(folder: Path, environments: tuple[str, ...], write: bool) -> None:
    """Make samconfig.toml of the catalog: sections that are missing, and lines that the catalog says.

    What people wrote stays. What nobody can know from the catalog is a placeholder, which `make preflight` refuses.
    """
    from candlefish.catalog.load import load
    from cli.samconfig import written

    catalog = load(folder)
    names = list(environments or catalog.environments)
    if write:
        _write_samconfig(folder, catalog, names)
        return
    file = folder.parent / "samconfig.toml"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    for name in names:
        text = written(text, catalog, name)
    echo(text, nl=False)


def _write_samconfig(folder: Path, catalog: Catalog, environments: Iterable[str]) -> None:
    from candlefish.catalog.stack_parameters import PLACEHOLDER
    from cli.samconfig import written

    file = folder.parent / "samconfig.toml"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    for name in environments:
        text = written(text, catalog, name)
        echo(f"{file}: [{name}.deploy.parameters] was written", err=True)
    file.write_text(text, encoding="utf-8")
    if left := text.count(f"={PLACEHOLDER}"):
        echo(f"{file}: {left} values are {PLACEHOLDER}; write them, then: make preflight ENV=...", err=True)


@catalog_command.command("roles")
@folder_option
@click.option("-e", "--environment", required=True, help="Whose services.")
@click.option("--issuer", default="", help="The cluster's OIDC issuer; where identity_by is irsa.")
@click.option("--key", default="", help="ARN of the KMS key that the secrets are encrypted with.")
def roles_command(folder: Path, environment: str, issuer: str, key: str) -> None:
    """Print a CloudFormation template with the roles that ENVIRONMENT's services read their secrets with, and no more."""
    from candlefish.catalog.load import load
    from candlefish.catalog.service_roles import service_roles

    echo(json.dumps(service_roles(load(folder), environment, issuer=issuer, key=key), indent=2))


@catalog_command.command("schema")
@folder_option
@click.option(
    "--docs",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("docs/catalog.md"),
    show_default=True,
    help="The page whose field reference is written anew.",
)
def schema_command(folder: Path, docs: Path) -> None:
    """Write the JSON Schema that editors use, and the field reference in the docs."""
    for file, text in generated(folder, docs).items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        echo(str(file))


def generated(folder: Path, docs: Path) -> dict[Path, str]:
    """The files that are derived from the models, with what they must contain."""
    from candlefish.catalog.schema import schemas, with_reference

    files = {}
    for name, schema in schemas().items():
        files[folder / "schema" / f"{name}.json"] = json.dumps(schema, indent=2) + "\n"
    if docs.exists():
        files[docs] = with_reference(docs.read_text(encoding="utf-8"))
    return files
