"""What functions read of their environment against what the template gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools.layers import ROOT
from tools.lint_settings import BOOTSTRAP, SETTINGS, findings, main, roots

CORE = """
from candlefish.settings import Setting, Settings

class CoreSettings(Settings):
    machine_room = Setting(str)
    maybe = Setting(str, optional="")
    behind = Setting(str)

settings = CoreSettings()

def plain():
    return settings.machine_room

def through():
    return plain()

def guarded():
    if not settings.maybe:
        return None
    return settings.behind

def opened():
    if found := settings.maybe:
        return settings.behind
    return None

def executions():
    return settings.machines
"""
APP = """
from candlefish.bootstrap import core as wire

use = partial(case, port=wire.{name}())
"""


def found(tmp_path: Path, reads: str, *variables: str) -> list[str]:
    """The findings for a function that is wired to `reads` and given these variables."""
    bootstrap = tmp_path / "bootstrap"
    bootstrap.mkdir()
    (bootstrap / "core.py").write_text(CORE)
    app = tmp_path / "functions" / "work" / "app.py"
    app.parent.mkdir(parents=True)
    app.write_text(APP.format(name=reads))
    function: dict[str, Any] = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "CodeUri": "functions/work/",
            "Environment": {"Variables": dict.fromkeys(variables, "x")},
        },
    }
    return list(findings({"Resources": {"Work": function}}, tmp_path, roots(bootstrap, SETTINGS)))


@pytest.mark.parametrize("reads", ["plain", "through"])
def test_a_setting_that_is_read_must_be_given(tmp_path: Path, reads: str) -> None:
    assert found(tmp_path, reads) == ["Work: it reads MACHINE_ROOM, which the template does not give it"]


def test_a_setting_that_is_given_must_be_read(tmp_path: Path) -> None:
    assert found(tmp_path, "plain", "MACHINE_ROOM", "OTHER") == [
        "Work: the template gives it OTHER, which it never reads"
    ]


@pytest.mark.parametrize("reads", ["guarded", "opened"])
def test_what_an_optional_setting_closes_is_read_only_where_it_is_given(tmp_path: Path, reads: str) -> None:
    assert found(tmp_path, reads) == []


@pytest.mark.parametrize("reads", ["guarded", "opened"])
def test_what_an_optional_setting_opens_must_be_given(tmp_path: Path, reads: str) -> None:
    assert found(tmp_path, reads, "MAYBE") == ["Work: it reads BEHIND, which the template does not give it"]


def test_machines_are_given_to_those_who_start_them(tmp_path: Path) -> None:
    assert found(tmp_path, "executions", "MACHINE_ROLLBACK") == []


def test_a_machine_is_given_to_nobody_else(tmp_path: Path) -> None:
    assert found(tmp_path, "plain", "MACHINE_ROOM", "MACHINE_ROLLBACK") == [
        "Work: the template gives it MACHINE_ROLLBACK, which it never reads"
    ]


def test_a_folder_without_a_function_is_found(tmp_path: Path) -> None:
    stray = tmp_path / "functions" / "stray" / "app.py"
    stray.parent.mkdir(parents=True)
    stray.write_text("")
    assert found(tmp_path, "plain", "MACHINE_ROOM") == [
        "functions/stray: no function of the template has this code; remove it, or add the function"
    ]


def test_the_template_gives_each_function_just_what_it_reads() -> None:
    assert main(ROOT / "template.yaml") == 0
    assert len(roots(BOOTSTRAP, SETTINGS)) > 5
