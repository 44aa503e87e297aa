"""Rotating the endpoint's bearer token: the old one stays valid for a while beside the new one."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from candlefish.signals.model import BearerToken

# Bytes of randomness; 43 characters of URL-safe base64.
ENTROPY = 32


def rotate_token(
    tokens: Sequence[BearerToken], *, now: float, overlap: float
) -> tuple[BearerToken, tuple[BearerToken, ...]]:
    """A new token, and the tokens to store: it and its predecessor, which expires after `overlap` seconds.

    Whatever was older is gone at once: at most two are valid at a time.
    """
    new = BearerToken(secrets.token_urlsafe(ENTROPY))
    living = [t for t in tokens if not t.expires or t.expires > now]
    if not living:
        return new, (new,)
    newest = next((t for t in living if not t.expires), living[-1])
    ends = min(newest.expires or now + overlap, now + overlap)
    return new, (new, BearerToken(newest.token, ends))
