"""The allow-list against Kubernetes' own models: what it names is there, under that name and of that shape."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from candlefish.release.manifests.allowed import OBJECTS
from candlefish.release.manifests.shape import Allowed, Entries, Fields, ListOf
from lab.kube.kinds import KINDS
from lab.kube.schema import fields_of
from tools.bundle_page import PAGE, page

MODELS = {kind.kind: kind.model for kind in KINDS}
CONTAINER_OF = re.compile(r"(List|Dict)\[(?:str, )?(.+)\]")


def misfits(rule: Allowed, kind: str, path: str) -> Iterator[str]:
    """Where a rule is not what the API's model has."""
    inner = CONTAINER_OF.fullmatch(kind)
    if isinstance(rule, Fields) and kind.startswith("V"):
        known = fields_of(kind)
        for name, each in rule.fields.items():
            if name not in known:
                yield f"{path}.{name}"
            else:
                yield from misfits(each, known[name], f"{path}.{name}")
    elif isinstance(rule, ListOf):
        if inner is None or inner[1] != "List":
            yield f"{path} is {kind}"
        else:
            yield from misfits(rule.rule, inner[2], f"{path}[]")
    elif isinstance(rule, Entries) and (inner is None or inner[1] != "Dict"):
        yield f"{path} is {kind}"


@pytest.mark.parametrize("kind", [kind for kind in OBJECTS if MODELS[kind]])
def test_every_field_is_one_of_kubernetes(kind: str) -> None:
    assert list(misfits(OBJECTS[kind], MODELS[kind], kind)) == []


def test_what_people_read_is_what_the_code_does() -> None:
    assert PAGE.read_text() == page()
