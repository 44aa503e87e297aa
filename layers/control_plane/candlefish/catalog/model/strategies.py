"""Strategies: how a version takes over, as a list of steps."""

from __future__ import annotations

from typing import Literal

from candlefish.catalog.model.scalars import Duration, Model, Percent


class Watch(Model, frozen=True):
    """A stretch of time in which the version is watched: `judge` decides early, `bake` sits it out."""

    # How long it is watched at most.
    at_most: Duration
    # The judge policy; the service's when it is not written.
    policy: str = ""
    # When nobody can tell at the end, for want of traffic or of metrics: ask a person, or go on. Evidence
    # against the version rolls back either way.
    unclear: Literal["ask", "go_on"] = "ask"


class Approve(Model, frozen=True):
    """A person must say yes within the time."""

    # No answer by then rolls back.
    within: Duration = Duration(86400)
    # Nobody approves their own release.
    four_eyes: bool = True


class Smoke(Model, frozen=True):
    """HTTP checks through the header rule, at weight 0."""

    # All paths must have answered rightly by then.
    within: Duration = Duration(60)


class Hook(Model, frozen=True):
    """A call that may veto: a Lambda function name or an HTTPS URL."""

    # What the timeline calls it.
    name: str
    # A Lambda function's name, or an https:// address.
    target: str
    # No answer by then is a no.
    within: Duration = Duration(60)


class StrategyStep(Model, frozen=True):
    """One step of a strategy; exactly one field is set."""

    weight: Percent | None = None
    judge: Watch | None = None
    bake: Watch | None = None
    approve: Approve | None = None
    smoke: Smoke | None = None
    hook: Hook | None = None

    @property
    def kind(self) -> str:
        return next(name for name in self.__struct_fields__ if getattr(self, name) is not None)

    def __post_init__(self) -> None:
        chosen = [name for name in self.__struct_fields__ if getattr(self, name) is not None]
        if len(chosen) != 1:
            raise ValueError(
                f"a step does exactly one thing, this one has {chosen or 'nothing'}; "
                f"write one of {', '.join(self.__struct_fields__)}"
            )


class Strategy(Model, frozen=True):
    """How a version takes over. `in_place` updates the stable slot; the others use the idle one."""

    name: str
    # What the steps mean: in place, all at once, or by shares of the traffic.
    kind: Literal["rolling", "blue_green", "canary"]
    # In the order they run. What is in docs/catalog.md about their order is checked.
    steps: tuple[StrategyStep, ...] = ()
    # How long the previous version stays at capacity after promotion, ready to take traffic back.
    rollback_window: Duration = Duration(0)
    # How long a Deployment may take to become available, and targets to become healthy.
    ready_within: Duration = Duration(600)
    # How long a hold may last before a person is asked.
    hold_at_most: Duration = Duration(3600)
    # How long a slot waits for metrics that show it drained before its capacity goes all the same.
    # Longer than any deregistration delay.
    drain_within: Duration = Duration(600)
    # How long a person has when the judge cannot tell or a hold has lasted too long.
    ask_within: Duration = Duration(28800)

    @property
    def in_place(self) -> bool:
        return self.kind == "rolling"
