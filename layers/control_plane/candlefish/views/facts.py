"""What is read before a release is shown: values, gathered by `views/look.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from candlefish.capacity.model import ScheduleOverride
from candlefish.failover.model import Run
from candlefish.release.model import Approval, Release, ReleaseEntry, SeenEvidence, SeenWindow
from candlefish.service.model import Slot
from candlefish.service.record import ServiceRecord
from candlefish.signals.model import LoggedSignal
from candlefish.views.model import PodsView


class FrozenNow(msgspec.Struct, frozen=True):
    """A freeze that holds: until when, why, and what it is about ("" is the whole environment)."""

    until: float
    reason: str
    service: str = ""
    # It was asked for by somebody, and can be lifted; the catalog's cannot.
    by: str = ""


class Surroundings(msgspec.Struct, frozen=True):
    """What holds for a whole environment."""

    automation_off: str = ""
    # Whether it sleeps, or what it is doing where it neither sleeps nor is awake; and when that is to change, 0 unknown.
    asleep: bool = False
    going: str = ""
    turns_at: float = 0.0
    # What people asked for instead of the calendar.
    overrides: tuple[ScheduleOverride, ...] = ()
    freezes: tuple[FrozenNow, ...] = ()
    # Failovers that wait for people.
    waiting: tuple[Run, ...] = ()
    # The newest lines of the log of signals, newest first.
    signals: tuple[LoggedSignal, ...] = ()
    # Why an environment that is to be awake is not after a try, and since when that is wanted.
    not_awake: str = ""
    not_awake_since: float = 0.0
    unknown: tuple[str, ...] = ()

    def freeze_of(self, service: str) -> FrozenNow | None:
        """The freeze that concerns a service, the longest of several."""
        concerning = [each for each in self.freezes if each.service in ("", service)]
        return max(concerning, key=lambda each: each.until, default=None)


class ReleaseFacts(msgspec.Struct, frozen=True):
    """Everything that is known of a release and of the service that it is about.

    `entries` are the newest, newest first. `record` is None where it could not be read. `weights` are the real ones by
    target group, None where they are not known or were not asked for. `unknown` says what could not be read.
    """

    release: Release
    record: ServiceRecord | None
    now: float
    question: Approval | None = None
    seen: SeenEvidence | None = None
    windows: Sequence[SeenWindow] = ()
    entries: Sequence[ReleaseEntry] = ()
    older: str = ""
    # Nothing was read of its timeline: it is a line of a list.
    glanced: bool = False
    weights: Mapping[str, int] | None = None
    pods: Mapping[Slot, PodsView] = {}
    around: Surroundings = Surroundings()
    unknown: tuple[str, ...] = ()

    @property
    def holds_it(self) -> bool:
        """Whether this release has the service now."""
        record = self.record
        return bool(
            record and record.holder and record.rollback is None and record.holder.release == self.release.id
        )

    @property
    def judged_now(self) -> bool:
        """Whether what the judge saw is of the step that runs, and not of one before it."""
        holder = self.record.holder if self.record else None
        return self.seen is not None and (holder is None or self.seen.since >= holder.since)

    @property
    def goes_back(self) -> bool:
        """Whether its rollback runs now."""
        return bool(self.record and self.record.rollback and self.record.rollback.release == self.release.id)

    @property
    def is_live(self) -> bool:
        """Whether its version is the one that was promoted last, and still serves."""
        record = self.record
        return bool(
            record
            and record.promoted_release == self.release.id
            and not self.goes_back
            and record.stable_version is not None
            and record.stable_version.image == self.release.version.image
        )

    @property
    def in_window(self) -> bool:
        """Whether it can be taken back within seconds, after its promotion."""
        record = self.record
        return bool(self.is_live and record and record.window_until > self.now and record.holder is None)
