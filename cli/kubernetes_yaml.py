"""YAML as kubectl and Helm read it (sigs.k8s.io/yaml over go-yaml 2): not as YAML 1.1 or 1.2 says.

Dates, times and a lone `=` are text; `0644` and `0o644` are 420; y, yes and on are true; a key is text, whatever it
looks like. Source: goyaml.v2's resolve.go and sigs.k8s.io/yaml's conversion to JSON.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

_TRUE = frozenset(
    word for plain in ("y", "yes", "true", "on") for word in (plain, plain.title(), plain.upper())
)
_FALSE = frozenset(
    word for plain in ("n", "no", "false", "off") for word in (plain, plain.title(), plain.upper())
)
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_WHOLE = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_REAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NO_JSON = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def resolve(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means.

    Raises
    ------
    ValueError
        It is a number that JSON has no word for.
    """
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    plain = text.replace("_", "") if text[0] in "+-0123456789" else text
    if _WHOLE.fullmatch(plain) and (whole := _whole(plain)) is not None:
        return whole
    if _REAL.fullmatch(plain) and math.isfinite(number := float(plain)):
        return number
    if _NO_JSON.fullmatch(text):
        raise ValueError(f"{text} is a number that the Kubernetes API cannot take; quote it if it is text")
    return text


def _whole(text: str) -> int | None:
    """A whole number as Go reads it with base 0; nothing if it needs more than 64 bits."""
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.removeprefix("+"))
    base = {"0x": 16, "0b": 2, "0o": 8}.get(digits[:2].lower())
    if not base and digits[0] != "0" and len(digits) > 20:
        return None
    number = sign * (int(digits[2:], base) if base else int(digits, 8 if digits.startswith("0") else 10))
    return number if -(2**63) <= number < 2**64 else None


_PLAIN, _MAP, _LIST = "plain", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """Texts, plain scalars, lists, and mappings with keys of text; a tag that says anything else is an error."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        if kind is not yaml.ScalarNode:
            return _LIST if kind is yaml.SequenceNode else _MAP
        if not implicit[0]:
            return _TEXT
        return _MERGE if value == "<<" else _PLAIN


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    # What a merge key (<<) brings stands first, and is what may be written again.
    loader.flatten_mapping(node)
    return {_key(loader, key): loader.construct_object(value, deep=True) for key, value in node.value}


def _key(loader: _Loader, node: yaml.Node) -> str:
    key = loader.construct_object(node)
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, (str, int)):
        return str(key)
    what = "quote it: Kubernetes would write this key in another way"
    raise yaml.constructor.ConstructorError(None, None, what, node.start_mark)


# Other libraries teach all loaders tags of their own (CloudFormation's); this one stays as it is.
_Loader.yaml_multi_constructors = {}
_Loader.yaml_constructors = {
    _PLAIN: lambda loader, node: resolve(node.value),
    _TEXT: yaml.SafeLoader.construct_scalar,
    _LIST: lambda loader, node: loader.construct_sequence(node, deep=True),
    _MAP: _mapping,
    None: yaml.SafeLoader.construct_undefined,
    **{
        tag: yaml.SafeLoader.yaml_constructors[tag]
        for name in ("int", "float", "bool", "null")
        if (tag := f"tag:yaml.org,2002:{name}")
    },
}


def load_all(text: str) -> list[Any]:
    """The documents of a text; empty ones are left out.

    Raises
    ------
    yaml.YAMLError
        It is no YAML.
    ValueError
        It says what JSON cannot.
    """
    return [document for document in yaml.load_all(text, Loader=_Loader) if document]
