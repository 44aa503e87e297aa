"""Our reading of YAML against the API server's own, where there is one."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.kubernetes_yaml import load_all
from tests.support.kubernetes.servers import Server

# Takes any JSON in `data`, and changes none of it.
REVISION = """\
apiVersion: apps/v1
kind: ControllerRevision
metadata:
  name: {name}
revision: 1
data:
{data}
"""
PATH = "/apis/apps/v1/namespaces/default/controllerrevisions"

SCALARS = (
    "2026-11-28", "2026-11-28T10:00:00Z", "12:30:00", "1:20", "190:20:30", "=", "y", "N", "yes", "No", "on", "OFF",
    "true", "True", "TRUE", "tRUE", "~", "null", "Null", "nULL", "0", "-0", "+1", "0644", "0o644", "0O17", "08", "09.5",
    "0x1F", "0b11", "-0b11", "-0x1f", "1_000", "1__0", "_1", "0_7", "0x_1f", "1e3", "1E3", "1e400", ".5", "5.", "-.5",
    "+.5", "1.", "1.5e+3", "9223372036854775807", "9223372036854775808", "18446744073709551615",
    "18446744073709551616", "-9223372036854775809", "1.0", "100000000000000000000000", "0.1", "1e21", "a", "1a", "-", "--",
    "<", "0o8", "0b2", "0xg", "'true'", '"1"', "'2026-01-01'", "!!str 12", "!!int '12'", "!!float 1", "|\n    12",
)  # fmt: skip
KEYS = (
    "404",
    "yes",
    "0x1f",
    "2026-11-28",
    "~",
    "true",
    "a",
    "'5'",
    "'1.10'",
    "=",
    "0644",
    "12:30",
    "<",
    "!!str 1.10",
)


@pytest.fixture
def real(real_server: Server) -> Server:
    return real_server


def read_by_kubernetes(server: Server, data: str) -> Any:
    """What the API server makes of indented YAML; None where it refuses it."""
    name = f"yaml-{secrets.token_hex(6)}"
    text = REVISION.format(name=name, data=data)
    status, answer = server.admin.call("POST", PATH, text, "application/yaml")
    if status >= 300:
        return None
    server.admin.call("DELETE", f"{PATH}/{name}")
    return answer["data"]


def read_by_us(data: str) -> Any:
    try:
        (found,) = load_all(REVISION.format(name="x", data=data))
    except (ValueError, yaml.YAMLError):
        return None
    return found["data"]


def plain(value: Any) -> Any:
    """A value whose numbers are told from texts and truths, and 1 is 1.0."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return (
        value if isinstance(value, bool) or not isinstance(value, (int, float)) else ("number", float(value))
    )


@pytest.mark.lab
@pytest.mark.parametrize("scalar", SCALARS)
def test_a_scalar_means_what_it_means_to_kubernetes(real: Server, scalar: str) -> None:
    data = f"  value: {scalar}"
    assert plain(read_by_us(data)) == plain(read_by_kubernetes(real, data))


@pytest.mark.lab
@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_what_it_is_to_kubernetes(real: Server, key: str) -> None:
    data = f"  {key}: 1"
    assert read_by_us(data) == read_by_kubernetes(real, data)


@pytest.mark.lab
@pytest.mark.parametrize(
    "data",
    [
        "  base: &b {x: 1, y: 2}\n  more:\n    <<: *b\n    x: 3",
        "  base: &b {x: 1}\n  other: &o {x: 2, z: 3}\n  more:\n    <<: [*b, *o]",
        "  list: &l [1, two]\n  again: *l",
    ],
)
def test_what_is_merged_and_repeated(real: Server, data: str) -> None:
    assert read_by_us(data) == read_by_kubernetes(real, data)


@pytest.mark.lab
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.from_regex(r"[-+.]?[0-9a-fA-FxXoObB_.eE:yYnNtT~=+-]{1,12}", fullmatch=True))
def test_what_looks_like_a_number(real: Server, scalar: str) -> None:
    data = f"  value: {scalar}"
    assert plain(read_by_us(data)) == plain(read_by_kubernetes(real, data))
