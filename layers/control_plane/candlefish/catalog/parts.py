"""The parts of a catalog by what they are called, each with a digest: whether two catalogs say the same of it."""

from __future__ import annotations

import hashlib

import msgspec

from candlefish.catalog.model import Catalog, encode_hook

# As many hexadecimal digits as tell two wordings of one part apart.
DIGITS = 16


def parts_of(catalog: Catalog) -> dict[str, str]:
    """A digest for each part, like `services/website` or `responses`."""
    found: dict[str, str] = {}
    for name in catalog.__struct_fields__:
        whole = getattr(catalog, name)
        entries = (
            {f"{name}/{key}": each for key, each in whole.items()}
            if isinstance(whole, dict)
            else {name: whole}
        )
        found |= {key: _digest(each) for key, each in entries.items()}
    return found


def other_parts(mine: dict[str, str], theirs: dict[str, str]) -> tuple[str, ...]:
    """What two catalogs do not say alike, by name."""
    return tuple(name for name in sorted(mine.keys() | theirs.keys()) if mine.get(name) != theirs.get(name))


def _digest(part: object) -> str:
    # Sorted: the order of a mapping's keys says nothing.
    text = msgspec.json.encode(part, enc_hook=encode_hook, order="deterministic")
    return hashlib.sha256(text).hexdigest()[:DIGITS]
