"""Values of a definition that may hold JSONata: looked through once, filled in often."""

from __future__ import annotations

import re
from typing import Any, Protocol

from lab.expressions import Undefined, evaluate, parsed
from lab.simulator.machines.errors import InvalidDefinition, StateFailed
from lab.simulator.machines.short_cuts import MISSING, UNCLEAR, Seen, short_cut

_EXPRESSION = re.compile(r"\{%(.*)%\}", re.DOTALL)


class Bound(Seen, Protocol):
    """What expressions see, and what they may call."""

    @property
    def state(self) -> str:
        """The state's name, for the text of an error."""

    @property
    def known(self) -> dict[str, Any]:
        """The functions, as `lab.expressions.functions` makes them."""


class Template:
    """A value without expressions."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def fill(self, bound: Bound) -> Any:
        """The value. Nobody may change it: it can be a part of the definition, or of a variable.

        Raises
        ------
        StateFailed
            With States.QueryEvaluationError.
        """
        return self.value


class _Object(Template):
    def __init__(self, fields: dict[str, Template]) -> None:
        self.fields = fields

    def fill(self, bound: Bound) -> Any:
        return {name: field.fill(bound) for name, field in self.fields.items()}


class _Array(Template):
    def __init__(self, items: list[Template]) -> None:
        self.items = items

    def fill(self, bound: Bound) -> Any:
        return [item.fill(bound) for item in self.items]


class _Expression(Template):
    def __init__(self, text: str, field: str) -> None:
        self.text, self.field = text, field
        self.short = short_cut(text)

    def fill(self, bound: Bound) -> Any:
        value = UNCLEAR if self.short is None else self.short(bound)
        if value is MISSING:
            raise self._failed(bound, "returned nothing (undefined).")
        if value is not UNCLEAR:
            return value
        try:
            return evaluate(self.text, {**bound.variables, "states": bound.states()}, bound.known)
        except Undefined:
            raise self._failed(bound, "returned nothing (undefined).") from None
        except Exception as error:
            raise self._failed(bound, f"threw an error: {error}") from error

    def _failed(self, bound: Bound, what: str) -> StateFailed:
        return StateFailed(
            "States.QueryEvaluationError",
            f"An error occurred while executing the state '{bound.state}'. "
            f"The JSONata expression '{self.text.strip()}' specified for the field '{self.field}' {what}",
        )


def template(value: Any, field: str) -> Template:
    """Look through a value of a definition; `field` says where it stands.

    Raises
    ------
    InvalidDefinition
        An expression cannot be parsed.
    """
    made = _template(value, field)
    return made if made is not None else Template(value)


def _template(value: Any, field: str) -> Template | None:
    """None when there is no expression in it."""
    if isinstance(value, str):
        found = _EXPRESSION.fullmatch(value)
        if found is None:
            return None
        try:
            parsed(found[1])
        except Exception as error:
            raise InvalidDefinition(f"{field}: {value!r} is no JSONata: {error}") from error
        return _Expression(found[1], field)
    if isinstance(value, dict):
        fields = {name: _template(item, f"{field}/{name}") for name, item in value.items()}
        if all(item is None for item in fields.values()):
            return None
        return _Object({name: made or Template(value[name]) for name, made in fields.items()})
    if isinstance(value, list):
        items = [_template(item, f"{field}[{at}]") for at, item in enumerate(value)]
        if all(item is None for item in items):
            return None
        return _Array([made or Template(value[at]) for at, made in enumerate(items)])
    return None
