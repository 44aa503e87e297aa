"""What goes wrong while a spell of bad weather lasts: with calls of ports, and with what is under way."""

from __future__ import annotations

from typing import cast

import msgspec

from lab.simulator.boundary import Fault, Kind
from lab.simulator.kernel import Kernel
from lab.simulator.plan import PostTurned, WeatherTurned

# How late something under way is, in seconds.
LATE = (5.0, 240.0)


class Strike(msgspec.Struct):
    """Calls that go wrong for certain: the next `count` that fit, after `skip` that go well. None fits all."""

    kind: Kind
    port: str
    method: str | None = None
    function: str | None = None
    count: int = 1
    skip: int = 0
    seconds: float = 0.0
    # How many it has met.
    met: int = 0

    def fits(self, port: str, method: str, function: str) -> bool:
        """Whether it is about this call."""
        return (
            self.port in ("*", port) and self.method in (None, method) and self.function in (None, function)
        )


class _Spell(msgspec.Struct, frozen=True):
    until: float
    what: WeatherTurned | PostTurned


class Forecast:
    """`boundary.Weather` and `delivery.Post` by the spells of a day; fair without any."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._calls = kernel.chance("weather")
        self._post = kernel.chance("post")
        self._spells: list[_Spell] = []
        self._strikes: list[Strike] = []
        # How many calls met each kind of fault.
        self.met: dict[str, int] = {}

    def turn(self, what: WeatherTurned | PostTurned) -> None:
        """Let a spell begin."""
        self._spells = [each for each in self._spells if each.until > self._kernel.now()]
        self._spells.append(_Spell(self._kernel.now() + what.lasts, what))

    def strike(self, strike: Strike) -> Strike:
        """Let the next calls that fit go wrong; the strike, which counts them."""
        self._strikes.append(strike)
        return strike

    @property
    def fair(self) -> bool:
        """Whether no spell lasts."""
        return all(each.until <= self._kernel.now() for each in self._spells)

    def clear(self) -> None:
        """End every spell, and what was to strike."""
        self._spells, self._strikes = [], []

    def strikes(self, port: str, method: str, function: str) -> Fault | None:
        """`boundary.Weather`."""
        for strike in self._strikes:
            if strike.count and strike.fits(port, method, function):
                if strike.skip:
                    strike.skip -= 1
                    continue
                strike.count -= 1
                strike.met += 1
                return Fault(strike.kind, strike.seconds)
        if not self._spells:
            return None
        now = self._kernel.now()
        for each in self._spells:
            what = each.what
            if each.until <= now or not isinstance(what, WeatherTurned) or what.port not in ("*", port):
                continue
            if self._calls.random() < what.probability:
                self.met[what.kind] = self.met.get(what.kind, 0) + 1
                return Fault(cast(Kind, what.kind), what.seconds)
        return None

    def delay(self, what: str) -> float:
        """`delivery.Post`."""
        return self._post.uniform(*LATE) if self._now_and_then("late") else 0.0

    def copies(self, what: str) -> int:
        """`delivery.Post`."""
        return 2 if self._now_and_then("twice") else 1

    def refuses(self, what: str) -> bool:
        """`delivery.Post`."""
        return self._now_and_then("refused")

    def _now_and_then(self, kind: str) -> bool:
        now = self._kernel.now()
        for each in self._spells:
            what = each.what
            if each.until > now and isinstance(what, PostTurned) and what.kind == kind:
                return self._post.random() < what.probability
        return False
