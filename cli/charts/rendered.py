"""The objects of a chart, or of YAML that somebody rendered, each with the template that it is from."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from candlefish.errors import InvalidInput
from cli.files import as_helm_writes, documents_in

# The Kubernetes that charts are rendered for where nobody says; helm's own default is as old as the helm.
KUBE_VERSION = "1.33.0"
# Seconds that helm may take.
PATIENCE = 120
YAML_ENDS = (".yaml", ".yml", ".json")
# Before each marker: an object may stand on its line.
_PARTS = re.compile(r"^(?=---(?:\s|$))", re.MULTILINE)
_SOURCE = re.compile(r"^# Source: (\S+)$", re.MULTILINE)


class Rendered(NamedTuple):
    """An object, and the template that it is from (`chart/charts/sub/templates/x.yaml`; empty where nothing says so)."""

    document: Any
    source: str = ""

    @property
    def subchart(self) -> str:
        """The name of the innermost subchart; empty for the chart's own."""
        before, found, rest = self.source.rpartition("/charts/")
        return rest.partition("/")[0] if found and before else ""


class Helm(NamedTuple):
    """How helm shall render a chart. `onward` is how what another helm wrote comes to the command that asks."""

    release: str
    namespace: str
    values: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    kube_version: str = KUBE_VERSION
    api_versions: tuple[str, ...] = ()
    onward: str = "| candlefish bundle - ..."


def rendered_of(source: str, helm: Helm) -> list[Rendered]:
    """The objects of a chart (a folder, an archive, `oci://...`), a file or folder of YAML, or `-` for what is piped in.

    Raises
    ------
    InvalidInput
        There is no such thing, helm fails or is missing, or it is no YAML.
    """
    if source == "-":
        with as_helm_writes("what was piped in"):
            text = sys.stdin.read()
        return objects_in(text, "what was piped in")
    path = Path(source)
    if source.startswith("oci://") or path.suffix == ".tgz" or (path / "Chart.yaml").is_file():
        return objects_in(_templates(source, helm), source)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in YAML_ENDS and file.is_file())
        found = [each for file in files for each in _objects_of(file)]
        if not found:
            raise InvalidInput(f"{source} is no chart (it has no Chart.yaml) and has no YAML in it")
        return found
    if not path.is_file():
        raise InvalidInput(f"there is no {source}; name a chart, a file or folder of YAML, or - for a pipe")
    return _objects_of(path)


def _objects_of(file: Path) -> list[Rendered]:
    with as_helm_writes(str(file)):
        text = file.read_text(encoding="utf-8")
    return objects_in(text, str(file))


def objects_in(text: str, name: str) -> list[Rendered]:
    """The objects of a text of YAML; those of a List one by one.

    Raises
    ------
    InvalidInput
        It is no YAML, or holds what JSON cannot.
    """
    parts = _PARTS.split(text)
    made: list[Rendered] = []
    for part, documents in zip(parts, documents_in(parts, name), strict=True):
        source = _SOURCE.search(part)
        for document in documents:
            made += [Rendered(each, source[1] if source else "") for each in _single(document)]
    return made


def _single(document: Any) -> Sequence[Any]:
    if isinstance(document, dict) and document.get("kind") == "List":
        items = document.get("items")
        return items if isinstance(items, list) else [document]
    return [document]


def _templates(chart: str, helm: Helm) -> str:
    """What helm's own binary writes for a chart, hooks included: what of them is left out is reported."""
    binary = shutil.which("helm")
    if binary is None:
        raise InvalidInput(
            f"{chart} is a chart, and helm is not on the PATH: install it (https://helm.sh/docs/intro/install), or "
            f"render it elsewhere: helm template {helm.release} {chart} {helm.onward}"
        )
    asked = [binary, "template", helm.release, chart, "--namespace", helm.namespace]
    asked += ["--kube-version", helm.kube_version]
    for option, given in (
        ("--values", helm.values),
        ("--set", helm.sets),
        ("--api-versions", helm.api_versions),
    ):
        asked += [word for each in given for word in (option, each)]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired as error:
        raise InvalidInput(f"helm did not render {chart} within {PATIENCE} s") from error
    if answer.returncode:
        raise InvalidInput(f"helm cannot render {chart}: {' '.join(answer.stderr.split())[-1000:]}")
    return answer.stdout
