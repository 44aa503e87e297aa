"""What ships with the product of what signals lead to, and how a company's own goes before it. Build time and CLI only."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from candlefish.catalog import shape
from candlefish.catalog.model import Clue, Clues, PublishedAlert, Responses

_HERE = Path(__file__).parent
RESPONSES = _HERE / "default_responses.yaml"
ALERTS = _HERE / "known_alerts.yaml"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Alerts that lead to the same for the same reason."""

    why: str
    do: Any
    alerts: tuple[str, ...]
    severity: Any = None


@cache
def shipped() -> Responses:
    """What ships: clues, levels, rules, actions, known alerts; limits are the model's own."""
    notes = shape.Notes()
    notes.places[("responses",)] = (str(RESPONSES), 0)
    node: Any = yaml.compose(RESPONSES.read_text(encoding="utf-8"), Loader=_Loader)
    found: Responses = shape.build(node, Responses, ("responses",), notes)
    assert not notes.problems, notes.problems
    return msgspec.structs.replace(found, alerts=known_alerts())


def known_alerts() -> dict[str, PublishedAlert]:
    """Every published alert that a decision ships for, by name, in the order of the file."""
    written = yaml.load(ALERTS.read_text(encoding="utf-8"), Loader=_Loader)
    groups = msgspec.convert(written, tuple[_Group, ...])
    return {
        name: msgspec.convert(
            {"name": name, "do": group.do, "severity": group.severity, "why": group.why}, PublishedAlert
        )
        for group in groups
        for name in group.alerts
    }


def with_defaults(own: Responses) -> Responses:
    """A company's responses, with what ships after them; as they are where they want none of it.

    Own clues and rules are tried first; an own rule, level, action or alert stands for the shipped one of its name.
    """
    if not own.defaults:
        return own
    ours = shipped()
    clues = {
        field: (*mine, *(clue for clue in getattr(ours.clues, field) if clue not in mine))
        for field in Clues.__struct_fields__
        for mine in [_written(own.clues, field)]
    }
    # What is not written for a severity is written for each kind of subject.
    actions = {
        severity: {**ours.actions.get(severity, {}), **own.actions.get(severity, {})}
        for severity in {**ours.actions, **own.actions}
    }
    return msgspec.structs.replace(
        own,
        clues=Clues(**clues),
        levels={**ours.levels, **own.levels},
        rules={**own.rules, **{name: rule for name, rule in ours.rules.items() if name not in own.rules}},
        alerts={**ours.alerts, **own.alerts},
        actions=actions,
    )


def _written(clues: Clues, field: str) -> tuple[Clue, ...]:
    """The clues that a company wrote itself."""
    found: tuple[Clue, ...] = getattr(clues, field)
    return () if found == getattr(Clues(), field) else found
