"""Examples of the pages that lead here from other tools: each one that names a file of the catalog is a sound part of one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from candlefish.catalog.load import load
from tests.support.catalogs import ACME
from tools.layers import ROOT

PAGES = ("docs/from-argo-rollouts.md", "docs/from-flagger.md")
EXAMPLE = re.compile(r"^```yaml\n# catalog/(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_examples_are_sound_in_a_catalog(page: str, tmp_path: Path) -> None:
    examples = EXAMPLE.findall((ROOT / page).read_text())
    assert examples
    catalog = tmp_path / "catalog"
    shutil.copytree(ACME, catalog)
    for file, text in examples:
        with (catalog / file).open("a") as whole:
            whole.write(f"\n{text}")

    read = load(catalog)

    known = {"strategies.yaml": read.strategies, "policies.yaml": read.policies}
    assert [name for file, text in examples for name in yaml.safe_load(text) if name not in known[file]] == []


@pytest.mark.parametrize("page", PAGES)
def test_an_example_with_a_field_that_there_is_not_would_be_refused(page: str, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    shutil.copytree(ACME, catalog)
    file, text = EXAMPLE.findall((ROOT / page).read_text())[0]
    with (catalog / file).open("a") as whole:
        whole.write(f"\n{text}  rollback_windw: 1h\n")

    with pytest.raises(Exception, match="rollback_windw"):
        load(catalog)
