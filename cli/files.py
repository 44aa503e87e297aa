"""What people hand to the command in files, read: trains, and bundles that `helm template` wrote."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from candlefish.adapters.aws.s3_bundles import LARGEST_BUNDLE
from candlefish.bounds import decoded, explained, sound
from candlefish.errors import InvalidInput
from candlefish.release.payloads import TrainRequest


def read_train(text: str, file: str) -> TrainRequest:
    """The train in a file (see events/train.json).

    Raises
    ------
    InvalidInput
        It is no train.
    """
    given = decoded(text, file)
    try:
        return msgspec.convert(given, TrainRequest)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{file} is no train: {explained(error)}; events/train.json shows one") from error


def packed(documents: list[Any]) -> tuple[bytes, str]:
    """A bundle as it is uploaded, and its SHA-256."""
    body = json.dumps(documents, sort_keys=True).encode()
    return body, hashlib.sha256(body).hexdigest()


def documents_of(file: Path) -> list[Any]:
    """The objects in a file of YAML.

    Raises
    ------
    InvalidInput
        It is no YAML, or holds what JSON cannot.
    """
    with as_helm_writes(str(file)):
        text = file.read_text(encoding="utf-8")
    (found,) = documents_in([text], str(file))
    return found


def documents_in(parts: Sequence[str], name: str) -> list[list[Any]]:
    """The objects in each of the parts of a text of YAML that has a name.

    Raises
    ------
    InvalidInput
        It is no YAML, or holds what JSON cannot.
    """
    from cli.kubernetes_yaml import load_all

    with as_helm_writes(name):
        found = [load_all(part) for part in parts]
        # Aliases may make much of little.
        sound([document for documents in found for document in documents], LARGEST_BUNDLE)
        msgspec.json.encode(found)
    return found


@contextmanager
def as_helm_writes(name: str) -> Iterator[None]:
    """Say of what has that name, and cannot be read here, that it is no text of YAML (`InvalidInput`)."""
    import yaml

    try:
        yield
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise InvalidInput(
            f"{name} is not what helm template writes: {' '.join(str(error).split())[:300]}"
        ) from error
