"""The command is lean: help and completion import no command, and `status` no SDK. Counted, never timed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from candlefish import __version__
from cli.__main__ import candlefish
from cli.commands import COMMANDS
from cli.extras import EXTRAS, how_to_get

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HEAVY = (
    "boto3",
    "botocore.session",
    "kubernetes",
    "pydantic",
    "yaml",
    "numpy",
    "matplotlib",
    "urllib3",
    "moto",
)


def loaded_by(*arguments: str, **environment: str) -> set[str]:
    """Every module that a call of the command imports."""
    program = (
        "import sys, json\n"
        "from cli.__main__ import candlefish\n"
        "try:\n    candlefish(prog_name='candlefish')\nexcept SystemExit:\n    pass\n"
        "sys.stderr.write(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_table_says_what_the_command_says(name: str) -> None:
    command = candlefish.get_command(click.Context(candlefish), name)
    assert command is not None
    assert command.get_short_help_str(limit=1000) == COMMANDS[name].does


def test_help_imports_no_command_and_nothing_that_draws() -> None:
    modules = loaded_by("--help")
    assert not modules & {"rich", "msgspec", "ssl", "http.client", *HEAVY}
    assert not {name for name in modules if name.startswith("cli.")} - {
        "cli.__main__",
        "cli.commands",
        "cli.extras",
    }


def test_help_of_status_imports_no_sdk_and_no_catalog() -> None:
    modules = loaded_by("status", "--help")
    assert not modules & {*HEAVY, "candlefish.catalog", "rich.live"}


@pytest.mark.parametrize("words", ["candlefish sta", "candlefish status -e "])
def test_a_shell_that_completes_imports_no_sdk(words: str) -> None:
    modules = loaded_by(
        _CANDLEFISH_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(len(words.split(" ")) - 1)
    )
    assert not modules & {*HEAVY, "candlefish.catalog"}


def test_the_version_is_said_once() -> None:
    assert PROJECT["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[{re.escape(__version__)}\]", changelog, re.MULTILINE)


def test_every_extra_is_one_of_the_wheel_and_says_how_to_get_it() -> None:
    brought = {
        re.split(r"[^a-z0-9-]", requirement)[0].replace("-", "_"): extra
        for extra, requirements in PROJECT["optional-dependencies"].items()
        for requirement in requirements
    }
    called = {"jsonata": "jsonata_python", "samtranslator": "aws_sam_translator"}
    for module, extra in EXTRAS.items():
        assert brought[called.get(module, module)] == extra
        said = how_to_get(f"{module}.sub")
        assert said is not None
        assert f"candlefish-control-plane[{extra}]" in said
    assert "make demo" in str(how_to_get("lab.scenes"))
    assert how_to_get("candlefish.nowhere") is None


@pytest.mark.parametrize(
    ("recorded", "origin"),
    [
        ({"url": "file:///work/control-plane", "dir_info": {}}, "file:///work/control-plane"),
        (
            {"url": "https://github.com/acme/cp", "vcs_info": {"vcs": "git", "commit_id": "1234abc"}},
            "git+https://github.com/acme/cp@1234abc",
        ),
        (None, "WHERE-YOURS-CAME-FROM"),
    ],
)
def test_an_extra_comes_from_where_the_command_came_from(
    monkeypatch: pytest.MonkeyPatch, recorded: dict[str, object] | None, origin: str
) -> None:
    text = None if recorded is None else json.dumps(recorded)
    monkeypatch.setattr(
        "importlib.metadata.distribution", lambda name: SimpleNamespace(read_text=lambda file: text)
    )
    assert f"pipx install --force 'candlefish-control-plane[plots] @ {origin}'" in str(how_to_get("numpy"))


def test_what_is_missing_is_said_in_one_line() -> None:
    program = (
        "import sys\nsys.modules['matplotlib'] = None\nimport click\nimport cli.commands\n"
        "from cli.commands import COMMANDS, Command\nimport types\n"
        "made = types.ModuleType('drawing')\n"
        "@click.command()\ndef draw():\n    import matplotlib\n"
        "made.draw = draw\nsys.modules['drawing'] = made\n"
        "COMMANDS['draw'] = Command('drawing:draw', 'Draw.')\n"
        "sys.argv = ['candlefish', 'draw']\nfrom cli.__main__ import main\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install 'candlefish-control-plane[plots] @ WHERE-YOURS-CAME-FROM'" in done.stderr
    assert done.stderr.count("\n") == 1
