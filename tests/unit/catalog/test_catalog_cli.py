"""`candlefish catalog` as people call it."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from candlefish.catalog.problems import CatalogError
from candlefish.catalog.read import read
from cli.catalog import catalog_command
from tests.support.catalogs import FIXTURES


def run(*arguments: str | Path) -> tuple[int, str, BaseException | None]:
    result = CliRunner().invoke(catalog_command, [str(argument) for argument in arguments])
    return result.exit_code, result.output, result.exception


def test_check_counts_what_is_there() -> None:
    code, output, _ = run("check", "--folder", FIXTURES)
    assert code == 0
    assert "services 6, environments 3" in output


def test_check_fails_with_every_problem(folder: Path) -> None:
    (folder / "people.yaml").unlink()
    code, _, error = run("check", "--folder", folder)
    assert code != 0
    assert isinstance(error, CatalogError)
    assert "two approvers" in str(error)


def test_compile_writes_what_functions_read(tmp_path: Path) -> None:
    out = tmp_path / "build" / "catalog.json"
    code, output, _ = run("compile", "--folder", FIXTURES, "--out", out)
    assert code == 0
    assert str(out) in output
    assert read(out).strategy("production").rollback_window == 3600
    assert run("compile", "--folder", FIXTURES, "--out", out, "--speed", "60")[0] == 0
    assert read(out).strategy("production").rollback_window == 60


def test_compile_writes_nothing_while_anything_is_wrong(folder: Path, tmp_path: Path) -> None:
    (folder / "people.yaml").write_text("x: 1")
    out = tmp_path / "catalog.json"
    assert run("compile", "--folder", folder, "--out", out)[0] != 0
    assert not out.exists()


def test_schema_writes_every_files_schema_and_the_reference(tmp_path: Path) -> None:
    docs = tmp_path / "catalog.md"
    docs.write_text(
        "before <!-- fields: written by `candlefish catalog schema` --> x <!-- end of fields --> after"
    )
    code, _, _ = run("schema", "--folder", tmp_path, "--docs", docs)
    assert code == 0
    written = {file.name for file in (tmp_path / "schema").iterdir()}
    assert written == {file.name for file in (Path(__file__).parents[3] / "catalog" / "schema").iterdir()}
    text = docs.read_text(encoding="utf-8")
    assert text.startswith("before ")
    assert text.endswith(" after")
    assert "### Service" in text
