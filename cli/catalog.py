"""`candlefish catalog`: check what the YAML says, compile it for the functions, write the editors' schema."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = Path("catalog")

folder_option = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=FOLDER,
    show_default=True,
    help="Where the catalog's YAML is.",
)


@click.group("catalog")
def catalog_command() -> None:
    """Check, compile and describe the catalog (services, environments, strategies, ...)."""


@catalog_command.command("check")
@folder_option
def check_command(folder: Path) -> None:
    """Say everything that is wrong with the catalog, with file, line, field and fix."""
    from candlefish.catalog.load import load

    catalog = load(folder)
    counts = (
        f"{field} {len(part)}"
        for field in catalog.__struct_fields__
        if isinstance(part := getattr(catalog, field), dict)
    )
    click.echo(f"{folder} is sound: {', '.join(counts)}")


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
    click.echo(f"{out}: {len(data)} bytes")
