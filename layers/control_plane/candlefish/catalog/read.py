"""The compiled catalog, as functions read it: msgspec alone, no YAML."""

from __future__ import annotations

import os

import msgspec

from candlefish.catalog.model import Catalog, decode_hook
from candlefish.errors import Misconfigured

_decoder = msgspec.json.Decoder(Catalog, dec_hook=decode_hook)


def read(path: str | os.PathLike[str]) -> Catalog:
    """The catalog that `candlefish catalog compile` wrote.

    Raises
    ------
    Misconfigured
        When the file is missing, or was compiled by another version of the code.
    """
    try:
        with open(path, "rb") as file:
            return _decoder.decode(file.read())
    except OSError as error:
        raise Misconfigured(
            f"cannot read the compiled catalog {os.fspath(path)}: {error.strerror}; run `candlefish catalog compile`"
        ) from error
    except msgspec.DecodeError as error:
        raise Misconfigured(
            f"the compiled catalog {os.fspath(path)} does not fit this code: {error}; "
            "run `candlefish catalog compile` with the version that is deployed"
        ) from error
