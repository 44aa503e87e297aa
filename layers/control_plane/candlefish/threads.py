"""What several threads share."""

from __future__ import annotations

import msgspec


def learn(*kinds: type[msgspec.Struct]) -> None:
    """Have msgspec learn structs now, with all that they hold.

    It does so at a struct's first use, and where several threads make that at once the process dies (0.22.0,
    tests/unit/test_threads.py). Modules that read structs in threads call this as they are imported.
    """
    for kind in kinds:
        msgspec.json.Decoder(kind)
