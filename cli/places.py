"""Where the catalog is, and which environments it has, without reading more of it than that."""

from __future__ import annotations

import os
import re
from pathlib import Path

FOLDER = "catalog"
_REGION = re.compile(r"^region:\s*[\"']?([a-z]{2,5}(?:-[a-z]+)+-\d)[\"']?\s*(?:#.*)?$", re.MULTILINE)
_PRODUCTION = re.compile(r"^production:\s*true\s*(?:#.*)?$", re.MULTILINE)
# Anything but a plain `false`: who reads this asks a person once too often rather than once too seldom.
_MAY_BE_PRODUCTION = re.compile(r"^[\"']?production[\"']?\s*:(?!\s*false\s*(?:#.*)?$)", re.MULTILINE)
_TOP = re.compile(r"^([a-z][a-z0-9-]*):", re.MULTILINE)


def catalog_folder() -> Path:
    """The folder that CANDLEFISH_CATALOG names; else the next `catalog/` with environments, from here upwards; else the
    one of this checkout. As short as it can be written; it need not exist.
    """
    named = os.environ.get("CANDLEFISH_CATALOG")
    here = Path.cwd()
    folder = Path(named) if named else _upwards(here) or Path(__file__).parents[1] / FOLDER
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _upwards(here: Path) -> Path | None:
    beside = (folder / FOLDER for folder in (here, *here.parents))
    return next((folder for folder in beside if (folder / "environments").is_dir()), None)


def environments_of(folder: Path) -> list[str]:
    """Names of the environments that a catalog has files for; none where there is no catalog."""
    return sorted(file.stem for file in (folder / "environments").glob("*.yaml"))


def usual_environment(folder: Path) -> str:
    """The environment that is meant where none is named: the only one, or the only one that is production; else empty."""
    files = sorted((folder / "environments").glob("*.yaml"))
    if len(files) > 1:
        files = [file for file in files if _PRODUCTION.search(file.read_text(encoding="utf-8"))]
    return files[0].stem if len(files) == 1 else ""


def may_be_production(folder: Path, environment: str) -> bool:
    """Whether an environment is production, as far as its file says; one without a file may be."""
    file = folder / "environments" / f"{environment}.yaml"
    return not file.is_file() or bool(_MAY_BE_PRODUCTION.search(file.read_text(encoding="utf-8")))


def region_of(folder: Path, environment: str) -> str | None:
    """The region that an environment's file names on a line of its own; None where it is written otherwise."""
    found = _REGION.findall((folder / "environments" / f"{environment}.yaml").read_text(encoding="utf-8"))
    return found[0] if len(found) == 1 else None


def services_of(folder: Path) -> list[str]:
    """Names at the first level of services.yaml, for completion; none where there is no such file."""
    file = folder / "services.yaml"
    return sorted(set(_TOP.findall(file.read_text(encoding="utf-8")))) if file.is_file() else []
