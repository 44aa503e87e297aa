"""The editors' schema and the docs' reference say what the models say, and are current."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from candlefish.catalog.schema import meaning_of, models, reference, schemas, with_reference, words
from cli.catalog import generated
from tests.support.catalogs import ACME, FIXTURES, PRODUCT

ROOT = Path(__file__).parents[3]
SCHEMAS = ROOT / "catalog" / "schema"
DOCS = ROOT / "docs" / "catalog.md"


def test_schema_and_reference_are_current() -> None:
    stale = [
        str(file)
        for file, text in generated(SCHEMAS.parent, DOCS).items()
        if not file.exists() or file.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run `candlefish catalog schema`"


def files() -> list[Path]:
    return [file for folder in (FIXTURES, ACME, PRODUCT) for file in sorted(folder.rglob("*.yaml"))]


@pytest.mark.parametrize("file", files(), ids=str)
def test_files_fit_their_schema_and_name_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    prefix = "# yaml-language-server: $schema="
    assert text.startswith(prefix)
    named = file.resolve().parent / text.splitlines()[0].removeprefix(prefix)
    field = file.parent.name if file.parent.name == "environments" else file.stem
    assert named.resolve() == (SCHEMAS / f"{field}.json").resolve()
    validator = jsonschema.Draft7Validator(json.loads(named.read_text(encoding="utf-8")))
    validator.check_schema(validator.schema)
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize(
    ("field", "document", "said"),
    [
        ("services", {"Web": {}}, "does not match"),
        ("services", {"web": {"image": "x"}}, "is a required property"),
        ("services", {"web": {"onwer": "x"}}, "'onwer' was unexpected"),
        ("services", {"web": {"name": "web"}}, "'name' was unexpected"),
        ("services", {"web": {"port": 70000}}, "maximum of 65535"),
        ("services", {"web": {"port": "80"}}, "is not of type 'integer'"),
        ("strategies", {"s": {"kind": "big-bang"}}, "is not one of"),
        ("strategies", {"s": {"kind": "canary", "rollback_window": "soon"}}, "does not match"),
        ("strategies", {"s": {"kind": "canary", "rollback_window": 60}}, "is not of type 'string'"),
        (
            "strategies",
            {"s": {"kind": "canary", "steps": [{"weight": 1, "bake": {"at_most": "1m"}}]}},
            "too many",
        ),
        ("strategies", {"s": {"kind": "canary", "steps": [{}]}}, "non-empty"),
        ("calendars", {"c": {"known_until": "2030-01-01"}}, "'known_until' was unexpected"),
    ],
)
def test_editors_see_mistakes(field: str, document: object, said: str) -> None:
    validator = jsonschema.Draft7Validator(schemas()[field])
    messages = [error.message for error in validator.iter_errors(document)]
    assert any(said in message for message in messages), messages


VAGUE = (
    "text",
    "true or false",
    "a duration",
    "a whole number",
    "a number",
    "names, each with text",
    "list of text",
)


def test_every_field_says_what_it_means_where_its_type_does_not() -> None:
    silent = [
        f"{kind.__name__}.{field}"
        for kind, keyed in models().items()
        for field, type_ in kind.__annotations__.items()
        if not (keyed and field == "name")
        and not meaning_of(kind, field)
        and words(_resolved(kind, field)).startswith(VAGUE)
    ]
    assert silent == [], "write a comment above these fields"


def _resolved(kind: type, field: str) -> object:
    import msgspec

    return next(each.type for each in msgspec.structs.fields(kind) if each.name == field)


def test_the_reference_replaces_what_stands_between_its_markers_only() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert with_reference(text) == text
    stale = text.replace(reference(), "old")
    assert stale != text
    assert with_reference(stale) == text
