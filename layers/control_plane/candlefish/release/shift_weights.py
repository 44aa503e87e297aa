"""Shift a release's weights."""

from __future__ import annotations

from candlefish.errors import StaleGeneration
from candlefish.ports import Now
from candlefish.release.journal import Journal
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import StepInput
from candlefish.service.model import Weights
from candlefish.service.ports import ServiceRecords
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import shift


def shift_weights(
    request: StepInput, *, records: ServiceRecords, rules: Rules, journal: Journal, now: Now
) -> Weights:
    """Shift the weights as the step says; the weights that the rule has now."""
    converged = shift(
        request.service,
        generation=request.generation,
        slot=request.slot,
        weight=request.step.weight,
        required=request.required,
        records=records,
        rules=rules,
        now=now,
    )
    if converged.record.generation != request.generation:
        raise StaleGeneration(
            f"{converged.record.name} was taken over while its weights were shifted; the newer weights stand"
        )
    weights = dict(converged.record.desired)
    journal.append(
        request.release,
        ReleaseEntry(
            now(),
            "shifted",
            f"{request.step.weight}% of the traffic to slot {request.slot}",
            evidence={"weights": weights, "writes": converged.writes, "rule": converged.record.rule},
        ),
    )
    return weights
