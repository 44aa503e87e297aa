"""Writes docs/bundles.md, what a bundle may hold, from the allow-list that the code uses.

python -m tools.bundle_page [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from candlefish.release.manifests.admit import MOST_OBJECTS, REFUSED
from candlefish.release.manifests.allowed import CONTAINER, METADATA, MOST, OBJECTS, POD
from candlefish.release.manifests.shape import Fields
from tools.layers import ROOT
from tools.pages import write_or_check

PAGE = ROOT / "docs/bundles.md"
INTRO = f"""# What a bundle may hold

Made by `python -m tools.bundle_page` from `candlefish/release/manifests/allowed.py`; `make check` compares.

A field that is not here is refused before anything is taken, and the message names its path. A field that is `null`
is not there. At most {MOST_OBJECTS} objects. [Kubernetes](kubernetes.md), "Bundles", says what is made of them and
whose names may be used; [decision 17](decisions/0017-bundles-by-allow-list.md) says why."""


def page() -> str:
    """The page as it should be."""
    parts = [INTRO, "## Metadata of every object", *_table(METADATA)]
    for kind, fields in OBJECTS.items():
        most = f", at most {MOST.get(kind, 1)}" if kind != "Deployment" else ", exactly 1"
        parts += [f"## {kind}{most}", *_table(fields, without=("metadata", "status"))]
    parts += [
        "## Pods of the Deployment (`spec.template.spec`)",
        *_table(POD, without=("containers", "initContainers")),
    ]
    parts += ["## Containers and init containers", *_table(CONTAINER)]
    parts += ["An init container may have `restartPolicy` `Always` (a sidecar) besides."]
    parts += ["## Kinds that are refused, and what to do instead", "| kind | |\n|---|---|"]
    parts[-1] += "".join(f"\n| {kind} | {why} |" for kind, why in REFUSED.items())
    return "\n\n".join(parts) + "\n"


def _table(fields: Fields, without: tuple[str, ...] = ()) -> Iterator[str]:
    rows = [
        (path, says)
        for key, rule in fields.fields.items()
        if key not in without
        for path, says in rule.rows(key)
        if not path.startswith("spec.template.spec.")
    ]
    yield "| field | what it may be |\n|---|---|" + "".join(
        f"\n| `{path}` | {says.replace('|', chr(92) + '|').replace('<', '&lt;')} |" for path, says in rows
    )


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page(), source="allow-list says", module="tools.bundle_page"))
