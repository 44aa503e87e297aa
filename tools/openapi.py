"""docs/openapi.json: the API as OpenAPI 3.1, as the control plane serves it.

python -m tools.openapi           writes it
python -m tools.openapi --check   says whether it is up to date
"""

from __future__ import annotations

import sys

import msgspec

from candlefish.views.openapi import document
from tools.layers import ROOT
from tools.pages import write_or_check

PAGE = ROOT / "docs" / "openapi.json"


def text() -> str:
    """The document, for people to read differences of."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=1).decode() + "\n"


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, text(), source="code says", module="tools.openapi"))
