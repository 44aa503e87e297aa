"""YAML as Kubernetes reads it. Against a real API server: tests/contract/kubernetes/test_yaml.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from candlefish.errors import InvalidInput
from cli.files import documents_of
from cli.kubernetes_yaml import load_all


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-28", "2026-11-28"),
        ("12:30:00", "12:30:00"),
        ("=", "="),
        ("y", True),
        ("Off", False),
        ("~", None),
        ("0644", 420),
        ("0o644", 420),
        ("08", 8.0),
        ("-0x1f", -31),
        ("1_000", 1000),
        ("_1", "_1"),
        ("1e3", 1000.0),
        ("1e400", "1e400"),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", 2.0**64),
        ("1" + "0" * 400, "1" + "0" * 400),
        ("9" * 5000, "9" * 5000),
        ("0x1" + "0" * 16, "0x1" + "0" * 16),
        ("07" + "0" * 22, 7e22),
        ("'0644'", "0644"),
        ("!!str 0644", "0644"),
        ("|\n  0644", "0644"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    assert load_all(f"a: {text}") == [{"a": value}]


def test_keys_are_text_and_merges_stand_behind_what_is_written() -> None:
    text = "a: &a {404: x, yes: 1}\nb: {<<: *a, 404: z}"
    assert load_all(text) == [{"a": {"404": "x", "true": 1}, "b": {"404": "z", "true": 1}}]


@pytest.mark.parametrize(
    "text", [".nan", "-.inf", "!!binary aGk=", "!ruby/object x", "!!timestamp 2026-11-28"]
)
def test_what_no_json_can_say_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rendered.yaml"
    file.write_text(f"a: {text}")
    with pytest.raises(InvalidInput, match="is not what helm template writes"):
        documents_of(file)


def test_a_key_that_would_change_is_refused() -> None:
    with pytest.raises(yaml.YAMLError, match="quote it"):
        load_all("1.10: notes.html")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=20))
def test_a_quoted_text_is_that_text(text: str) -> None:
    quoted = "'" + text.replace("'", "''") + "'"
    assert load_all(f"a: {quoted}") == [{"a": " ".join(text.split("\n"))}]
