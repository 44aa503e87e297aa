"""Samples changed at random, knowing what they are made of: values replaced, taken out, doubled, moved, nested.

Everything follows from the `random.Random` that is handed in.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

LONG = 3000


def deep(depth: int, of: str) -> Any:
    """A value that nests so deep."""
    value: Any = "x"
    for _ in range(depth):
        value = [value] if of == "list" else {"a": value}
    return value


SCALARS: tuple[Callable[[random.Random], Any], ...] = (
    lambda r: None,
    lambda r: r.choice([True, False]),
    lambda r: r.choice([0, 1, -1, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**25, 10**400]),
    lambda r: r.randint(-1000, 1000),
    lambda r: r.choice([0.0, -0.5, 1e-320, 1e20, 1e308, -1e308, math.nan, math.inf, -math.inf]),
    lambda r: r.choice(
        ["", " ", "\n", "\t", "0", "null", "true", "nan", "-", "#", "/", "..", "{}", "%s", "[/]"]
    ),
    lambda r: r.choice(["\x00", "\x1b[2J", "\r\n::error::x", "\u202e", "\ufffe", "\U0001f600", "ß", "İ"]),
    lambda r: r.choice(["\ud83d", "a\udc00b", "\udfff\ud800"]),
    lambda r: "x" * r.choice([41, 81, 201, 1001, LONG]),
    lambda r: r.choice(["[", "{", '{"a":', "(a+"]) * r.choice([50, LONG]),
    lambda r: r.choice(["a=" * 300, "[a=b " * 300, "-" * LONG, " " * LONG + "x"]),
    lambda r: r.choice(
        [
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59-23:59",
            "2026-11-29",
            "24:00",
            "2026-02-30T00:00:00Z",
            "1e400s",
            "99999999999999999999d",
        ]
    ),
    lambda r: r.choice(
        ["backend-api", "production", "blue", "sha256:" + "0" * 64, "arn:aws:iam::1:role/x", "s3://"]
    ),
    lambda r: deep(r.choice([2, 5, 39, 41, 200]), r.choice(["list", "mapping"])),
    lambda r: r.choice([[], {}, [[]], [{}], {"": ""}, [None], {"a": None}, [1, "a"]]),
)


def scalar(r: random.Random) -> Any:
    """A value that hardly anybody expects."""
    return r.choice(SCALARS)(r)


def copied(value: Any) -> Any:
    """A copy that shares nothing that is changed later."""
    if isinstance(value, dict):
        return {key: copied(child) for key, child in value.items()}
    if isinstance(value, list):
        return [copied(child) for child in value]
    return value


def _holders(value: Any) -> list[Any]:
    """Every mapping and list of a document that holds something."""
    found, pending = [], [value]
    while pending:
        each = pending.pop()
        if isinstance(each, (dict, list)) and each:
            found.append(each)
            pending.extend(each.values() if isinstance(each, dict) else each)
    return found


def _place(r: random.Random, holder: Any) -> Any:
    return r.choice(list(holder)) if isinstance(holder, dict) else r.randrange(len(holder))


def _replace(r: random.Random, holder: Any, others: Sequence[Any]) -> None:
    holder[_place(r, holder)] = scalar(r)


def _take_out(r: random.Random, holder: Any, others: Sequence[Any]) -> None:
    del holder[_place(r, holder)]


def _add(r: random.Random, holder: Any, others: Sequence[Any]) -> None:
    if isinstance(holder, dict):
        key = scalar(r)
        holder[key if isinstance(key, str) else "more"] = scalar(r)
    else:
        holder.insert(r.randint(0, len(holder)), scalar(r))


def _double(r: random.Random, holder: Any, others: Sequence[Any]) -> None:
    what = copied(holder[_place(r, holder)])
    if isinstance(holder, dict):
        holder[_place(r, holder)] = what
    else:
        holder.extend([what] * r.choice([1, 2, 60]))


def _move(r: random.Random, holder: Any, others: Sequence[Any]) -> None:
    """What stands elsewhere, here."""
    there = r.choice(others)
    holder[_place(r, holder)] = copied(there[_place(r, there)]) if there else None


def _nest(r: random.Random, holder: Any, others: Sequence[Any]) -> None:
    place = _place(r, holder)
    holder[place] = r.choice([[holder[place]], {"a": holder[place]}])


def _edit(r: random.Random, holder: Any, others: Sequence[Any]) -> None:
    """A text or number that is almost what it was."""
    place = _place(r, holder)
    value = holder[place]
    if isinstance(value, str):
        at, more = r.randint(0, len(value)), scalar(r)
        holder[place] = value[:at] + (more if isinstance(more, str) else "x") + value[at + r.randint(0, 2) :]
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        holder[place] = r.choice([-value, value + 1, str(value), value * 10**6 if abs(value) < 10**18 else 0])
    else:
        holder[place] = scalar(r)


CHANGES = (_replace, _replace, _take_out, _add, _double, _move, _nest, _edit, _edit)


def mutated(r: random.Random, samples: Sequence[Any]) -> Any:
    """One of the samples with one to five changes; now and then something else altogether, or as it was."""
    if r.random() < 0.01:
        return scalar(r)
    document = copied(r.choice(samples))
    for _ in range(r.choice([0, 1, 1, 1, 1, 2, 2, 3, 5])):
        holders = _holders(document)
        if not holders:
            return document
        r.choice(CHANGES)(r, r.choice(holders), holders)
    return document


# --- texts

TOKENS = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"\\ud83d",
    b"\\u0000",
    b"\xff\xfe",
    b"\xed\xa0\xbd",
    b"\x1b",
    b"\x00",
    b"[" * 5000,
    b'{"a":' * 5000,
    b"[" * 3000 + b"]" * 3000,
    b"9" * 500,
    b"null",
    b",",
    b'"',
    b"}",
    b"&a [*a, *a]",
    b"!!python/object:os.system {}",
    b"<<: 1",
    b"? ",
    b"\t",
    b"- - - - ",
    b"%YAML 9.9\n---\n",
)


def as_json(document: Any) -> bytes:
    """A document as JSON, whatever is in it; `NaN` and halves of pairs as Python writes them."""
    return json.dumps(document, ensure_ascii=True).encode()


def scrambled(r: random.Random, text: bytes) -> bytes:
    """A text with some bytes taken out, doubled, exchanged, or something else in between."""
    for _ in range(r.choice([1, 1, 2, 4])):
        at = r.randint(0, len(text))
        until = min(len(text), at + r.choice([0, 1, 1, 4, 40]))
        match r.randrange(4):
            case 0:
                text = text[:at] + text[until:]
            case 1:
                text = text[:at] + text[at:until] * 2 + text[until:]
            case 2:
                text = text[:at] + bytes([r.randrange(256)]) + text[at + 1 :]
            case _:
                text = text[:at] + r.choice(TOKENS) + text[until:]
    return text


def mutated_json(r: random.Random, samples: Sequence[Any]) -> bytes:
    """A mutated sample as JSON, of which every fourth is scrambled."""
    text = as_json(mutated(r, samples))
    return scrambled(r, text) if r.random() < 0.25 else text
