"""The guard's memory, and every way it may change: pure, like `candlefish.service.record`.

One small item an environment, stored only if nobody else stored in between. So "at most one
action a subject and cooldown" (invariant I8) and the budget hold whatever runs at the same time.
Times are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from candlefish.bounds import LONGEST_REASON, fit
from candlefish.catalog.model import GuardPolicy
from candlefish.signals.model import Gate, Signal

# What the budget counts: what moves traffic or a primary. Holding a release moves nothing.
BUDGETED = frozenset({"rollback", "failover"})
# An action is refused in the cooldown of what is stronger as well.
STRONGER: dict[str, tuple[str, ...]] = {"hold": ("hold", "rollback")}
EVERYTHING = "*"


class Claim(msgspec.Struct, frozen=True, omit_defaults=True):
    """An action that was let through, by what, and until when it bars the next."""

    about: str
    action: str
    owner: str
    at: float
    until: float


class Mute(msgspec.Struct, frozen=True):
    """Signals about `about` (`service/website`, or `*` for all) neither act nor tell until `until`."""

    about: str
    reason: str
    by: str
    until: float


class GuardRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the guard of one environment remembers: actions and mutes. What was told is kept apart (`SignalLog`)."""

    revision: int = 0
    claims: tuple[Claim, ...] = ()
    # What older code remembers of messages; the next claim forgets it.
    notified: tuple[Claim, ...] = ()
    mutes: tuple[Mute, ...] = ()


class Refusal(msgspec.Struct, frozen=True):
    """The guard's no, and which part of it said so."""

    gate: Gate
    reason: str


def cooldown_of(guard: GuardRecord, about: str, action: str, now: float) -> Claim | None:
    """The claim whose cooldown bars the action now, if any."""
    bars = STRONGER.get(action, (action,))
    running = (c for c in guard.claims if c.about == about and c.action in bars and c.until > now)
    return max(running, key=lambda c: c.until, default=None)


def refusal_of_claim(
    guard: GuardRecord, signal: Signal, action: str, *, policy: GuardPolicy, now: float
) -> Refusal | None:
    """Why the guard does not let the action through: a cooldown, or the budget."""
    held = cooldown_of(guard, signal.about, action, now)
    if held:
        return Refusal(
            "cooldown",
            f"{held.action} of {signal.about} was decided {now - held.at:.0f} s ago; "
            f"the next {action} may follow in {held.until - now:.0f} s",
        )
    recent = [c for c in guard.claims if c.action in BUDGETED and c.at > now - policy.budget_window]
    if action in BUDGETED and len(recent) >= policy.budget:
        taken = ", ".join(f"{c.action} of {c.about}" for c in recent)
        return Refusal(
            "budget",
            f"{len(recent)} actions within {policy.budget_window} are the limit ({taken}): "
            "something larger is wrong, a person decides",
        )
    return None


def claim(
    guard: GuardRecord, signal: Signal, action: str, *, policy: GuardPolicy, now: float
) -> tuple[GuardRecord, Claim | Refusal]:
    """Let an action through and bar the next, or say why not.

    Claiming again for the same firing is one claim.
    """
    mine = own_claim(guard, signal, action, now)
    if mine:
        return guard, mine
    no = refusal_of_claim(guard, signal, action, policy=policy, now=now)
    if no:
        return guard, no
    until = now + getattr(policy.cooldown, action)
    granted = Claim(about=signal.about, action=action, owner=signal.key, at=now, until=until)
    oldest = now - policy.budget_window
    kept = tuple(c for c in guard.claims if c.until > now or c.at > oldest)
    return msgspec.structs.replace(guard, claims=(*kept, granted), notified=()), granted


def own_claim(guard: GuardRecord, signal: Signal, action: str, now: float) -> Claim | None:
    """The running claim that this very firing made before: its message was delivered again."""
    held = cooldown_of(guard, signal.about, action, now)
    return held if held and (held.owner, held.action) == (signal.key, action) else None


def add_mute(guard: GuardRecord, mute: Mute, now: float) -> GuardRecord:
    """Mute a subject, in place of an earlier mute of it."""
    mute = msgspec.structs.replace(mute, reason=fit(mute.reason, LONGEST_REASON))
    others = tuple(m for m in guard.mutes if m.about != mute.about and m.until > now)
    return msgspec.structs.replace(guard, mutes=(*others, mute))


def drop_mute(guard: GuardRecord, about: str) -> GuardRecord:
    """Listen to a subject again."""
    kept = tuple(m for m in guard.mutes if m.about != about)
    return guard if len(kept) == len(guard.mutes) else msgspec.structs.replace(guard, mutes=kept)


def mute_of(mutes: Sequence[Mute], about: str, now: float) -> Mute | None:
    """The mute that concerns a subject now, if any."""
    return next((m for m in mutes if m.until > now and _concerns(m.about, about)), None)


def _concerns(muted: str, about: str) -> bool:
    """What is muted by the alert's name alone (`other/KubePodNotReady`) is so for all that it is about."""
    return muted in (about, EVERYTHING) or (muted.startswith("other/") and about.startswith(f"{muted} "))
