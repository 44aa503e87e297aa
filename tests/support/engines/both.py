"""Plays a scenario on both engines, and holds that they do the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.engines.moto import moto_engine
from tests.support.engines.script import Engine, Script, Summary
from tests.support.engines.virtual import VirtualEngine

Play = Callable[[Engine], object]


def on_both(answers: dict[str, list[Any]], play: Play) -> Summary:
    """What the scenario came to in virtual time; moto's engine came to the same."""
    virtual = VirtualEngine(Script(answers))
    play(virtual)
    with moto_engine(Script(answers)) as moto:
        play(moto)
        assert virtual.summary() == moto.summary()
    return virtual.summary()
