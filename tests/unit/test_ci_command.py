"""What a workflow of several services asks: what changed between two commits, in which order it is released, what is live."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from candlefish.catalog.load import load
from candlefish.errors import InvalidInput
from cli import ci
from cli.ci import changed_services, detect_command, train_of
from lab import CATALOG

KNOWN = load(CATALOG).services
FIRST, SECOND = sorted(KNOWN)[:2]
SERVICES = {
    "api": msgspec.structs.replace(KNOWN[FIRST], name="api", paths=("api", "shared/go.mod"), depends_on=()),
    "web": msgspec.structs.replace(KNOWN[FIRST], name="web", paths=(), depends_on=("api",)),
    "jobs": msgspec.structs.replace(KNOWN[FIRST], name="jobs", paths=("jobs",), depends_on=("web",)),
}
DIGEST = "@sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["api/main.go"], ["api"]),
        (["services/web/index.ts", "README.md"], ["web"]),
        (["shared/go.mod"], ["api"]),
        (["apis/main.go", "shared/go.sum", "services/webs/x"], []),
        (["jobs"], ["jobs"]),
        ([], []),
    ],
)
def test_a_service_changed_when_a_file_below_its_paths_did(files: list[str], found: list[str]) -> None:
    assert changed_services(files, SERVICES) == found


def test_who_depends_on_it_through_others_as_well() -> None:
    assert changed_services(["api/x"], SERVICES, dependents=True) == ["api", "jobs", "web"]
    assert changed_services(["services/web/x"], SERVICES, dependents=True) == ["jobs", "web"]


def test_a_train_has_dependencies_first_and_images_by_digest() -> None:
    images = {name: f"r/{name}{DIGEST}" for name in ("jobs", "api", "web")}
    train = train_of(images, SERVICES, "1.2")
    assert [car["service"] for car in train] == ["api", "web", "jobs"]
    assert train[0] == {"service": "api", "image": f"r/api{DIGEST}", "label": "1.2"}
    for wrong in ({"nobody": f"r/x{DIGEST}"}, {"api": "r/api:latest"}):
        with pytest.raises(InvalidInput):
            train_of(wrong, SERVICES, "")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two commits; the second touches the api and renames a file of the web."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ci, "_services", lambda: SERVICES)

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *arguments], check=True, capture_output=True)

    git("init", "-b", "main")
    (tmp_path / "services/web").mkdir(parents=True)
    (tmp_path / "services/web/a.ts").write_text("a" * 100)
    (tmp_path / "api").mkdir()
    (tmp_path / "api/main.go").write_text("1")
    git("add", ".")
    git("commit", "-m", "one")
    (tmp_path / "services/web/a.ts").rename(tmp_path / "elsewhere.ts")
    (tmp_path / "api/größe.go").write_text("2")
    git("add", "-A")
    git("commit", "-m", "two")
    return tmp_path


def test_detect_says_it_as_a_matrix_and_to_the_job(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = repository / "output"
    monkeypatch.setenv("GITHUB_OUTPUT", str(output))
    done = CliRunner().invoke(detect_command, ["--base", "HEAD~1", "--output"], catch_exceptions=False)
    assert json.loads(done.output) == ["api", "web"]
    assert output.read_text().splitlines() == ['services=["api", "web"]', "any=true"]


@pytest.mark.parametrize("base", ["", "0" * 40])
def test_a_new_branch_is_everything(repository: Path, base: str) -> None:
    done = CliRunner().invoke(detect_command, ["--base", base], catch_exceptions=False)
    assert json.loads(done.output) == ["api", "jobs", "web"]


@pytest.mark.parametrize("base", ["deadbeef", "--output=x"])
def test_a_commit_that_is_not_there_is_said(repository: Path, base: str) -> None:
    done = CliRunner().invoke(detect_command, [f"--base={base}"])
    assert isinstance(done.exception, InvalidInput)
    assert not list(repository.glob("x*"))
