"""Several sources, one verdict: the faster may roll back, promotion needs them all."""

from __future__ import annotations

from collections.abc import Mapping

from candlefish.analysis.model import Action, Verdict

# The first action that any source asks for wins; "promote" only when nobody says anything else.
_ORDER: tuple[Action, ...] = ("rollback", "experiment", "ask", "hold", "continue", "promote")


def merge(verdicts: Mapping[str, Verdict]) -> Verdict:
    """Agree on one verdict; its reason is that of the source that decided.

    Parameters
    ----------
    verdicts
        By name of the source. None at all is unknown.
    """
    if not verdicts:
        return Verdict("ask", "no metrics source is configured: nothing is known of the canary")
    decided = min(verdicts, key=lambda name: _ORDER.index(verdicts[name].action))
    chosen = verdicts[decided]
    if len(verdicts) == 1:
        return chosen
    others = {name: verdict.action for name, verdict in verdicts.items()}
    reason = f"{decided}: {chosen.reason}"
    return Verdict(chosen.action, reason, {**chosen.evidence, "sources": others})
